package dataplane

import (
	"encoding/binary"
	"testing"
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/nat/rewrite"
	"routerd/routing"
)

// floodLimit is the most sessions that there may be in TestFilterSpoofedFlows.
const floodLimit = 4096

// TestFilterSpoofedFlows: hundreds of thousands of connections that never come
// about, each from another forged address, to a port that is open. A connection
// that existed loses no packet, the table stays within its limit, and a second
// after the flood another host's first packet finds room.
func TestFilterSpoofedFlows(t *testing.T) {
	flood := 1_000_000
	if testing.Short() || raceEnabled { // one goroutine does it all: the detector sees no more in more
		flood = 50_000
	}
	for family, other := range map[uint8]string{4: "tcp 10.0.2.9:4000 > 10.0.1.2:80", 6: "tcp [2001:db8:2::9]:4000 > [2001:db8:1::2]:80"} {
		n := newNetwork(t).filter(t, guard(), nat.Config{MaxSessions: floodLimit, MaxSessionsPerHost: 1000})
		n.view.Sessions6 = flow.NewWide(flow.Config{MaxSessions: floodLimit, MaxPerHost: 1000, FairShare: true, Key: siphash.Key{1, 2}})
		n.view.Interfaces[lan0].Output, n.view.Interfaces[lan1].Output = sink{}, sink{}
		b, now := NewBatch(BatchSize, &Counters{}, &DropRing{}), testNow
		send := func(in routing.InterfaceID, text string, flags uint8) verdict.Verdict {
			fill(b, in, raw(segment(t, text, flags)))
			Process(n.view, b, now)
			b.Transmit(now)
			return b.Packets()[0].Verdict
		}
		four, six := both(leg{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:443", flagAck, 0}, leg{lan1, "tcp 10.0.2.2:443 > 10.0.1.2:4000", flagAck, 0})
		legs := map[uint8][]leg{4: four, 6: six}[family]
		send(lan0, legs[0].text, flagSyn)
		send(lan1, legs[1].text, flagSynAck)
		syn := raw(segment(t, other, flagSyn))
		for sent := 0; sent < flood; sent += BatchSize {
			for i := range BatchSize {
				fill1(b, i, syn.Data, family, uint32(sent+i))
			}
			b.Received(BatchSize, lan1)
			Process(n.view, b, now)
			b.Transmit(now)
			if now = now.Add(time.Millisecond); sent%(BatchSize*64) != 0 {
				continue
			}
			for _, l := range legs {
				if got := send(l.in, l.text, l.flags); got != verdict.Forwarded {
					t.Fatalf("IPv%d, after %d forged packets: %s, of a connection that exists: %s", family, sent+BatchSize, l.text, got)
				}
			}
		}
		sessions := map[uint8]int{4: n.view.NAT.Sessions().Len(), 6: n.view.Sessions6.Len()}[family]
		if sessions > floodLimit || sessions < floodLimit/2 {
			t.Errorf("IPv%d: %d sessions, want them near the limit of %d and not above", family, sessions, floodLimit)
		}
		now = now.Add(flow.Patience + time.Millisecond)
		for _, dry := range []bool{true, false} {
			if dry {
				if got := Explain(n.view, lan1, segment(t, other, flagSyn), now).Verdict; got != verdict.Forwarded {
					t.Errorf("IPv%d: a host's first packet after the flood would be: %s", family, got)
				}
			} else if got := send(lan1, other, flagSyn); got != verdict.Forwarded {
				t.Errorf("IPv%d: a host's first packet after the flood: %s", family, got)
			}
		}
	}
}

// fill1 makes frame i a copy of a packet with a source of its own.
func fill1(b *Batch, i int, data []byte, family uint8, source uint32) {
	f := &b.Frames()[i]
	f.Reset()
	f.End = f.Start + copy(f.Buf[f.Start:], data)
	ip := f.Buf[f.Start:f.End]
	if family == 6 {
		binary.BigEndian.PutUint32(ip[16:], 0xbad)
		binary.BigEndian.PutUint32(ip[20:], source)
		return
	}
	rewrite.Source(ip, &flow.Key{Src: 11<<24 + source, SrcPort: 4000, Proto: packet.ProtoTCP}, false)
}

// TestFilterWithoutRoom: where no session of IPv6 can be made, the first packet of
// a flow is refused, and explain says so beforehand.
func TestFilterWithoutRoom(t *testing.T) {
	for want, limits := range map[verdict.Verdict]flow.Config{
		verdict.NATSessionLimit: {MaxSessions: 1}, verdict.NATHostLimit: {MaxSessions: 100, MaxPerHost: 1},
	} {
		n := newNetwork(t).filter(t, acl.Config{Lists: []acl.List{{Name: "x"}}, Interfaces: []acl.Binding{{Interface: "lan1", In: "x"}}}, nat.Config{})
		n.view.Sessions6 = flow.NewWide(limits)
		n.walk(t, []leg{{lan1, "udp [2001:db8:2::2]:1 > [2001:db8:1::2]:1", 0, verdict.Forwarded}})
		second := "udp [2001:db8:2::2]:1 > [2001:db8:1::2]:2"
		if got := Explain(n.view, lan1, segment(t, second, 0), testNow).Verdict; got != want {
			t.Errorf("explained as %s, want %s", got, want)
		}
		n.walk(t, []leg{{lan1, second, 0, want}, {lan0, "udp [2001:db8:1::2]:1 > [2001:db8:2::2]:1", 0, verdict.Forwarded}})
	}
}
