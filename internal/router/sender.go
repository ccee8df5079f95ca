package router

import (
	"net/netip"
	"time"

	"routerd/dataplane"
	"routerd/routing"
	"routerd/routing/protocol"
)

// sendAtOnce is how many packets of a protocol are written together at most.
const sendAtOnce = 32

// sender builds the packets that a protocol sends and writes them in as few
// system calls as the ports allow.
type sender struct {
	batch *dataplane.Batch
	list  []dataplane.OwnPacket
	raw   []byte // the packets of list, one after the other
	ident uint16 // identification of the last IPv4 packet
}

func newSender(c *dataplane.Counters, d *dataplane.DropRing, p dataplane.Punter) sender {
	s := sender{batch: dataplane.NewUnread(sendAtOnce, c, d)}
	s.batch.Punts(p)
	return s
}

// add adds a packet to those that flush writes.
func (s *sender) add(v *dataplane.View, e *protocol.Send, now time.Time) {
	if len(s.list) == sendAtOnce {
		s.flush(v, now)
	}
	s.ident++
	d := datagram{
		Src: netip.AddrPortFrom(e.Src, e.SrcPort), Dst: netip.AddrPortFrom(e.Dst, e.DstPort),
		Protocol: e.Protocol, Hops: e.HopLimit, ID: s.ident, Payload: e.Payload,
	}
	out := e.Link
	if i := v.Interface(out); i != nil && !i.Reaches(e.Dst) {
		out = routing.NoInterface // not on the link: by the routing table
	}
	at := len(s.raw)
	s.raw = d.append(s.raw)
	s.list = append(s.list, dataplane.OwnPacket{Out: out, Packet: s.raw[at:len(s.raw):len(s.raw)]})
}

// flush writes the packets that add has added.
func (s *sender) flush(v *dataplane.View, now time.Time) {
	if len(s.list) == 0 {
		return
	}
	dataplane.SendOwn(v, s.batch, s.list, now)
	s.batch.Transmit(now)
	clear(s.list)
	s.list, s.raw = s.list[:0], s.raw[:0]
}
