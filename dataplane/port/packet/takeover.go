package packet

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// KindUp is the one kind of change that Config.Will is called for: a device
// that was down is set up. Path is the file of its namespace, "" for routerd's
// own, and value the name of the device.
const KindUp = "link-up"

// Undo undoes a change that Config.Will was called for, after the process was
// killed: it sets the device down. A device or namespace that is gone is no
// error. Everything else of a port ends with its process.
func Undo(kind, path, value string) error {
	if kind != KindUp {
		return fmt.Errorf("undoing a change of kind %q of device %s: %q is wanted", kind, value, KindUp)
	}
	l := device.NewLink(path, value)
	defer l.Close()
	p := &Port{cfg: Config{Netns: path, Device: value}, link: l}
	err := device.InNamespace(path, func() error {
		if err := l.Open(); err != nil {
			return err
		}
		if _, err := l.Find(); err != nil {
			return err
		}
		return p.lower()
	})
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unused returns an error that says what the kernel uses a device for, nil if
// for nothing.
func (p *Port) unused(link netlink.Link) error {
	name := link.Attrs().Name
	const wanted = "set take-over = true to have the router take it from the kernel"
	if m := link.Attrs().MasterIndex; m != 0 {
		return fmt.Errorf("device %s belongs to %s: %s", name, p.nameOf(m), wanted)
	}
	addresses, err := p.link.Handle.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("listing the addresses of device %s: %w", name, err)
	}
	for _, a := range addresses {
		// An IPv6 link-local address is no sign of use: every device that is up
		// has one.
		if a.IP.To4() != nil || !a.IP.IsLinkLocalUnicast() {
			return fmt.Errorf("device %s has the address %s: %s", name, a.IPNet, wanted)
		}
	}
	defaultRoute := false
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := p.link.Handle.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			defaultRoute = isDefault(&r) && leadsTo(&r, link.Attrs().Index)
			return !defaultRoute
		})
		if err != nil {
			return fmt.Errorf("looking for a default route by device %s: %w", name, err)
		}
		if defaultRoute {
			return fmt.Errorf("device %s carries a default route: %s", name, wanted)
		}
	}
	return nil
}

func (p *Port) nameOf(index int) string {
	link, err := p.link.Handle.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("device number %d", index)
	}
	return fmt.Sprintf("%s %s", link.Type(), link.Attrs().Name)
}

func isDefault(r *netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	ones, _ := r.Dst.Mask.Size()
	return ones == 0
}

func leadsTo(r *netlink.Route, index int) bool {
	if r.LinkIndex == index {
		return true
	}
	for _, hop := range r.MultiPath {
		if hop.LinkIndex == index {
			return true
		}
	}
	return false
}
