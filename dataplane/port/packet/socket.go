package packet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// socketBuffer is how much kernel memory a socket may use each way, in bytes: a
// hundred super-packets, or some ten thousand small packets, each of which
// counts as 768 bytes.
const socketBuffer = 8 << 20

// openQueue opens a packet socket on the device. It receives nothing before
// all of its options are set, and only then is bound. PACKET_QDISC_BYPASS is
// not among them: over a veth it made no difference that could be measured,
// and on a card it takes away the queue in which a burst waits.
func (p *Port) openQueue(shared bool) (*queue, error) {
	where := device.DescribeNamespace(p.cfg.Netns)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, fmt.Errorf("opening a packet socket in %s: routerd lacks CAP_NET_RAW in the user namespace that owns it: %w", where, err)
	case err != nil:
		return nil, fmt.Errorf("opening a packet socket in %s: %w", where, err)
	}
	if err := p.setOptions(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: p.link.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("binding a packet socket to device %s: %w", p.cfg.Device, err)
	}
	if shared {
		if err := p.joinFanout(fd); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	q, err := newQueue(fd)
	if err != nil {
		return nil, fmt.Errorf("preparing a packet socket: %w", err)
	}
	return q, nil
}

func (p *Port) setOptions(fd int) error {
	for _, o := range []struct {
		level, name, value int
		what               string
	}{
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1, "for virtio-net headers"},
		{unix.SOL_PACKET, unix.PACKET_AUXDATA, 1, "for VLAN tags"},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1, "not to see what it sends (Linux 4.20)"},
		{unix.SOL_SOCKET, unix.SO_MARK, Mark, "for a mark on what it sends"},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("asking a packet socket on device %s %s: %w", p.cfg.Device, o.what, err)
		}
	}
	limitReceive(fd, socketBuffer)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
	}
	if p.cfg.Promiscuous {
		if err := p.membership(fd, unix.PACKET_ADD_MEMBERSHIP, unix.PACKET_MR_PROMISC, [6]byte{}); err != nil {
			return fmt.Errorf("making device %s promiscuous: %w", p.cfg.Device, err)
		}
	}
	// PACKET_VNET_HDR_SZ came with Linux 6.5, virtio-net headers for UDP
	// super-packets with 6.2: a kernel with the former has the latter.
	p.offloads = port.OffloadAll
	if _, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR_SZ); err != nil {
		p.offloads &^= port.OffloadUDP
	}
	return nil
}

// limitReceive sets how many bytes of kernel memory a socket may hold for its reader; the
// kernel doubles them. Without CAP_NET_ADMIN in the machine's own user namespace the limits
// here and of what is sent are rmem_max and wmem_max.
func limitReceive(fd, bytes int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
	}
}

// joinFanout shares the device's frames among the port's sockets by flow.
func (p *Port) joinFanout(fd int) error {
	const kind = unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_IGNORE_OUTGOING
	if len(p.queues) == 0 {
		// A fanout group whose number the kernel chooses, so that it is not
		// shared.
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (kind|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16); err != nil {
			return fmt.Errorf("sharing device %s among several sockets: %w", p.cfg.Device, err)
		}
		return nil
	}
	var group int
	var err error
	if ctl := p.queues[0].raw.Control(func(first uintptr) {
		group, err = unix.GetsockoptInt(int(first), unix.SOL_PACKET, unix.PACKET_FANOUT)
	}); ctl != nil {
		return ctl
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group&0xffff|kind<<16)
	}
	if err != nil {
		return fmt.Errorf("sharing device %s among several sockets: %w", p.cfg.Device, err)
	}
	return nil
}

// Sockets calls use with the descriptor of each of the port's sockets, until it
// fails. It must not keep them.
func (p *Port) Sockets(use func(fd int) error) error {
	for _, q := range p.queues {
		if err := q.control(use); err != nil {
			return err
		}
	}
	return nil
}

// control calls use with the descriptor, which stays open meanwhile.
func (q *queue) control(use func(fd int) error) (err error) {
	if q.raw.Control(func(fd uintptr) { err = use(int(fd)) }) != nil {
		return port.ErrClosed
	}
	return err
}

// Join makes the device receive a multicast group. A group joined twice has
// to be left twice.
func (p *Port) Join(group [6]byte) error {
	if err := p.member(unix.PACKET_ADD_MEMBERSHIP, group); err != nil {
		return fmt.Errorf("joining group % x on device %s: %w", group, p.cfg.Device, err)
	}
	return nil
}

// Leave undoes one Join.
func (p *Port) Leave(group [6]byte) error {
	if err := p.member(unix.PACKET_DROP_MEMBERSHIP, group); err != nil {
		return fmt.Errorf("leaving group % x on device %s: %w", group, p.cfg.Device, err)
	}
	return nil
}

// member changes the membership of the first socket: memberships are the
// device's, and what it receives reaches every socket.
func (p *Port) member(option int, group [6]byte) error {
	if group[0]&1 == 0 {
		return errors.New("it is not a multicast address: the lowest bit of the first byte is wanted set")
	}
	var err error
	if ctl := p.queues[0].raw.Control(func(fd uintptr) {
		err = p.membership(int(fd), option, unix.PACKET_MR_MULTICAST, group)
	}); ctl != nil {
		return port.ErrClosed
	}
	return err
}

func (p *Port) membership(fd, option int, kind uint16, address [6]byte) error {
	m := &unix.PacketMreq{Ifindex: int32(p.link.Index), Type: kind}
	if kind == unix.PACKET_MR_MULTICAST {
		m.Alen = uint16(copy(m.Address[:], address[:]))
	}
	return unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, option, m)
}

// networkOrder is n as the kernel wants it in a link-layer address.
func networkOrder(n uint16) uint16 {
	return native.Uint16(binary.BigEndian.AppendUint16(nil, n))
}
