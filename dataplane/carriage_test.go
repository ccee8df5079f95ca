package dataplane

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// eth1 is a second Ethernet interface, 10.0.6.1/24 and 2001:db8:6::1/64, with h6
// at 10.0.6.2. The kernel may carry between it and eth0.
const eth1 = eth0 + 1

var macH6 = arp.MAC{2, 0, 0, 0, 0, 6}

// offered keeps what is offered.
type offered struct{ list []Offer }

func (o *offered) Offer(list []Offer) { o.list = append(o.list, list...) }

// newCarriers is newEthernet with eth1. A flow is offered from its third frame
// or 4,000 bytes on.
func newCarriers(tb testing.TB) (*network, *offered) {
	n, _, _ := newEthernet(tb)
	p := memory.New("eth1", 1500, memory.WithLinkHeader(arp.EthernetHeader))
	tb.Cleanup(func() { p.Close() })
	n.ports[eth1] = p
	n.view.Interfaces = append(n.view.Interfaces, &Interface{
		ID: eth1, Name: "eth1", Kind: KindPacket, MTU: 1500, Up: true,
		Output: p.Queues()[0], Offloads: port.OffloadAll, LinkHeader: arp.EthernetHeader, MAC: macRouter,
		Addresses: []netip.Prefix{prefix("10.0.6.1/24"), prefix("2001:db8:6::1/64"), prefix("fe80::6:1/64")},
	})
	n.view.Own = NewOwnAddresses(n.view.Interfaces)
	n.routes()
	for _, a := range []string{"10.0.6.2", "2001:db8:6::2"} {
		n.view.Neighbors.Apply(arp.Publish{Entry: &arp.Entry{Interface: eth1, State: arp.Reachable, MAC: macH6, Addr: addr(a)}})
	}
	for i, id := range []routing.InterfaceID{eth0, eth1} {
		n.view.Interface(id).Carried = &Carried{Device: 10 + i, Frames: 3, Bytes: 4000}
	}
	o := &offered{}
	n.view.Offers = o
	return n, o
}

// offerOf is what is offered of the flow of raw, which came in by in.
func offerOf(raw []byte, in routing.InterfaceID) *Offer {
	p := Packet{Frame: &port.Frame{Buf: raw, End: len(raw)}, In: in, l4: packet.IPv4MinHeader, Proto: raw[9], carried: 1}
	if raw[0]>>4 == 6 {
		p.l4, p.Proto = packet.IPv6Header, raw[6]
		p.Src, p.Dst = packet.IPv6(raw).Src(), packet.IPv6(raw).Dst()
	} else {
		p.Src, p.Dst = packet.IPv4(raw).Src(), packet.IPv4(raw).Dst()
	}
	var o Offer
	p.offer(&o)
	return &o
}

func TestDecidePlain(t *testing.T) {
	n, _ := newCarriers(t)
	for _, text := range []string{
		"udp 10.0.5.2:4000 > 10.0.6.2:5000", "tcp 10.0.5.2:4000 > 10.0.6.2:5000",
		"udp [2001:db8:5::2]:4000 > [2001:db8:6::2]:5000", "tcp [2001:db8:5::2]:4000 > [2001:db8:6::2]:5000",
	} {
		t.Run(text, func(t *testing.T) {
			o := offerOf(segment(t, text, packet.TCPAck), eth0)
			c, why := new(Decider).Decide(n.view, o, testNow)
			if why != Carriable {
				t.Fatalf("it %s", why.Sentence(&c))
			}
			if c.In != n.view.Interface(eth0) || c.Out != n.view.Interface(eth1) || c.Proto != o.Proto {
				t.Errorf("from %s to %s, protocol %d; want eth0, eth1, %d", c.In.Name, c.Out.Name, c.Proto, o.Proto)
			}
			if c.Src != o.Src || c.Dst != o.Dst || c.NewSrc != o.Src || c.NewDst != o.Dst || !strings.HasSuffix(text, c.Dst.String()) {
				t.Errorf("from %s to %s, leaving from %s to %s; want %s", c.Src, c.Dst, c.NewSrc, c.NewDst, text)
			}
			if c.MAC != macH6 || c.Target != c.Dst.Addr() || c.Neighbor == nil || c.Neighbor.MAC != macH6 {
				t.Errorf("the neighbour is %s at %s, want %s at %s", c.Target, c.MAC, c.Dst.Addr(), macH6)
			}
			if c.Way == nil || c.Hop == nil || c.Hop.Interface != eth1 || c.Source != nil || c.Sessions != nil {
				t.Errorf("by way %v, hop %v, source %v, with sessions %t; want a way and a hop alone", c.Way, c.Hop, c.Source, c.Sessions != nil)
			}
		})
	}
}

