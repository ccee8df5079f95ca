package packet

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// asking is a netlink socket by which a device and its other end are looked at,
// whatever namespace that is in.
type asking struct{ sockets map[int]*nl.SocketHandle }

// newAsking opens one in the namespace of the calling thread.
func newAsking() (*asking, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE) // to nothing
	if err != nil {
		return nil, err
	}
	// The kernel answers at once; this only keeps a fault from waiting for ever.
	if err := s.SetReceiveTimeout(&unix.Timeval{Sec: 5}); err != nil {
		s.Close()
		return nil, err
	}
	return &asking{map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (a *asking) close() { a.sockets[unix.NETLINK_ROUTE].Close() }

// end is one end of a veth, as netlink shows it.
type end struct {
	up      bool
	address [6]byte
	queue   string // the kind of its queue
	xdp     bool   // a program sees packets before the kernel does
	other   int    // index of the other end, 0 without one
	space   int32  // the kernel's number for the namespace of the other end; -1 for the end's own
}

// here asks the namespace that the socket is of, in ask.
const here = -1

// ask looks an end up, in a namespace that the kernel has given a number.
func (a *asking) ask(index int, space int32) (end, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	request.Sockets = a.sockets
	about := nl.NewIfInfomsg(unix.AF_UNSPEC)
	about.Index = int32(index)
	request.AddData(about)
	if space != here {
		request.AddData(nl.NewRtAttr(unix.IFLA_TARGET_NETNSID, nl.Uint32Attr(uint32(space))))
	}
	answers, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return end{}, err
	}
	if len(answers) != 1 || len(answers[0]) < unix.SizeofIfInfomsg {
		return end{}, fmt.Errorf("%d answers: one is wanted", len(answers))
	}
	attributes, err := nl.ParseRouteAttr(answers[0][unix.SizeofIfInfomsg:])
	if err != nil {
		return end{}, err
	}
	return decodeEnd(nl.DeserializeIfInfomsg(answers[0]).Flags, attributes), nil
}

func decodeEnd(flags uint32, attributes []syscall.NetlinkRouteAttr) end {
	e := end{up: flags&unix.IFF_UP != 0, space: here}
	for _, a := range attributes {
		switch v := a.Value; a.Attr.Type &^ unix.NLA_F_NESTED {
		case unix.IFLA_ADDRESS:
			copy(e.address[:], v)
		case unix.IFLA_QDISC:
			e.queue = unix.ByteSliceToString(v)
		case unix.IFLA_LINK:
			e.other = int(native.Uint32(v))
		case unix.IFLA_LINK_NETNSID:
			e.space = int32(native.Uint32(v))
		case unix.IFLA_XDP:
			inner, _ := nl.ParseRouteAttr(v)
			for _, x := range inner {
				e.xdp = e.xdp || x.Attr.Type == unix.IFLA_XDP_ATTACHED && len(x.Value) > 0 && x.Value[0] != 0
			}
		}
	}
	return e
}

// noQueue is the queue of a device that has none.
const noQueue = "noqueue"

// peer gives the link address of a device's other end, if packets may be handed
// to that at once: it is in another namespace, is up, and neither the queue of
// the device nor XDP at the other end would do anything with them.
func (p *Port) peer(a *asking) (address [6]byte, ok bool, err error) {
	own, err := a.ask(p.link.Index, here)
	if err != nil {
		return address, false, fmt.Errorf("looking at device %s: %w", p.cfg.Device, err)
	}
	if !p.veth || own.other == 0 || own.space == here || own.queue != noQueue {
		return address, false, nil
	}
	other, err := a.ask(own.other, own.space)
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EINVAL): // it has just been moved
		return address, false, nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES): // of a namespace that is not the router's to look into
		return address, false, nil
	case err != nil:
		return address, false, fmt.Errorf("looking at the other end of device %s: %w", p.cfg.Device, err)
	}
	return other.address, other.up && !other.xdp, nil
}
