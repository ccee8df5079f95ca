package arp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

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
