package lab

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
)

// bridgeName is what the bridge of a switch is called in its namespace.
const bridgeName = "br0"

// Bridge is the switch that a namespace is. Its ports are one end of a veth
// pair each, or a router's TAP.
type Bridge struct {
	Namespace string `json:"namespace"`
}

// String gives the bridge as the end of a link would be written.
func (b Bridge) String() string { return b.Namespace + ":" + bridgeName }

// make makes the bridge, up. It forwards every frame from the start and to
// everybody whom it may concern: it speaks no spanning tree, and it does not
// listen in to what groups its ports want, so that a router's multicast
// arrives before anybody has asked for it.
func (b Bridge) make() error {
	if err := b.remove(); err != nil {
		return err
	}
	err := inNamespace(b.Namespace, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridgeName
		snooping := false
		bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		return netlink.LinkSetUp(bridge)
	})
	if err != nil {
		return fmt.Errorf("making bridge %s: %w", b, err)
	}
	return nil
}

// there reports whether the bridge is as make would make it.
func (b Bridge) there() bool {
	there := false
	err := inNamespace(b.Namespace, func() error {
		link, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		bridge, ok := link.(*netlink.Bridge)
		there = ok && bridge.Flags&net.FlagUp != 0 && (bridge.MulticastSnooping == nil || !*bridge.MulticastSnooping)
		return nil
	})
	return err == nil && there
}

// remove removes whatever has the bridge's name. What is not there is removed
// already.
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

// unbridge removes a bridge and forgets it.
func (l *Lab) unbridge(s *state, br Bridge) error {
	if err := br.remove(); err != nil {
		return err
	}
	s.Bridges = slices.DeleteFunc(s.Bridges, func(have Bridge) bool { return have == br })
	return l.writeState(s)
}