// With uRPF the way to the source is part of it, and by a gateway its neighbour.
func TestDecideSourceAndGateway(t *testing.T) {
	n, _ := newCarriers(t)
	n.view.Interface(eth1).URPF = URPFStrict
	c, why := new(Decider).Decide(n.view, offerOf(segment(t, "udp 10.0.6.2:4000 > 10.50.0.1:5000", 0), eth1), testNow)
	if why != Carriable {
		t.Fatalf("it %s", why.Sentence(&c))
	}
	if c.Source == nil || c.Target != addr("10.0.5.254") || c.MAC != macGateway {
		t.Errorf("source %v, by %s at %s; want a way, 10.0.5.254 at %s", c.Source, c.Target, c.MAC, macGateway)
	}
	n.view.Interface(eth1).URPF = URPFLoose
	if c, why := new(Decider).Decide(n.view, offerOf(segment(t, "udp 10.66.6.2:4000 > 10.50.0.1:5000", 0), eth1), testNow); why != UncarriedFate {
		t.Errorf("one from nowhere: %s, want %s", why, UncarriedFate)
		t.Log(why.Sentence(&c))
	}
}

// TestUncarried gives a packet for each reason, and the sentence for users.
func TestUncarried(t *testing.T) {
	n, _ := newCarriers(t)
	n.view.Interface(eth1).MTU = 1400
	optional := segment(t, "udp 10.0.5.2:4000 > 10.0.6.2:5000", 0)
	optional = slices.Insert(optional, packet.IPv4MinHeader, 1, 1, 1, 0)
	optional[0] = 0x46
	fragment := segment(t, "udp 10.0.5.2:4000 > 10.0.6.2:5000", 0)
	packet.IPv4(fragment).SetFragment(false, true, 0)
	extended := segment(t, "udp [2001:db8:5::2]:4000 > [2001:db8:6::2]:5000", 0)
	extended[6] = packet.ProtoHopByHop
	udp := func(text string) []byte { return segment(t, text, 0) }
	for _, tt := range []struct {
		name     string
		in       routing.InterfaceID
		raw      []byte
		why      Uncarried
		sentence string
	}{
		{"ping", eth0, segment(t, "icmp 10.0.5.2:7 > 10.0.6.2:0", 0), UncarriedProtocol, "is neither TCP nor UDP"},
		{"nothing", eth0, nil, UncarriedProtocol, "is neither TCP nor UDP"},
		{"options", eth0, optional, UncarriedOptions, "has options or extension headers"},
		{"extension headers", eth0, extended, UncarriedOptions, "has options or extension headers"},
		{"fragment", eth0, fragment, UncarriedFragment, "is a fragment"},
		{"SYN", eth0, segment(t, "tcp 10.0.5.2:4000 > 10.0.6.2:5000", packet.TCPSyn), UncarriedSegment, "begins or ends a connection"},
		{"FIN", eth0, segment(t, "tcp 10.0.5.2:4000 > 10.0.6.2:5000", packet.TCPFin|packet.TCPAck), UncarriedSegment, "begins or ends a connection"},
		{"no route", eth0, udp("udp 10.0.5.2:4000 > 203.0.113.7:5000"), UncarriedFate, "is not forwarded"},
		{"for the router", eth0, udp("udp 10.0.5.2:4000 > 10.0.6.1:5000"), UncarriedFate, "is not forwarded"},
		{"unresolved", eth0, udp("udp 10.0.5.2:4000 > 10.0.6.3:5000"), UncarriedNeighbor, "waits for the link-layer address of its next hop"},
		{"too big", eth0, probe(t, "udp 10.0.5.2:4000 > 10.0.6.2:5000", 1450), UncarriedSize, "is larger than the MTU of eth1"},
		{"from a TUN", lan0, udp("udp 10.0.1.2:4000 > 10.0.6.2:5000"), UncarriedIn, "comes in by lan0, a TUN: the kernel carries between Ethernet devices alone"},
		{"to a TUN", eth0, udp("udp 10.0.5.2:4000 > 10.0.2.2:5000"), UncarriedOut, "leaves by lan1, a TUN: the kernel carries between Ethernet devices alone"},
		{"back", eth1, udp("udp 10.0.6.9:4000 > 10.0.6.2:5000"), UncarriedHairpin, "leaves by eth1, which it came in by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, why := new(Decider).DecidePacket(n.view, tt.in, tt.raw, testNow)
			if why != tt.why || why.Sentence(&c) != tt.sentence {
				t.Errorf("%s: it %s; want %s: it %s", why, why.Sentence(&c), tt.why, tt.sentence)
			}
		})
	}
	n.view.Interface(eth1).Carried = nil
	c, why := new(Decider).DecidePacket(n.view, eth0, udp("udp 10.0.5.2:4000 > 10.0.6.2:5000"), testNow)
	if want := "leaves by eth1, whose device has no flow cache"; why != UncarriedOut || why.Sentence(&c) != want {
		t.Errorf("%s: it %s; want %s: it %s", why, why.Sentence(&c), UncarriedOut, want)
	}
	for u := range NumUncarried {
		if u.String() == "" || u.Sentence(&Carriage{}) == "" {
			t.Errorf("reason %d is %q: it %q; want words", u, u, u.Sentence(&Carriage{}))
		}
	}
}

