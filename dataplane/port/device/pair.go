package device

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Pair is a veth pair: two Ethernet devices of the kernel, each of which receives
// what the other one sends.
type Pair struct {
	Ends [2]PairEnd
	MTU  int // bytes of an IP packet, of both ends
}

// PairEnd is one end of a pair. Netns is as that of a Host.
type PairEnd struct {
	Netns, Device string
	HardwareAddr  [6]byte // zero: the kernel chooses one
}

// pairTries is how many indexes are tried before the ends have different ones.
const pairTries = 16

// Make makes the pair, both ends down. Their indexes differ: Linux reports a lost
// carrier at once only if a device's index is not that of its peer; otherwise it
// takes the device for one without a lower device, and the report may come a
// second late (linkwatch_urgent_event of net/core/link_watch.c). Each namespace
// counts from 1, so equal indexes are common. On an error nothing is left behind.
// It is ErrMissing if a namespace does not exist.
func (p Pair) Make() error {
	path := NamespacePath(p.Ends[1].Netns)
	if path == "" {
		path = "/proc/thread-self/ns/net"
	}
	far, err := openNamespace(p.Ends[1].Netns, path)
	if err != nil {
		return err
	}
	defer unix.Close(far)
	if err := InNamespace(p.Ends[0].Netns, func() error { return p.add(far) }); err != nil {
		return p.explained(err)
	}
	return nil
}

// add makes the pair from the first end's namespace.
func (p Pair) add(far int) error {
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: p.Ends[1].Device, PeerMTU: uint32(p.MTU), PeerNamespace: netlink.NsFd(far), PeerTxQLen: -1}
	pair.Name, pair.MTU = p.Ends[0].Device, p.MTU
	if a := p.Ends[0].HardwareAddr; a != ([6]byte{}) {
		pair.HardwareAddr = a[:]
	}
	if a := p.Ends[1].HardwareAddr; a != ([6]byte{}) {
		pair.PeerHardwareAddr = a[:]
	}
	for try := range pairTries {
		err := netlink.LinkAdd(pair)
		if try > 0 && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST)) {
			pair.Index++ // another device of the namespace has this index
			continue
		}
		if err != nil {
			return err
		}
		end, err := netlink.LinkByName(pair.Name)
		if err == nil && end.Attrs().Index != end.Attrs().ParentIndex {
			return nil
		}
		if gone := netlink.LinkDel(pair); gone != nil || err != nil {
			return errors.Join(err, gone)
		}
		pair.Index += pairTries // the peer's namespace continues counting from the one that this was given
	}
	return fmt.Errorf("its ends have the same interface index after %d tries", pairTries)
}

// explained says in words why the pair was not made.
func (p Pair) explained(err error) error {
	switch {
	case errors.Is(err, ErrMissing):
		return err
	case errors.Is(err, unix.EEXIST):
		for _, e := range p.Ends {
			if e.taken() {
				return makeError(Host{Netns: e.Netns, Device: e.Device}, err)
			}
		}
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("routerd lacks CAP_NET_ADMIN in the user namespace that owns one of the network namespaces: %w", err)
	case errors.Is(err, unix.EOPNOTSUPP):
		err = fmt.Errorf("the kernel has no such devices (CONFIG_VETH): %w", err)
	}
	return fmt.Errorf("making the veth pair %s: %w", p, err)
}

// taken reports whether a device has the name of the end.
func (e PairEnd) taken() bool {
	return InNamespace(e.Netns, func() error {
		_, err := netlink.LinkByName(e.Device)
		return err
	}) == nil
}

// String names both ends.
func (p Pair) String() string {
	return fmt.Sprintf("%s in %s - %s in %s", p.Ends[0].Device, DescribeNamespace(p.Ends[0].Netns), p.Ends[1].Device, DescribeNamespace(p.Ends[1].Netns))
}
