package router

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/protocol"
)

// newHearing is a protocol that expects those senders, and does not run.
func newHearing(t *testing.T, expected ...protocol.Expect) *Protocol {
	t.Helper()
	r := New(rand.NewPCG(1, 2), Kind{Name: "caller", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core { return &caller{} }})
	p := r.Protocol("caller")
	var effects say
	for _, e := range expected {
		effects = append(effects, e)
	}
	p.Step(now, effects)
	return p
}

// hears gives the protocol a packet of OSPF.
func hears(p *Protocol, link routing.InterfaceID, src netip.Addr, hops uint8, size int, at time.Time) verdict.Verdict {
	d := datagram{
		Src: netip.AddrPortFrom(src, 0), Dst: netip.MustParseAddrPort("224.0.0.5:0"), Protocol: 89, Hops: hops, Payload: make([]byte, size),
	}
	return p.Receive(&dataplane.Received{In: link, Packet: d.append(nil), Protocol: 89, Transport: packet.IPv4MinHeader, At: at})
}

// drain empties the inbox, as the core's goroutine does.
func drain(p *Protocol) { p.Inbox.Poll(p, now) }

func forger(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)}) }

// However many packets of whomever arrive, those of neighbours that the core
// expects find room, and so do the router's own inputs.
func TestForgeriesLeaveNeighborsTheirRoom(t *testing.T) {
	near, far, wire := netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("10.0.3.77")
	p := newHearing(t,
		protocol.Expect{Link: 1, Source: near, HopLimit: 255},
		protocol.Expect{Link: routing.NoInterface, Source: far, HopLimit: 200},
		protocol.Expect{Link: 3, HopLimit: 255},
	)
	fates := map[verdict.Verdict]int{}
	for n := range 100_000 {
		switch n % 4 {
		case 0:
			fates[hears(p, 1, forger(n), 255, 44, now)]++
		case 1:
			fates[hears(p, 1, near, 254, 44, now)]++ // it came from afar
		case 2:
			fates[hears(p, 2, near, 255, 44, now)]++ // by another link
		case 3:
			fates[hears(p, 3, wire, 254, 44, now)]++
		}
	}
	if taken := fates[verdict.HandedToProtocol]; taken != strangerPlaces || fates[verdict.ProtocolThrottled] != 100_000-taken {
		t.Errorf("100,000 packets of strangers ended as %v, want %d taken and the rest throttled", fates, strangerPlaces)
	}
	for range 100 {
		for _, got := range []verdict.Verdict{hears(p, 1, near, 255, 44, now), hears(p, 2, far, 201, 44, now), hears(p, 3, wire, 255, 44, now)} {
			if got != verdict.HandedToProtocol {
				t.Fatalf("a neighbour's packet ended as %v behind forgeries, want it taken", got)
			}
		}
	}
	drain(p)
	if got := hears(p, 1, forger(1), 255, 44, now); got != verdict.ProtocolThrottled {
		t.Errorf("a stranger's packet in the same moment ended as %v, want it throttled", got)
	}
	later := now.Add(time.Second)
	taken := 0
	for range 10 * strangerRate {
		if hears(p, 1, forger(1), 255, 44, later) == verdict.HandedToProtocol {
			taken++
			drain(p)
		}
	}
	if taken != strangerPlaces {
		t.Errorf("a second later %d packets of strangers are taken, want the burst of %d", taken, strangerPlaces)
	}
}