// A flow with a session is carried when that is open, by the addresses that its
// session gives it, and each direction by its own.
func TestDecideTranslated(t *testing.T) {
	n, _ := newCarriers(t)
	n.translate(t, nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"eth1"}}}}})
	d := new(Decider)
	const text = "tcp 10.0.5.2:4000 > 10.0.6.2:5000"
	decide := func(text string, in routing.InterfaceID) (Carriage, Uncarried) {
		return d.DecidePacket(n.view, in, segment(t, text, packet.TCPAck), testNow)
	}
	if c, why := decide(text, eth0); why != UncarriedNew {
		t.Errorf("before its session: it %s, want that it %s", why.Sentence(&c), UncarriedNew.Sentence(&c))
	}
	if got := n.view.NAT.Sessions().Len(); got != 0 {
		t.Fatalf("%d sessions were made by asking, want none", got)
	}
	send := func(in routing.InterfaceID, text string, flags uint8) string {
		s := segment(t, text, flags)
		if flags != packet.TCPSyn {
			binary.BigEndian.PutUint32(s[packet.IPv4MinHeader+8:], 1) // acknowledges the other side's SYN
		}
		if flags == packet.TCPAck {
			packet.TCP(s[packet.IPv4MinHeader:]).SetSeq(1)
		}
		b := n.run(t, in, raw(append(n.view.Interface(in).frameFor(s), s...)))
		if v := b.Packets()[0].Verdict; v != verdict.Forwarded {
			t.Fatalf("%s: %s, want it forwarded", text, v)
		}
		sent := n.ports[b.Packets()[0].Out].Take()
		return ends(sent[len(sent)-1].Data[arp.EthernetHeader:])
	}
	out := send(eth0, text, packet.TCPSyn)
	if c, why := decide(text, eth0); why != UncarriedNotOpen {
		t.Errorf("behind the SYN: it %s, want that it %s", why.Sentence(&c), UncarriedNotOpen.Sentence(&c))
	}
	src, dst, _ := strings.Cut(strings.TrimPrefix(out, "tcp "), " > ")
	back := "tcp " + dst + " > " + src
	send(eth1, back, packet.TCPSyn|packet.TCPAck)
	send(eth0, text, packet.TCPAck)
	before, _ := n.view.NAT.Sessions().Session(1)
	c, why := decide(text, eth0)
	if why != Carriable {
		t.Fatalf("open: it %s", why.Sentence(&c))
	}
	if got := "tcp " + c.NewSrc.String() + " > " + c.NewDst.String(); got != out || c.Src.String() != "10.0.5.2:4000" || c.Sessions != n.view.NAT.Sessions() || c.Hit.Session != 1 || c.Hit.Direction != 0 {
		t.Errorf("it leaves as %s, session %+v; want %s, session 1 forward", got, c.Hit, out)
	}
	c, why = decide(back, eth1)
	if why != Carriable || c.NewDst.String() != "10.0.5.2:4000" || c.NewSrc != c.Src || c.Hit.Session != 1 || c.Hit.Direction != 1 {
		t.Errorf("the replies: it %s, to %s, session %+v; want it carried to 10.0.5.2:4000, session 1 reply", why.Sentence(&c), c.NewDst, c.Hit)
	}
	if after, _ := n.view.NAT.Sessions().Session(1); after != before {
		t.Errorf("asking changed the session from %+v to %+v", before, after)
	}
	if c, why := decide("tcp 10.0.6.2:4000 > 10.0.5.2:5000", eth1); why != UncarriedUntracked {
		t.Errorf("a flow that no rule is for: it %s, want that it %s", why.Sentence(&c), UncarriedUntracked.Sentence(&c))
	}
}

