package tun

import (
	"errors"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// state is what a link says of itself. RUNNING goes with the carrier, which
// `ip link set carrier off` takes away while the device stays up.
func state(link netlink.Link) port.Event {
	a := link.Attrs()
	const on = unix.IFF_UP | unix.IFF_RUNNING
	return port.Event{Up: a.RawFlags&on == on, MTU: a.MTU}
}

// follow reports changes until the port is closed or the device is gone. A
// message is only the hint to ask for the state: what is reported is always
// the latest, also when messages were lost.
func (p *Port) follow(last port.Event) {
	defer close(p.followed)
	for {
		msgs, from, err := p.updates.Receive()
		if p.closed.Load() {
			return
		}
		ours, fell := true, true
		switch {
		case errors.Is(err, unix.ENOBUFS): // messages were lost
		case err != nil:
			return
		case from.Pid != nl.PidKernel:
			continue
		default:
			ours, fell = p.concerned(msgs)
		}
		if !ours {
			continue
		}
		link, err := p.handle.LinkByIndex(p.index)
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			p.report(port.Event{MTU: last.MTU, Gone: true})
			return
		}
		if err != nil {
			continue
		}
		now := state(link)
		if now.Up && (fell || now != last) {
			p.restore(link)
		}
		if now != last {
			p.report(now)
			last = now
		}
	}
}

// concerned says whether any message is about the device, and whether it was
// down at the time of one of them.
func (p *Port) concerned(msgs []syscall.NetlinkMessage) (ours, fell bool) {
	for i := range msgs {
		m := &msgs[i]
		if t := m.Header.Type; t != unix.RTM_NEWLINK && t != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		info := nl.DeserializeIfInfomsg(m.Data)
		if int(info.Index) != p.index {
			continue
		}
		ours = true
		fell = fell || info.Flags&unix.IFF_UP == 0
	}
	return ours, fell
}

// report puts e on the channel in place of an older event nobody has taken.
func (p *Port) report(e port.Event) {
	for {
		select {
		case p.events <- e:
			return
		default:
		}
		select {
		case <-p.events:
		default:
		}
	}
}