// A neighbour that floods, or whose address is forged, takes no more than is left
// free, and the other neighbours as much as it does.
func TestFloodOfANeighborLeavesOthersTheirRoom(t *testing.T) {
	var expected []protocol.Expect
	for n := range 8 {
		expected = append(expected, protocol.Expect{Link: 1, Source: forger(n)})
	}
	p := newHearing(t, expected...)
	for n := range 8 {
		taken := 0
		for range 2 * protocolInboxSize {
			if hears(p, 1, forger(n), 1, 44, now) == verdict.HandedToProtocol {
				taken++
			}
		}
		if least := int(p.admission.places) >> (n + 1); taken < least {
			t.Errorf("neighbour %d has %d places, want at least %d", n, taken, least)
		}
	}
	if !p.Inbox.Offer(takePending{}) {
		t.Error("the inbox has no room for an input of the router's own")
	}
	drain(p)
	if n, octets := p.admission.taken.Load(), p.admission.octets.Load(); n != 0 || octets != 0 {
		t.Errorf("%d packets with %d octets are held to wait in an empty inbox", n, octets)
	}
}

// Where nobody is expected, as with RIP, one sender may send a large table at
// once, many share what there is, and large packets are bounded by their octets.
func TestSendersShareAnInboxThatExpectsNobody(t *testing.T) {
	p := newHearing(t)
	for n := range 3000 {
		if got := hears(p, 1, forger(0), 1, 504, now); got != verdict.HandedToProtocol {
			t.Fatalf("packet %d of a sender ended as %v, want it taken", n, got)
		}
	}
	for range protocolInboxSize {
		hears(p, 1, forger(0), 1, 504, now)
	}
	if got := hears(p, 1, forger(1), 1, 504, now); got != verdict.HandedToProtocol {
		t.Errorf("another sender's packet ended as %v, want it taken", got)
	}
	drain(p)
	octets := 0
	for hears(p, 1, forger(2), 1, 60_000, now) == verdict.HandedToProtocol {
		octets += 60_000
	}
	if octets > packetOctets || octets < packetOctets-60_000 {
		t.Errorf("packets with %d octets wait, want up to %d", octets, packetOctets)
	}
}

// A sender that is expected no longer is a stranger; one that still is keeps its
// share; and one that is expected twice is taken by the lower hop count.
func TestExpectationsChange(t *testing.T) {
	a, b := forger(1), forger(2)
	p := newHearing(t, protocol.Expect{Link: 1, Source: a, HopLimit: 255}, protocol.Expect{Link: 1, Source: b, HopLimit: 255})
	share := func(of netip.Addr, hops uint8) *share { return find(p.admission.known.Load(), source{1, of}, hops) }
	first := share(a, 255)
	p.Step(now, say{protocol.Unexpect{Link: 1, Source: b, HopLimit: 255}, protocol.Expect{Link: 1, Source: a, HopLimit: 250}})
	if share(b, 255) != nil || share(a, 249) != nil || share(a, 250) == nil {
		t.Error("wanted b a stranger, and a expected with a TTL from 250 on")
	}
	p.Step(now, say{protocol.Unexpect{Link: 1, Source: a, HopLimit: 250}, protocol.Expect{Link: 7, Source: b}})
	if share(a, 254) != nil || share(a, 255) == nil {
		t.Error("wanted a expected with a TTL of 255 alone")
	}
	second := share(a, 255)
	p.Step(now, say{protocol.Unexpect{Link: 7, Source: b}})
	if first == nil || share(a, 255) != second {
		t.Error("the share of a is another though nothing changed about it")
	}
}

// Workers ask at once, while the core changes whom it expects.
func TestAdmissionFromManyWorkers(t *testing.T) {
	p := newHearing(t, protocol.Expect{Link: 1, Source: forger(0)})
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for n := range 2000 {
				hears(p, 1, forger(n%(w+2)), 1, 44, now)
			}
		})
	}
	for n := range 200 {
		p.Step(now, say{protocol.Expect{Link: 1, Source: forger(n % 5)}, protocol.Unexpect{Link: 1, Source: forger((n + 2) % 5)}})
		drain(p)
	}
	workers.Wait()
	drain(p)
	a := p.admission
	if got := fmt.Sprint(a.taken.Load(), a.octets.Load(), a.strangers.Load()); got != "0 0 0" {
		t.Errorf("an empty inbox is held to have packets, octets, packets of strangers: %s", got)
	}
}