// Nobody hears of a stale neighbour from a packet that is not sent.
func TestDryRunsUseNoNeighbor(t *testing.T) {
	n, _ := newCarriers(t)
	e := &arp.Entry{Interface: eth1, State: arp.Stale, MAC: macH6, Addr: addr("10.0.6.2")}
	n.view.Neighbors.Apply(arp.Publish{Entry: e})
	asked := segment(t, "udp 10.0.5.2:4000 > 10.0.6.2:5000", 0)
	Explain(n.view, eth0, asked, testNow)
	new(Decider).DecidePacket(n.view, eth0, asked, testNow)
	if !e.Use() {
		t.Error("the entry counts as used, so the neighbour would never be verified")
	}
}

// A worker offers a flow once in each interval, when it has reached the measure,
// with the addresses that it came with.
func TestOffers(t *testing.T) {
	n, o := newCarriers(t)
	n.translate(t, nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"eth1"}}}}})
	var live Live
	live.Publish(n.view)
	w := NewWorker(&live, eth0, 0, BatchSize, n.ports[eth0].Queues()[0], &clerk{room: 10})
	handle := func(at time.Time, frames ...memory.Packet) []Offer {
		t.Helper()
		w.batch.grow(BatchSize)
		fill(w.batch, eth0, frames...)
		o.list = nil
		w.Handle(len(frames), at)
		return o.list
	}
	one := func(host byte, size int) memory.Packet {
		p := udp4("10.0.6.2")
		p.Src, p.Size = netip.AddrFrom4([4]byte{10, 0, 5, host}), size
		return framed(macRouter, macH5, arp.EtherTypeIPv4, build(t, p))
	}
	at := testNow.Truncate(OfferInterval)
	if got := handle(at, one(2, 100), one(3, 100), one(2, 100)); len(got) != 0 {
		t.Errorf("two frames: %d offers, want none", len(got))
	}
	got := handle(at.Add(time.Millisecond), one(2, 100), one(2, 100))
	want := Offer{
		In: eth0, Proto: packet.ProtoUDP, Src: netip.MustParseAddrPort("10.0.5.2:4000"), Dst: netip.MustParseAddrPort("10.0.6.2:5000"),
		Length: 100, Now: Usage{Frames: 3, Bytes: 300, Runs: 2},
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("four frames, the first of which made the session: offered %+v, want %+v", got, want)
	}
	if got := handle(at.Add(2*time.Millisecond), one(2, 100), one(2, 100), one(2, 100)); len(got) != 0 {
		t.Errorf("seven frames: offered again: %+v", got)
	}
	got = handle(at.Add(OfferInterval), one(2, 100), one(2, 100), one(2, 100), one(3, 1400), one(3, 1400), one(3, 1400))
	if len(got) != 2 || got[0].Now != (Usage{3, 300, 1}) || got[0].Before != (Usage{6, 600, 3}) || got[1].Now != (Usage{3, 4200, 1}) {
		t.Errorf("in the next interval: %+v, want both flows, the first with what it had", got)
	}
	if got := handle(at.Add(3*OfferInterval), one(2, 100)); len(got) != 0 {
		t.Errorf("after a pause: %+v, want nothing", got)
	}
	n.view.Interface(eth0).Carried.Again = true
	at = at.Add(30 * time.Second)
	if got := handle(at, one(2, 100)); len(got) != 0 {
		t.Errorf("long after: %+v, want nothing", got)
	}
	if got := handle(at.Add(700*time.Millisecond), one(2, 100)); len(got) != 1 || got[0].Now != (Usage{1, 100, 1}) {
		t.Errorf("a second frame: offered %+v, want it", got)
	}
	if got := handle(at.Add(800*time.Millisecond), one(2, 100)); len(got) != 0 {
		t.Errorf("a third frame: offered %+v, want nothing", got)
	}
	n.view.Interface(eth1).Carried = nil
	if got := handle(at.Add(4*time.Second), one(2, 1400), one(2, 1400), one(2, 1400), one(2, 1400)); len(got) != 0 {
		t.Errorf("out by an interface that is not carried: %+v, want nothing", got)
	}
}

