package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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

// Device is an end of a pair: its name, its namespace, and its configuration.
type Device struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	// Bridge is the bridge in the namespace that the end is a port of, "" for
	// none.
	Bridge string `json:"bridge,omitempty"`
	// Kernel says that the namespace's kernel uses the end, with a link-local
	// address and the Addresses.
	Kernel    bool           `json:"kernel,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Routes    []Route        `json:"routes,omitempty"`
}

func (d Device) equal(e Device) bool {
	return d.Namespace == e.Namespace && d.Name == e.Name && d.Bridge == e.Bridge && d.Kernel == e.Kernel &&
		slices.Equal(d.Addresses, e.Addresses) && slices.Equal(d.Routes, e.Routes)
}

// String gives the device as its node's end of a link would be written.
func (d Device) String() string { return d.Namespace + ":" + d.Name }

// String names both ends.
func (v Veth) String() string { return v.Ends[0].String() + " - " + v.Ends[1].String() }

func (v Veth) equal(w Veth) bool {
	return v.MTU == w.MTU && v.Ends[0].equal(w.Ends[0]) && v.Ends[1].equal(w.Ends[1])
}

// among reports whether the pair is one of several.
func (v Veth) among(all []Veth) bool { return slices.ContainsFunc(all, v.equal) }

// at reports whether an end of the pair is in a namespace.
func (v Veth) at(namespace string) bool {
	return v.Ends[0].Namespace == namespace || v.Ends[1].Namespace == namespace
}

// make makes the pair, each end up and configured in its namespace. Whatever
// has the name of an end is removed first.
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
	for _, d := range v.Ends {
		if err := d.settle(); err != nil {
			return err
		}
	}
	return nil
}

// add makes the pair with ends of different numbers. Linux reports a lost
// carrier at once only if a device's index differs from its peer's: otherwise
// it takes the device for one without a lower device and delays the report by
// up to a second (linkwatch_urgent_event of net/core/link_watch.c). Each
// namespace counts from 1, so equal indexes are common.
func (v Veth) add() error {
	far, err := netns.GetFromName(v.Ends[1].Namespace)
	if err != nil {
		return err
	}
	defer far.Close()
	return inNamespace(v.Ends[0].Namespace, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = v.Ends[0].Name, v.MTU
		const tries = 16
		for try := range tries {
			err := netlink.LinkAdd(&netlink.Veth{
				LinkAttrs: attrs, PeerName: v.Ends[1].Name,
				PeerMTU: uint32(v.MTU), PeerNamespace: netlink.NsFd(int(far)),
			})
			if try > 0 && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST)) {
				attrs.Index++ // another device of the namespace has this index
				continue
			}
			if err != nil {
				return err
			}
			link, err := netlink.LinkByName(attrs.Name)
			if err != nil {
				return err
			}
			if !sameNumber(link.Attrs()) {
				return nil
			}
			if err := netlink.LinkDel(link); err != nil {
				return err
			}
			// The peer's namespace continues counting from here.
			attrs.Index = link.Attrs().Index + tries
		}
		return fmt.Errorf("its ends have the same interface index after %d tries", tries)
	})
}

// sameNumber reports whether an end of a pair has the interface index of the
// other end.
func sameNumber(end *netlink.LinkAttrs) bool { return end.Index == end.ParentIndex }

// raise sets a device up. It gets a link-local address only if the kernel uses
// it, and not if it is a router's or a port of a bridge.
func (d Device) raise() error {
	err := inNamespace(d.Namespace, func() error {
		link, err := netlink.LinkByName(d.Name)
		if err != nil {
			return err
		}
		// A kernel without IPv6 has no such setting, nor such an address.
		if !d.Kernel {
			if err := netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
				return err
			}
		}
		if err := d.decline(); err != nil {
			return err
		}
		if d.Bridge != "" {
			bridge, err := netlink.LinkByName(d.Bridge)
			if err != nil {
				return fmt.Errorf("finding bridge %s: %w", d.Bridge, err)
			}
			if err := netlink.LinkSetMaster(link, bridge); err != nil {
				return fmt.Errorf("making it a port of bridge %s: %w", d.Bridge, err)
			}
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return fmt.Errorf("setting device %s up: %w", d, err)
	}
	return nil
}

// there reports whether the pair exists as make would make it, apart from ends
// that are down because the link is cut.
func (v Veth) there(down ...Device) bool {
	var ends [2]*netlink.LinkAttrs
	var to [2]int // the id by which an end's namespace knows the other's
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
			if !isAmong(d, down) && !d.settled(link) {
				return errUnsettled
			}
			to[i], err = netlink.GetNetNsIdByFd(int(other))
			return err
		})
		other.Close()
		if err != nil {
			return false
		}
	}
	for i, a := range ends {
		if sameNumber(a) || a.ParentIndex != ends[1-i].Index || a.NetNsID != to[i] || a.MTU != v.MTU || a.Flags&net.FlagUp == 0 && !isAmong(v.Ends[i], down) {
			return false
		}
	}
	return true
}

func isAmong(d Device, all []Device) bool { return slices.ContainsFunc(all, d.equal) }

// remove removes what has the names of the ends; removing one end removes the
// other. It is no error if nothing has.
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
	ours := v.among(b.state.Veths)
	if ours && v.there(b.downs(v)...) {
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
	s.Veths = slices.DeleteFunc(s.Veths, v.equal)
	return l.writeState(s)
}
