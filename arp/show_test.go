package arp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/routing"
)

func TestWalk(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Static = []StaticNeighbor{{netip.MustParseAddr("192.0.2.5"), newMAC}}
	})
	six.bring(b, Stale)
	b.pass(time.Minute)
	b.step(Resolve{Interface: eth0, Addr: peer4, Index: 2, Packet: []byte("a")})
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: []byte("b")})
	var got []Neighbor
	for n := range walk(b.m, b.now.Add(500*time.Millisecond)) {
		got = append(got, n)
	}
	got[0].Age = 0 // as old as the interface
	want := []Neighbor{
		{Interface: eth0, Addr: netip.MustParseAddr("192.0.2.5"), State: Static, MAC: newMAC},
		{Interface: eth0, Addr: peer4, State: Incomplete, Held: 2, Index: 2, Age: 500 * time.Millisecond},
		{Interface: eth0, Addr: peer6, State: Stale, MAC: peerMAC, Age: time.Minute + 500*time.Millisecond},
	}
	if !slices.Equal(got, want) {
		t.Errorf("walked\n%+v, want\n%+v", got, want)
	}
	for range walk(b.m, b.now) {
		break // a walk can be left
	}
	c := b.m.Census()
	if n := c[eth0]; len(c) != 1 || n != [NumStates]int{Incomplete: 1, Stale: 1, Static: 1} {
		t.Errorf("census %v", c)
	}
}

// What nobody answers for, and what does no more, is counted.
func TestFailuresAreCounted(t *testing.T) {
	b := newBench(t)
	six.bring(b, Stale)
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: []byte("a")})
	b.pass(time.Minute)
	if c := b.m.Counters(); c.Unanswered != 1 || c.Lost != 0 {
		t.Errorf("%d unanswered and %d lost, want 1 and none", c.Unanswered, c.Lost)
	}
	six.happen[packetToSend](b)
	b.pass(time.Minute)
	if c := b.m.Counters(); c.Unanswered != 1 || c.Lost != 1 {
		t.Errorf("%d unanswered and %d lost, want 1 of each", c.Unanswered, c.Lost)
	}
}

func TestWords(t *testing.T) {
	for s := range numStates + 1 {
		if s.String() == "" || (s.String() == "unknown") != (s == numStates) {
			t.Errorf("state %d is %q", s, s)
		}
	}
	for r := range numReasons + 1 {
		if r.String() == "" || (r.String() == "unknown") != (r == numReasons) {
			t.Errorf("reason %d is %q", r, r)
		}
	}
}

// The same seed, inputs and times have the same effects, whatever order a map
// gives its keys in.
func TestSameSeed(t *testing.T) {
	script := func() (all string) {
		b := newBench(t, withRA, func(_ *Config, i *InterfaceConfig) {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
		})
		note := func() {
			for _, e := range b.out {
				if p, ok := e.(Publish); ok {
					all += fmt.Sprintln("publish", p.Entry.Addr, p.Entry.State, p.Entry.MAC, p.Index)
					continue
				}
				all += fmt.Sprintf("%T %v\n", e, e)
			}
		}
		for i := range 40 {
			mac := MAC{2, 2, 0, 0, 0, byte(i)}
			b.step(arpFrame(Broadcast, mac, OpRequest, mac, nth(i, false), MAC{}, our4))
			note()
			b.step(Resolve{Interface: eth0, Addr: nth(i, true), Packet: []byte{byte(i)}})
			note()
			b.pass(300 * time.Millisecond)
			note()
		}
		b.step(Clear{Interface: routing.NoInterface})
		note()
		b.step(InterfaceDown{eth0, true})
		note()
		return all
	}
	if one, two := script(), script(); one != two {
		t.Errorf("one run\n%s\nanother\n%s", one, two)
	}
}

func TestWalkOwn(t *testing.T) {
	b, up := fresh(t, "10.0.0.1/24", "2001:db8::2/64", "2001:db8::1/64")
	b.step(up)
	walk := func() (all []Own) {
		b.m.WalkOwn(func(o Own) bool { all = append(all, o); return true })
		return all
	}
	own := func(p string, s OwnState) Own {
		return Own{eth0, netip.MustParsePrefix(p), s, false}
	}
	formed := Own{eth0, netip.PrefixFrom(ourLL, linkLocalBits), tentative, true}
	want := []Own{own("10.0.0.1/24", usable), own("2001:db8::1/64", tentative), own("2001:db8::2/64", tentative), formed}
	if d := cmp.Diff(want, walk(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("at first (-want +got)\n%s", d)
	}
	b.m.duplicated(b.m.ifaces[eth0].owns(netip.MustParseAddr("2001:db8::1")), peerMAC)
	adverts(b, time.Minute) // which lets the time pass
	want[1].State, want[2].State, want[3].State = duplicate, usable, usable
	if d := cmp.Diff(want, walk(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("a minute later, one of them being another's (-want +got)\n%s", d)
	}
	n := 0
	b.m.WalkOwn(func(Own) bool { n++; return false })
	if n != 1 {
		t.Errorf("went on %d times after being told to end", n-1)
	}
	for s, word := range map[OwnState]string{tentative: "tentative", usable: "usable", duplicate: "duplicate", 99: "unknown"} {
		if s.String() != word {
			t.Errorf("state %d is %q, want %q", s, s, word)
		}
	}
}
