package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"routerd/internal/tomltext"
)

// SetLink cuts the link at one end, named as NODE:INTERFACE, or mends it. A cut
// link stays cut, also through Up and Test, until it is mended or the lab is
// taken down. It may be called while the lab's tests run, and by them.
func (l *Lab) SetLink(ctx context.Context, out io.Writer, end string, cut bool) error {
	link, e, err := l.findEnd(end)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.statePath()); err != nil {
		return fmt.Errorf("link %s: %w; bring it up with: routerd lab up %s", link, ErrNotUp, l.path)
	}
	release, err := l.own(ctx, out)
	if err != nil {
		return err
	}
	defer release()
	s, err := l.readState()
	if err != nil {
		return err
	}
	if !slices.Contains(s.Namespaces, l.line(link, e).Namespace) {
		if _, err := os.Stat(l.statePath()); err != nil {
			_ = os.RemoveAll(l.dir) // the lab was taken down meanwhile
		}
		return fmt.Errorf("link %s: %w as the topology has it; bring it up with: routerd lab up %s", link, ErrNotUp, l.path)
	}
	was := s.cut(link)
	s.mend(link)
	if cut {
		s.Cut = append(s.Cut, e.String())
	}
	if err := l.writeState(s); err != nil {
		return err
	}
	if was != "" { // cut already, perhaps at the other end
		if err := l.mend(link); err != nil {
			return err
		}
	}
	switch {
	case cut:
		if err := l.cut(link, e.String()); err != nil {
			return err
		}
		fmt.Fprintf(out, "link %s is cut\n", link)
	case was == "": // it may have been set down by other means
		if err := l.mend(link); err != nil {
			return err
		}
		fmt.Fprintf(out, "link %s was not cut, and is up\n", link)
	default:
		fmt.Fprintf(out, "link %s is mended\n", link)
	}
	return nil
}

// findEnd finds a link by one of its ends.
func (l *Lab) findEnd(name string) (Link, End, error) {
	var all []string
	for _, link := range l.Topology.Links {
		for _, e := range link.Ends {
			if e.String() == name {
				return link, e, nil
			}
			all = append(all, e.String())
		}
	}
	err := fmt.Errorf("lab %s has no link at %q: want one of %s", l.Topology.Name, name, strings.Join(all, ", "))
	if near := tomltext.Suggest(name, all); near != "" {
		err = fmt.Errorf("%w; %s", err, near)
	}
	return Link{}, End{}, err
}

// Ends gives the ends of all links, as NODE:INTERFACE, in the file's order.
func (l *Lab) Ends() (names []string) {
	for _, link := range l.Topology.Links {
		for _, e := range link.Ends {
			names = append(names, e.String())
		}
	}
	return names
}

// String names both ends.
func (l Link) String() string { return l.Ends[0].String() + " - " + l.Ends[1].String() }

// cut gives the end at which a link is cut, "" if it is not.
func (s *state) cut(link Link) string {
	for _, e := range link.Ends {
		if slices.Contains(s.Cut, e.String()) {
			return e.String()
		}
	}
	return ""
}

func (s *state) mend(link Link) {
	s.Cut = slices.DeleteFunc(s.Cut, func(end string) bool { return end == link.Ends[0].String() || end == link.Ends[1].String() })
}

// line is the kernel's device at which a link is cut for the end e. One with a
// router's TUN or TAP has only one such device, at the other node.
func (l *Lab) line(link Link, e End) Device {
	if l.Topology.lone(link) && l.Topology.kind(e.Node) == KindRouter {
		if e = link.Ends[0]; l.Topology.kind(e.Node) == KindRouter {
			e = link.Ends[1]
		}
	}
	return Device{Namespace: namespaceOf(l.Topology, e.Node), Name: e.Interface}
}

// cut takes the carrier from a TUN or TAP, as pulling the cable would. A veth
// end cannot lose its carrier by itself: it is set down, so that the other end
// loses its carrier.
func (l *Lab) cut(link Link, end string) error {
	_, e, err := l.findEnd(end)
	if err != nil {
		return err
	}
	d := l.line(link, e)
	err = inNamespace(d.Namespace, func() error {
		device, err := netlink.LinkByName(d.Name)
		if err != nil {
			return err
		}
		if l.Topology.lone(link) {
			return setCarrier(device, false)
		}
		return netlink.LinkSetDown(device)
	})
	if err != nil {
		return fmt.Errorf("cutting link %s at device %s: %w", link, d, err)
	}
	return nil
}

// mend brings a link up again, and restores the addresses and routes that the
// kernel removed while its ends were down.
func (l *Lab) mend(link Link) error {
	if !l.Topology.virtual(link) {
		v := planVeth(l.Topology, link)
		for _, step := range []func(Device) error{Device.raise, Device.settle} {
			for _, d := range v.Ends {
				if err := step(d); err != nil {
					return fmt.Errorf("mending link %s: %w", link, err)
				}
			}
		}
		return nil
	}
	ends := link.Ends[:]
	if l.Topology.lone(link) {
		ends = ends[:1] // both mean the same device
	}
	// A router restores what the kernel removed at the host's end.
	for _, e := range ends {
		d := l.line(link, e)
		err := inNamespace(d.Namespace, func() error {
			device, err := netlink.LinkByName(d.Name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(device); err != nil || !l.Topology.lone(link) {
				return err
			}
			return setCarrier(device, true)
		})
		if err != nil {
			return fmt.Errorf("mending link %s at device %s: %w", link, d, err)
		}
	}
	return nil
}

// setCarrier turns the carrier of a TUN or TAP, in whose namespace we are, on
// or off.
func setCarrier(device netlink.Link, on bool) error {
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(device.Attrs().Index)
	req.AddData(msg)
	value := []byte{0}
	if on {
		value[0] = 1
	}
	req.AddData(nl.NewRtAttr(unix.IFLA_CARRIER, value))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// cuts cuts links again that are to be cut: what this run made, and devices of
// routers that were started, come up uncut. Ends that the topology no longer
// has are dropped from the state.
func (b *builder) cuts() error {
	known := b.lab.Ends()
	if lost := slices.ContainsFunc(b.state.Cut, func(end string) bool { return !slices.Contains(known, end) }); lost {
		b.state.Cut = slices.DeleteFunc(b.state.Cut, func(end string) bool { return !slices.Contains(known, end) })
		if err := b.lab.writeState(b.state); err != nil {
			return err
		}
	}
	for _, link := range b.lab.Topology.Links {
		end := b.state.cut(link)
		if end == "" {
			continue
		}
		if err := b.lab.cut(link, end); err != nil {
			return err
		}
		b.say("", "link %s is cut, until: routerd lab link %s %s up", link, b.lab.path, end)
	}
	return nil
}

// downs gives the ends of a veth pair that are down because its link is cut.
func (b *builder) downs(v Veth) (down []Device) {
	for _, link := range b.lab.Topology.Links {
		end := b.state.cut(link)
		if end == "" || b.lab.Topology.virtual(link) || !planVeth(b.lab.Topology, link).equal(v) {
			continue
		}
		for i, e := range link.Ends {
			if e.String() == end {
				down = append(down, v.Ends[i])
			}
		}
	}
	return down
}

// own locks the lab's state and devices, only while they are changed: lock is
// held for a whole command, and tests may run for long.
func (l *Lab) own(ctx context.Context, out io.Writer) (release func(), err error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of lab %s: %w", l.Topology.Name, err)
	}
	return l.hold(ctx, out, filepath.Join(l.dir, "lock"))
}
