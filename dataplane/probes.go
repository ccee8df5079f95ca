package dataplane

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/flow"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/nat/rewrite"
	"routerd/routing"
	"routerd/routing/fib"
)

// Probes are the packets that the router has sent to see what becomes of them, and
// that still wait for an answer. Any goroutine may send and forget them while
// packets arrive. The zero value has none.
type Probes struct {
	mu   sync.Mutex
	live atomic.Pointer[[]*sentProbe] // nil while there are none; never changed once it is published
}

// ProbeWatcher hears what becomes of a probe after SendProbe. Several workers may call
// it at once; it copies what it keeps, and never waits.
type ProbeWatcher interface {
	// ProbeEnded is called for a probe that had to wait for its next hop's address.
	ProbeEnded(f ProbeFate)
	// ProbeAnswered is called with each packet that answers it: an echo reply, a
	// segment or datagram back, an ICMP error that quotes it.
	ProbeAnswered(r *Received)
}

// ProbeFate is what became of a probe on its way out.
type ProbeFate struct {
	Verdict verdict.Verdict // Originated: it left; Resolving: ProbeEnded says more
	Out     routing.InterfaceID
	// NextHop is whom it was sent to, or waits for; invalid on a link whose other end
	// needs no address. MAC is that of the next hop, on Ethernet links.
	NextHop netip.Addr
	MAC     arp.MAC
	At      time.Time
}

// sentProbe is a probe that waits. It does not change once it is listed.
type sentProbe struct {
	watcher ProbeWatcher
	packet  []byte // as it left, or waits for its next hop
	family  uint8
	proto   uint8
	key     flow.Key  // as the router made it
	wide    flow.Wide // the addresses, of IPv6
	seq     uint32    // of TCP, or of an echo request
	fate    ProbeFate
}

// ProbeDestination reports whether a probe may be sent to a: a host beyond the router.
func (v *View) ProbeDestination(a netip.Addr) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a == limitedBroadcast || a.Is6() && a.IsLinkLocalUnicast() {
		return false
	}
	way := v.ownWay(a)
	return way == nil || way.Action != routing.Local && way.Anycast != a
}

// ProbeSource chooses the router's own address for a probe to dst; ok is false if it
// has none of the family.
func (v *View) ProbeSource(dst netip.Addr) (a netip.Addr, ok bool) {
	out := v.Interface(v.anyInterface())
	if way := v.ownWay(dst); way != nil && way.Action == routing.Forward {
		if i := v.Interface(way.Group.Hops()[0].Interface); i != nil {
			out = i
		}
	}
	if out == nil {
		return netip.Addr{}, false
	}
	a, ok = v.sourceFor(out, dst)
	return a, ok && reaches(a, dst)
}

// MayProbeFrom reports whether a is an address of the router that a probe may come from.
func (v *View) MayProbeFrom(a netip.Addr) bool {
	if !a.IsValid() || a.Is6() && a.IsLinkLocalUnicast() {
		return false
	}
	b := a.AsSlice()
	return v.Own.Has(a, b[len(b)-1])
}

// ownWay is the way of what the router itself sends to a.
func (v *View) ownWay(a netip.Addr) *fib.Way {
	if i := v.Interface(v.anyInterface()); i != nil {
		return v.FIB(i).Way(a)
	}
	return nil
}

// SendProbe sends raw, a packet from an address of the router to a ProbeDestination,
// as the router's own packets are sent, and has w hear what becomes of it until stop is
// called. Transmit has been called when it returns.
func SendProbe(v *View, b *Batch, raw []byte, w ProbeWatcher, now time.Time) (fate ProbeFate, stop func()) {
	p, s := b.makeProbe(v, raw, now)
	if p == nil {
		return ProbeFate{Verdict: verdict.NoBuffer, Out: routing.NoInterface, At: now}, func() {}
	}
	s.watcher = w
	v.Probes.list(s) // before it leaves, so that no answer is missed
	b.Transmit(now)
	fate = s.fate
	fate.Verdict = p.Verdict
	return fate, func() { v.Probes.forget(s) }
}

