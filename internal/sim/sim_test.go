package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/router"
	"routerd/routing/rib"
)

// config is a router with the interfaces given as "name address ...": lo is a
// loopback, stub a TUN, stack the router's own stack, the others are Ethernet.
func config(name string, interfaces ...string) router.Config {
	cfg := router.Config{Name: name, Dataplane: dataplane.Config{
		ICMP: icmp.DefaultConfig, Reassembly: reassembly.Default,
		MartianSources: dataplane.DefaultMartianSources, MartianDestinations: dataplane.DefaultMartianDestinations,
	}}
	for _, s := range interfaces {
		words := strings.Fields(s)
		ic := dataplane.InterfaceConfig{Name: words[0], Kind: dataplane.KindPacket, MTU: 1500}
		switch words[0] {
		case "lo":
			ic.Kind = dataplane.KindLoopback
		case "stub":
			ic.Kind = dataplane.KindTUN
		case "stack":
			ic.Kind = dataplane.KindStack
		}
		for _, a := range words[1:] {
			ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: netip.MustParsePrefix(a)})
		}
		cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, ic)
	}
	return cfg
}

func static(cfg router.Config, prefix, via string) router.Config {
	cfg.RIB.Static = append(slices.Clip(cfg.RIB.Static), rib.StaticRoute{
		Prefix: netip.MustParsePrefix(prefix), NextHops: []rib.StaticNextHop{{Address: netip.MustParseAddr(via)}},
	})
	return cfg
}

