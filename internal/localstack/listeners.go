package localstack

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// Listener is an IPv4 port at which the stack receives from any source: the
// port of a listening TCP socket, or of a UDP socket that is not connected.
type Listener struct {
	Protocol uint8
	Port     uint16
	Address  netip.Addr // the zero Addr = all of the stack's
}

// Listeners lists the stack's listening sockets. One goroutine at a time may
// use it.
type Listeners struct {
	handle *netlink.Handle
}

// OpenListeners opens the list of the namespace called name.
func OpenListeners(name string) (*Listeners, error) {
	ns, err := netns.GetFromPath(device.NamespacePath(name))
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %q: %w", name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket in network namespace %q: %w", name, err)
	}
	return &Listeners{h}, nil
}

// Close ends the use of l.
func (l *Listeners) Close() { l.handle.Close() }

// List returns the current listeners, sorted and without duplicates.
func (l *Listeners) List() ([]Listener, error) {
	var list []Listener
	for _, ask := range []struct {
		protocol uint8
		sockets  func(uint8) ([]*netlink.Socket, error)
	}{{unix.IPPROTO_TCP, l.handle.SocketDiagTCP}, {unix.IPPROTO_UDP, l.handle.SocketDiagUDP}} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := ask.sockets(family)
			if err != nil {
				return nil, fmt.Errorf("asking for the sockets of the router's own stack: %w", err)
			}
			for _, s := range sockets {
				if one, ok := listener(ask.protocol, s); ok {
					list = append(list, one)
				}
			}
		}
	}
	slices.SortFunc(list, Listener.compare)
	return slices.Compact(list), nil
}

func (l Listener) compare(m Listener) int {
	if l.Protocol != m.Protocol {
		return int(l.Protocol) - int(m.Protocol)
	}
	if l.Port != m.Port {
		return int(l.Port) - int(m.Port)
	}
	return l.Address.Compare(m.Address)
}

// listener reads a socket, and reports whether it receives IPv4. An IPv6 socket
// for any address is assumed to, which is the default; the kernel does not say
// here whether it is for IPv6 only.
func listener(protocol uint8, s *netlink.Socket) (l Listener, ok bool) {
	waits := uint8(netlink.TCP_LISTEN)
	if protocol == unix.IPPROTO_UDP {
		waits = netlink.TCP_CLOSE // the kernel's state of a UDP socket that is not connected
	}
	if s.State != waits || s.ID.SourcePort == 0 {
		return l, false
	}
	a, ok := netip.AddrFromSlice(s.ID.Source)
	if !ok {
		return l, false
	}
	l = Listener{Protocol: protocol, Port: s.ID.SourcePort}
	switch a = a.Unmap(); {
	case a.IsUnspecified():
	case a.Is4():
		l.Address = a
	default:
		return l, false
	}
	return l, true
}
