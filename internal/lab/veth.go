package lab

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Veth is a pair of Ethernet devices of the kernel, each of which receives
// what the other one sends.
type Veth struct {
	Ends [2]Device `json:"ends"`
	MTU  int       `json:"mtu"` // bytes of an IP packet, of both ends
}

// Device is a network device by its name and its namespace's.
type Device struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String gives the device as its node's end of a link would be written.
func (d Device) String() string { return d.Namespace + ":" + d.Name }

// String names both ends.
func (v Veth) String() string { return v.Ends[0].String() + " - " + v.Ends[1].String() }

// at reports whether an end of the pair is in a namespace.
func (v Veth) at(namespace string) bool {
	return v.Ends[0].Namespace == namespace || v.Ends[1].Namespace == namespace
}

// make makes the pair, each end in its namespace, up and without addresses.
// Whatever has the name of an end is in its way and is removed.
func (v Veth) make() error {
	if err := v.remove(); err != nil {
		return err
	}
	if err := v.add(); err != nil {
		return fmt.Errorf("making the veth pair %s: %w", v, err)
	}
	for _, d := range v.Ends {
		if err := d.raise(); err != nil {
			return err
		}
	}
	return nil
}

func (v Veth) add() error {
	far, err := netns.GetFromName(v.Ends[1].Namespace)
	if err != nil {
		return err
	}
	defer far.Close()
	return inNamespace(v.Ends[0].Namespace, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = v.Ends[0].Name, v.MTU
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: v.Ends[1].Name,
			PeerMTU: uint32(v.MTU), PeerNamespace: netlink.NsFd(int(far)),
		})
	})
}

// raise sets a device up. The kernel gives it no link-local address: the
// device is the router's, and its addresses are.
func (d Device) raise() error {
	err := inNamespace(d.Namespace, func() error {
		link, err := netlink.LinkByName(d.Name)
		if err != nil {
			return err
		}
		// A kernel without IPv6 has no such setting, nor such an address.
		if err := netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return fmt.Errorf("setting device %s up: %w", d, err)
	}
	return nil
}

// there reports whether the pair is as make would make it.
func (v Veth) there() bool {
	var ends [2]*netlink.LinkAttrs
	var to [2]int // the identifier that an end's namespace has for the other's
	for i, d := range v.Ends {
		other, err := netns.GetFromName(v.Ends[1-i].Namespace)
		if err != nil {
			return false
		}
		err = inNamespace(d.Namespace, func() error {
			link, err := netlink.LinkByName(d.Name)
			if err != nil {
				return err
			}
			ends[i] = link.Attrs()
			to[i], err = netlink.GetNetNsIdByFd(int(other))
			return err
		})
		other.Close()
		if err != nil {
			return false
		}
	}
	for i, a := range ends {
		if a.ParentIndex != ends[1-i].Index || a.NetNsID != to[i] || a.MTU != v.MTU || a.Flags&net.FlagUp == 0 {
			return false
		}
	}
	return true
}

// remove removes what has the names of the ends; one end takes the other with
// it. What is not there is removed already.
func (v Veth) remove() error {
	for _, d := range v.Ends {
		if !namespaceExists(d.Namespace) {
			continue
		}
		err := inNamespace(d.Namespace, func() error {
			link, err := netlink.LinkByName(d.Name)
			if err != nil {
				return err
			}
			return netlink.LinkDel(link)
		})
		var missing netlink.LinkNotFoundError
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("removing device %s: %w", d, err)
		}
	}
	return nil
}

// veth makes a pair unless it is there.
func (b *builder) veth(v Veth) error {
	ours := slices.Contains(b.state.Veths, v)
	if ours && v.there() {
		b.say("", "veth %s is there", v)
		return nil
	}
	if !ours {
		b.state.Veths = append(b.state.Veths, v)
		if err := b.lab.writeState(b.state); err != nil {
			return err
		}
	}
	b.made[v.String()] = true
	if err := v.make(); err != nil {
		return err
	}
	b.say("", "veth %s, mtu %d", v, v.MTU)
	return nil
}

// unplug removes a pair and forgets it.
func (l *Lab) unplug(s *state, v Veth) error {
	if err := v.remove(); err != nil {
		return err
	}
	s.Veths = slices.DeleteFunc(s.Veths, func(have Veth) bool { return have == v })
	return l.writeState(s)
}