// What the stages have to see, and super-packets.
func TestOffersOf(t *testing.T) {
	n, o := newCarriers(t)
	n.view.Interface(eth0).Carried.Frames = 1
	var live Live
	live.Publish(n.view)
	w := NewWorker(&live, eth0, 0, BatchSize, n.ports[eth0].Queues()[0], &clerk{room: 10})
	frame := func(text string, flags uint8) memory.Packet {
		et := uint16(arp.EtherTypeIPv4)
		if strings.Contains(text, "[") {
			et = arp.EtherTypeIPv6
		}
		return framed(macRouter, macH5, et, segment(t, text, flags))
	}
	big, _ := super(t, packet.ProtoTCP, false, 3, 1000, 1000)
	big.Data = append(n.view.Interface(eth0).frameFor(big.Data), big.Data...)
	big.Offload.ChecksumStart += arp.EthernetHeader
	n.forward("10.0.2.0/24", routing.SourceStatic, hopVia("10.0.6.2", eth1))
	for _, tt := range []struct {
		name    string
		frame   memory.Packet
		want    int
		segment int
	}{
		{"UDP", frame("udp 10.0.5.2:4000 > 10.0.6.2:5000", 0), 1, 0},
		{"UDP over IPv6", frame("udp [2001:db8:5::2]:4000 > [2001:db8:6::2]:5000", 0), 1, 0},
		{"a segment", frame("tcp 10.0.5.2:4000 > 10.0.6.2:5000", packet.TCPAck), 1, 0},
		{"a super-packet", big, 1, 1000},
		{"SYN", frame("tcp 10.0.5.2:4001 > 10.0.6.2:5000", packet.TCPSyn), 0, 0},
		{"FIN", frame("tcp 10.0.5.2:4001 > 10.0.6.2:5000", packet.TCPAck|packet.TCPFin), 0, 0},
		{"RST", frame("tcp 10.0.5.2:4001 > 10.0.6.2:5000", packet.TCPAck|packet.TCPRst), 0, 0},
		{"ping", frame("icmp 10.0.5.2:7 > 10.0.6.2:0", 0), 0, 0},
		{"to a TUN", frame("udp 10.0.5.2:4000 > 10.0.4.2:5000", 0), 0, 0},
		{"back", frame("udp 10.0.5.9:4000 > 10.0.5.2:5000", 0), 0, 0},
		{"unresolved", frame("udp 10.0.5.2:4000 > 10.0.6.9:5000", 0), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o.list = nil
			fill(w.batch, eth0, tt.frame)
			w.Handle(1, testNow)
			if len(o.list) != tt.want {
				t.Fatalf("%s: offered %+v, want %d offers", w.batch.Packets()[0].Verdict, o.list, tt.want)
			}
			if tt.want == 1 && (o.list[0].Segment != tt.segment || o.list[0].Length != len(tt.frame.Data)-arp.EthernetHeader) {
				t.Errorf("offered with %d bytes in segments of %d, want %d and %d", o.list[0].Length, o.list[0].Segment, len(tt.frame.Data)-arp.EthernetHeader, tt.segment)
			}
			for i := range o.list {
				if c, why := new(Decider).Decide(n.view, &o.list[i], testNow); why != Carriable {
					t.Errorf("offered, and it %s", why.Sentence(&c))
				}
			}
		})
	}
}