// ExplainProbe says what SendProbe would do with the packet raw, as Explain does for one
// that comes in.
func ExplainProbe(v *View, raw []byte, now time.Time) Explanation {
	b := NewBatch(1, &Counters{}, nil)
	b.punter, b.dry = nobody{}, true
	x := Explanation{Out: routing.NoInterface, AnswerOut: routing.NoInterface}
	b.trace = func(s *stage, v *View, p *Packet) {
		if found := s.explain(v, p); found.Text != "" {
			x.Steps = append(x.Steps, Step{s.name, false, found})
		}
	}
	p, _ := b.makeProbe(v, raw, now)
	if p == nil {
		x.Verdict = verdict.NoBuffer
		return x
	}
	x.Verdict = p.Verdict
	if p.Verdict == verdict.Originated || p.Verdict == verdict.Resolving {
		x.Out = p.Out
	}
	return x
}

// makeProbe runs raw through the stages of the router's own packets.
func (b *Batch) makeProbe(v *View, raw []byte, now time.Time) (*Packet, *sentProbe) {
	b.begin(v)
	b.n = 0
	f := &b.frames[0]
	if !put(f, raw) {
		return nil, nil
	}
	p := b.originate(f, raw[0]>>4, v.anyInterface())
	if p == nil {
		return nil, nil
	}
	p.stack = fromOwnStack
	s := newSentProbe(p)
	if v.martianDestination(p.Dst) {
		p.drop(verdict.MartianDestination)
	}
	b.work = append(b.work[:0], p)
	b.through(outbound, v, now)
	if p.Verdict == verdict.None && v.Interface(p.Out) == nil {
		p.drop(verdict.InterfaceDown) // for the router itself, which ProbeDestination excludes
	}
	b.work = append(b.work[:0], p)
	b.through(leave, v, now)
	s.packet = slices.Clone(p.ip())
	s.fate = ProbeFate{Verdict: p.Verdict, Out: p.Out, MAC: p.mac, At: now}
	if out := v.Interface(p.Out); p.Hop != nil && out != nil {
		if s.fate.NextHop = p.Hop.Address; !s.fate.NextHop.IsValid() && out.LinkHeader > 0 {
			s.fate.NextHop = p.Dst
		}
	}
	return p, s
}

func (v *View) martianDestination(a netip.Addr) bool {
	if a.Is4() {
		return v.Martians.destination.has4(a, a.As4()[0])
	}
	return v.Martians.destination.has6(a, a.As16()[0])
}

func newSentProbe(p *Packet) *sentProbe {
	s := &sentProbe{family: p.Family, proto: p.Proto}
	if s.family == 4 {
		var q nat.Packet
		_ = rewrite.Parse(p.ip4(), &q) // it was made whole
		s.key = q.Key
	} else {
		var t tracking
		p.parse6(&t)
		s.key, s.wide = t.key, t.wide
	}
	upper := p.ip()[p.l4:]
	switch p.Proto {
	case packet.ProtoTCP:
		s.seq = packet.TCP(upper).Seq()
	case packet.ProtoICMP, packet.ProtoICMPv6:
		s.seq = uint32(binary.BigEndian.Uint16(upper[6:]))
	}
	return s
}

func (l *Probes) list(s *sentProbe) {
	l.change(func(list []*sentProbe) []*sentProbe { return append(list, s) })
}

func (l *Probes) forget(s *sentProbe) {
	l.change(func(list []*sentProbe) []*sentProbe {
		return slices.DeleteFunc(list, func(o *sentProbe) bool { return o == s })
	})
}

func (l *Probes) change(edit func([]*sentProbe) []*sentProbe) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*sentProbe
	if was := l.live.Load(); was != nil {
		list = slices.Clone(*was)
	}
	if list = edit(list); len(list) == 0 {
		l.live.Store(nil)
		return
	}
	l.live.Store(&list)
}