// row is r0 - r1 - ... - r(size-1) with static routes both ways and a stub at
// each node.
func row(t *testing.T, seed uint64, size int, f Faults) *Network {
	t.Helper()
	n := New(seed)
	for i := range size {
		n.Add(fmt.Sprintf("r%d", i))
	}
	for i := range size - 1 {
		if _, err := n.Join(f, fmt.Sprintf("r%d:right", i), fmt.Sprintf("r%d:left", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range n.Nodes {
		interfaces := []string{fmt.Sprintf("stub 10.1.%d.1/24", i)}
		if i > 0 {
			interfaces = append(interfaces, fmt.Sprintf("left 10.2.%d.2/30", i))
		}
		if i < size-1 {
			interfaces = append(interfaces, fmt.Sprintf("right 10.2.%d.1/30", i+1))
		}
		cfg := config(node.Name, interfaces...)
		for j := range size {
			switch {
			case j < i:
				cfg = static(cfg, fmt.Sprintf("10.1.%d.0/24", j), fmt.Sprintf("10.2.%d.1", i))
			case j > i:
				cfg = static(cfg, fmt.Sprintf("10.1.%d.0/24", j), fmt.Sprintf("10.2.%d.2", i+1))
			}
		}
		if err := node.Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func targets(n *Network) []Target {
	var list []Target
	for i, node := range n.Nodes {
		list = append(list, Target{netip.MustParseAddr(fmt.Sprintf("10.1.%d.2", i)), node})
	}
	return list
}

func run(t *testing.T, n *Network, d time.Duration) {
	t.Helper()
	if err := n.Run(d); err != nil {
		t.Fatalf("%v\n%s", err, n.Report())
	}
}

func probe(t *testing.T, n *Network, from, to int, seq uint16) {
	t.Helper()
	raw, err := dataplane.Probe{
		Src: netip.MustParseAddr(fmt.Sprintf("10.1.%d.2", from)), Dst: netip.MustParseAddr(fmt.Sprintf("10.1.%d.2", to)),
		Proto: packet.ProtoUDP, SrcPort: seq, DstPort: 9, Size: 60, TTL: 64,
	}.Build()
	if err != nil {
		t.Fatal(err)
	}
	n.Nodes[from].Inject("stub", raw)
}

// A packet crosses five routers: resolved on every link, its hop count lowered
// at each, in the time that the links take.
func TestPacketsCross(t *testing.T) {
	n := row(t, 1, 5, Faults{Delay: 10 * time.Millisecond})
	run(t, n, time.Second)
	probe(t, n, 0, 4, 1)
	run(t, n, 119*time.Millisecond) // three crossings of each of four links
	if got := n.Nodes[4].End("stub").Received; len(got) != 0 {
		t.Fatalf("%d packets arrived before they could", len(got))
	}
	run(t, n, 10*time.Millisecond)
	got := n.Nodes[4].End("stub").Received
	if len(got) != 1 || packet.IPv4(got[0]).TTL() != 59 {
		t.Fatalf("received %x, want one packet with TTL 59\n%s", got, n.Report())
	}
}

func TestForwardingIsChecked(t *testing.T) {
	n := row(t, 1, 4, Faults{})
	run(t, n, time.Second)
	if f := n.Forwarding(targets(n), 16); len(f) != 0 {
		t.Fatalf("faults in a sound network: %v", f)
	}
	t.Run("a dead link cuts paths, which is no fault without another", func(t *testing.T) {
		n.Links[1].SetUp(false)
		run(t, n, time.Second)
		if f := n.Forwarding(targets(n), 16); len(f) != 0 {
			t.Errorf("%v", f)
		}
		n.Links[1].SetUp(true)
		run(t, n, time.Second)
	})
	t.Run("a missing route is a blackhole", func(t *testing.T) {
		cfg := n.Nodes[2].Config
		whole := cfg.RIB.Static
		cfg.RIB.Static = whole[:2]
		if err := n.Nodes[2].Apply(cfg); err != nil {
			t.Fatal(err)
		}
		run(t, n, time.Second)
		if f := n.Forwarding(targets(n), 16); len(f) != 3 || !strings.Contains(f[0].String(), "r0 to 10.1.3.2 (r3): no route at r2 by r0:right, r1:right") {
			t.Errorf("%v, want r0, r1 and r2 to find no route to r3", f)
		}
		if f := n.Forwarding(targets(n), 1); len(f) != 1 {
			t.Errorf("%v, want r2 alone within one link", f)
		}
		cfg.RIB.Static = whole
		if err := n.Nodes[2].Apply(cfg); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("routes that point at each other are a loop", func(t *testing.T) {
		cfg := n.Nodes[2].Config
		cfg.RIB.Static = slices.Clone(cfg.RIB.Static)
		cfg.RIB.Static[2].NextHops = []rib.StaticNextHop{{Address: netip.MustParseAddr("10.2.2.1")}}
		if err := n.Nodes[2].Apply(cfg); err != nil {
			t.Fatal(err)
		}
		run(t, n, time.Second)
		f := n.Forwarding(targets(n), 16)
		if len(f) != 3 || !strings.Contains(f[0].What, "a loop through r1") {
			t.Errorf("%v, want a loop through r1 for r0, r1 and r2", f)
		}
	})
}

// Faults are as frequent as they are said to be, and frames overtake.
func TestFaults(t *testing.T) {
	n := row(t, 7, 2, Faults{Delay: time.Millisecond, Jitter: 50 * time.Millisecond, Loss: 0.2, Duplicate: 0.1})
	for range 10 { // until the neighbours know each other, which a lost frame delays
		probe(t, n, 0, 1, 0)
		run(t, n, time.Second)
	}
	n.Nodes[1].End("stub").Received = nil
	const sent = 2000
	for i := range sent {
		n.At(time.Duration(i)*time.Millisecond, func() { probe(t, n, 0, 1, uint16(i)) })
	}
	run(t, n, time.Minute)
	got := n.Nodes[1].End("stub").Received
	if want := 0.8 * 1.1 * sent; float64(len(got)) < 0.95*want || float64(len(got)) > 1.05*want {
		t.Errorf("%d of %d arrived, want about %v", len(got), sent, want)
	}
	overtaken := 0
	for i := 1; i < len(got); i++ {
		if packet.UDP(got[i][20:]).SrcPort() < packet.UDP(got[i-1][20:]).SrcPort() {
			overtaken++
		}
	}
	if overtaken < sent/10 {
		t.Errorf("%d frames were overtaken, want many with a jitter of 50 times their distance", overtaken)
	}
}

// The same seed is the same run, to the last frame; another one is not.
func TestSeedsRepeat(t *testing.T) {
	play := func(seed uint64) (int, int, string) {
		n := row(t, seed, 4, Faults{Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.3, Duplicate: 0.2})
		for i := range 50 {
			n.At(time.Duration(n.Rand().IntN(1000))*time.Millisecond, func() { probe(t, n, i%4, (i+1)%4, uint16(i)) })
			if i%10 == 0 {
				l := n.Links[n.Rand().IntN(3)]
				n.At(time.Duration(n.Rand().IntN(1000))*time.Millisecond, func() { l.SetUp(!l.Up()) })
			}
		}
		run(t, n, 10*time.Second)
		return n.Frames, n.Lost, strings.Join(n.History(), "\n")
	}
	frames, lost, history := play(3)
	for range 3 {
		if f, l, h := play(3); f != frames || l != lost || h != history {
			t.Fatalf("the seed gave %d frames and %d lost, then %d and %d", frames, lost, f, l)
		}
	}
	if f, l, _ := play(4); f == frames && l == lost {
		t.Errorf("another seed gave the same %d frames and %d lost", f, l)
	}
}

func TestQuiet(t *testing.T) {
	n := row(t, 1, 3, Faults{})
	if err := n.Quiet(time.Minute, 10*time.Second, time.Hour); err != nil {
		t.Fatal(err)
	}
	if at := n.Now().Sub(Epoch); at < time.Minute || at > 2*time.Minute {
		t.Errorf("quiet after %v, want a minute", at)
	}
	n.Links[0].SetUp(false)
	before := n.Now()
	if err := n.Quiet(time.Minute, 10*time.Second, time.Hour); err != nil || n.Now().Sub(before) < time.Minute {
		t.Errorf("quiet %v after a link went down (%v), want a minute", n.Now().Sub(before), err)
	}
	var flap func()
	flap = func() { n.Links[0].SetUp(!n.Links[0].Up()); n.At(time.Second, flap) }
	flap()
	if err := n.Quiet(time.Minute, 10*time.Second, 5*time.Minute); err == nil {
		t.Error("a network whose link flaps was called quiet")
	}
}

func TestDraw(t *testing.T) {
	n := New(1)
	for _, name := range []string{"r1", "r2", "r3"} {
		n.Add(name)
	}
	for _, ends := range [][]string{{"r1:a", "r2:a"}, {"r2:b", "r3:b"}, {"r1:l", "r2:l", "r3:l"}} {
		if _, err := n.Join(Faults{}, ends...); err != nil {
			t.Fatal(err)
		}
	}
	n.Links[1].up = false
	want := "graph LR\n  r1\n  r2\n  r3\n  r1 --- r2\n  r2 -. down .- r3\n  lan2((LAN))\n  lan2 --- r1\n  lan2 --- r2\n  lan2 --- r3\n"
	if got := n.Draw(); got != want {
		t.Errorf("drew\n%s, want\n%s", got, want)
	}
}
