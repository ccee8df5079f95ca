package lab

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
)

// bridgeName is the name of a switch's bridge in its namespace.
const bridgeName = "br0"

// Bridge is the bridge of a switch, in its namespace. Its ports are ends of
// veth pairs, and TAPs of routers.
type Bridge struct {
	Namespace string `json:"namespace"`
}

// String gives the bridge as the end of a link would be written.
func (b Bridge) String() string { return b.Namespace + ":" + bridgeName }

// make makes the bridge and sets it up. It has no spanning tree and forwards
// from the start. It snoops on multicast and is the querier, like the switches
// of clouds and of hypervisors.
func (b Bridge) make() error {
	if err := b.remove(); err != nil {
		return err
	}
	err := inNamespace(b.Namespace, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridgeName
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return err
		}
		link, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		for _, all := range [][]attribute{snooping, shortTimers} {
			if err := change(link, all); err != nil {
				return fmt.Errorf("making it a querier: %w", err)
			}
		}
		if err := b.address(); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return fmt.Errorf("making bridge %s: %w", b, err)
	}
	return nil
}

// there reports whether the bridge exists as make would make it.
func (b Bridge) there() bool {
	there := false
	err := inNamespace(b.Namespace, func() error {
		link, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		if _, ok := link.(*netlink.Bridge); !ok || link.Attrs().Flags&net.FlagUp == 0 {
			return nil
		}
		asks, err := has(link, slices.Concat(snooping, shortTimers)...)
		if err != nil {
			return err
		}
		addressed, err := b.addressed(link)
		there = asks && addressed
		return err
	})
	return err == nil && there
}

// remove removes whatever has the bridge's name. It is no error if nothing has.
func (b Bridge) remove() error {
	if !namespaceExists(b.Namespace) {
		return nil
	}
	err := inNamespace(b.Namespace, func() error {
		link, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
	var missing netlink.LinkNotFoundError
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("removing bridge %s: %w", b, err)
	}
	return nil
}

// bridge makes a bridge unless it is there.
func (b *builder) bridge(br Bridge) error {
	ours := slices.Contains(b.state.Bridges, br)
	if ours && br.there() {
		b.say("", "bridge %s is there", br)
		return nil
	}
	if !ours {
		b.state.Bridges = append(b.state.Bridges, br)
		if err := b.lab.writeState(b.state); err != nil {
			return err
		}
	}
	b.made[br.String()] = true
	if err := br.make(); err != nil {
		return err
	}
	b.say("", "bridge %s", br)
	return nil
}

// unbridge removes a bridge and its record in the state.
func (l *Lab) unbridge(s *state, br Bridge) error {
	if err := br.remove(); err != nil {
		return err
	}
	s.Bridges = slices.DeleteFunc(s.Bridges, func(have Bridge) bool { return have == br })
	return l.writeState(s)
}