func (l *Probes) load() []*sentProbe {
	if l == nil {
		return nil
	}
	if list := l.live.Load(); list != nil {
		return *list
	}
	return nil
}

// ended tells the watcher of a probe that waited for its next hop how that ended.
func (l *Probes) ended(h *Held, v verdict.Verdict, mac arp.MAC, now time.Time) {
	if v == verdict.Forwarded {
		v = verdict.Originated // the neighbour machine does not know whose it is
	}
	for _, s := range l.load() {
		if slices.Equal(s.packet, h.Packet) {
			f := s.fate
			f.Verdict, f.Out, f.MAC, f.At = v, h.Out, mac, now
			s.watcher.ProbeEnded(f)
		}
	}
}

// toProbe has the packet p, which is for the router, end as the answer to a probe, and
// reports whether it is one.
func (p *Packet) toProbe(v *View, b *Batch, f *port.Frame) bool {
	list := v.Probes.load()
	if len(list) == 0 || b.dry || p.l4 > len(p.ip()) {
		return false
	}
	for _, s := range list {
		if !s.answeredBy(p) {
			continue
		}
		completeChecksum(f)
		if !p.soundTransport() {
			return false
		}
		s.watcher.ProbeAnswered(&Received{In: p.In, Packet: p.ip(), Protocol: p.Proto, Transport: p.l4, At: b.now})
		p.drop(verdict.ProbeAnswered)
		return true
	}
	return false
}

// answeredBy reports whether p answers the probe. A segment does only if it
// acknowledges the SYN (RFC 9293 §3.10.7.3), so that none of a connection is taken.
func (s *sentProbe) answeredBy(p *Packet) bool {
	if p.Family != s.family {
		return false
	}
	var key, inner flow.Key
	var isError bool
	if p.Family == 4 {
		var q nat.Packet
		if rewrite.Parse(p.ip4(), &q) != nil {
			return false
		}
		key, inner, isError = q.Key, q.Inner, q.Error
		if isError && q.Key.Dst != s.key.Src {
			return false
		}
	} else {
		var t tracking
		if p.parse6(&t); t.unread {
			return false
		}
		key, inner, isError = t.key, t.inner, t.error
		if isError && t.quoted != s.wide || !isError && t.wide.Reverse() != s.wide {
			return false
		}
	}
	if isError {
		return inner == s.key
	}
	if key.Reverse() != s.key {
		return false
	}
	upper := p.ip()[p.l4:]
	switch p.Proto {
	case packet.ProtoTCP:
		t := packet.TCP(upper)
		return t.Flags()&packet.TCPAck != 0 && t.Flags()&(packet.TCPSyn|packet.TCPRst) != 0 && t.Ack() == s.seq+1
	case packet.ProtoUDP:
		return true
	case packet.ProtoICMP:
		return upper[0] == icmp.EchoReply && uint32(binary.BigEndian.Uint16(upper[6:])) == s.seq
	case packet.ProtoICMPv6:
		return upper[0] == icmp.EchoReply6Type && uint32(binary.BigEndian.Uint16(upper[6:])) == s.seq
	}
	return false
}

// soundTransport checks the checksum of a datagram or segment; ICMP's was checked before.
func (p *Packet) soundTransport() bool {
	switch p.Proto {
	case packet.ProtoUDP:
		return p.soundDatagram()
	case packet.ProtoTCP:
		t := p.ip()[p.l4:]
		return packet.Sum(t, p.pseudoSum(len(t))) == 0xffff
	}
	return true
}

// ResetFor makes the packet that resets the connection of the TCP segment in a whole IP
// packet, whose TCP header is at transport; nil if it takes none.
func ResetFor(raw []byte, transport int) []byte {
	b := make([]byte, packet.IPv6Header+packet.TCPMinHeader)
	n := resetFor(b, raw, transport)
	if n == 0 {
		return nil
	}
	return b[:n]
}