// A translated packet of a tunnel whose inner checksum is partial is left to the
// stages; packets with partial checksums of their own are not, chained or alone.
func TestOffersOfPartialSums(t *testing.T) {
	n, o := newCarriers(t)
	n.view.Interface(eth0).Carried.Frames = 1
	n.translate(t, nat.Config{Source: []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"eth1"}}}}})
	var live Live
	live.Publish(n.view)
	w := NewWorker(&live, eth0, 0, BatchSize, n.ports[eth0].Queues()[0], &clerk{room: 10})
	w.batch.grow(BatchSize)
	frame := func(behind uint16) memory.Packet {
		f := fromH5(t, udp4("10.0.6.2"))
		f.Offload = port.Offload{NeedsChecksum: true, ChecksumStart: arp.EthernetHeader + packet.IPv4MinHeader + behind, ChecksumOffset: 6}
		return f
	}
	for _, tt := range []struct {
		name   string
		behind uint16
		frames int
		want   uint32
	}{{"its own", 0, 1, 1}, {"its own, chained", 0, 5, 5}, {"the inner packet's", 50, 2, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			fill(w.batch, eth0, frame(0))
			w.Handle(1, testNow) // makes the session
			w.watch = nil
			list := make([]memory.Packet, tt.frames)
			for i := range list {
				list[i] = frame(tt.behind)
			}
			fill(w.batch, eth0, list...)
			w.Handle(len(list), testNow)
			frames := uint32(0)
			for i := range w.watch.flows {
				frames += w.watch.flows[i].now.Frames
			}
			if frames != tt.want || len(o.list) == 0 != (tt.want == 0) {
				t.Errorf("%d of %d frames are counted, %d offers; want %d", frames, tt.frames, len(o.list), tt.want)
			}
			o.list = nil
		})
	}
}

// Of many flows that come in turn each is offered when it comes again within about a
// second, once in a second, and none that does not.
func TestOffersAgain(t *testing.T) {
	const flows = 5000
	var w watch
	times, hash := map[uint64]int{}, func(i int) uint64 { return mix(uint64(i)+1, 0x1234567) }
	round := func(from, to int, second uint32) (offers int) {
		for i := from; i < to; i++ {
			w.run++
			if w.again(hash(i), second) {
				times[hash(i)]++
				offers++
			}
		}
		return offers
	}
	if got := round(0, flows, 10); got != 0 {
		t.Errorf("the first packets of %d flows: %d offers, want none", flows, got)
	}
	// What was offered is carried, and comes no more.
	for i := 1; len(times) < flows; i++ {
		if i == 20 {
			t.Fatalf("behind %d rounds %d of %d flows are offered", i, len(times), flows)
		}
		for f := range flows {
			if times[hash(f)] == 0 {
				round(f, f+1, 10+uint32(i)/5)
			}
		}
	}
	for second := uint32(40); second < 400; second += 2 {
		if got := round(flows, 2*flows, second); got > 1 { // by chance one looks like another
			t.Fatalf("at second %d: %d of %d flows are offered that pause for two seconds, want none", second, got, flows)
		}
	}
	clear(times)
	for range 10 {
		round(0, 100, 1000)
	}
	for i := range 100 {
		if times[hash(i)] != 1 {
			t.Errorf("flow %d was offered %d times in a second, want once", i, times[hash(i)])
		}
	}
}
