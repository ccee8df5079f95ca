package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/rib"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func interfaceConfig(name string, kind dataplane.Kind, addresses ...string) dataplane.InterfaceConfig {
	ic := dataplane.InterfaceConfig{Name: name, Kind: kind, MTU: 1500}
	for _, a := range addresses {
		ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: netip.MustParsePrefix(a)})
	}
	return ic
}

func twoLANs() Config {
	return Config{Name: "r1", Dataplane: dataplane.Config{
		Interfaces: []dataplane.InterfaceConfig{
			interfaceConfig("lan0", dataplane.KindTUN, "10.0.1.1/24"),
			interfaceConfig("lan1", dataplane.KindTUN, "10.0.2.1/24"),
			interfaceConfig("lo", dataplane.KindLoopback, "10.255.0.1/32"),
		},
		ICMP: icmp.DefaultConfig, Reassembly: reassembly.Default,
	}}
}

// bench is a router on two ports in memory, without a goroutine.
type bench struct {
	t      *testing.T
	router *Router
	ports  map[string]*memory.Port
	worker map[string]*dataplane.Worker
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, router: New(rand.NewPCG(1, 1)), ports: map[string]*memory.Port{}, worker: map[string]*dataplane.Worker{}}
	b.commit(twoLANs())
	for _, name := range []string{"lan0", "lan1"} {
		p := memory.New(name, 1500)
		t.Cleanup(func() { p.Close() })
		workers, err := b.router.Attach(name, p, now)
		if err != nil || len(workers) != 1 {
			t.Fatalf("attaching %s: %d workers, %v", name, len(workers), err)
		}
		b.ports[name], b.worker[name] = p, workers[0]
	}
	return b
}

func (b *bench) commit(cfg Config) {
	b.t.Helper()
	if err := b.router.Commit(cfg, now); err != nil {
		b.t.Fatal(err)
	}
}

// explain gives the fate of a packet from h1.
func (b *bench) explain(dst string) dataplane.Explanation {
	b.t.Helper()
	raw, err := dataplane.Probe{
		Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr(dst), Proto: packet.ProtoUDP, DstPort: 9,
	}.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	v := b.router.View()
	return dataplane.Explain(v, v.Named("lan0").ID, raw, now)
}

func (b *bench) want(dst string, want verdict.Verdict) {
	b.t.Helper()
	if got := b.explain(dst).Verdict; got != want {
		b.t.Errorf("to %s: %s, want %s", dst, got, want)
	}
}

func TestRouterForwards(t *testing.T) {
	b := newBench(t)
	raw, err := dataplane.Probe{
		Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr("10.0.2.2"), Proto: packet.ProtoUDP, DstPort: 9,
	}.Build()
	if err != nil {
		t.Fatal(err)
	}
	b.ports["lan0"].Inject(memory.Packet{Data: raw})
	done := make(chan error, 1)
	go func() { done <- b.worker["lan0"].Run(time.Now) }()
	sent, err := b.ports["lan1"].Wait(t.Context(), 1)
	b.ports["lan0"].Close()
	if err := <-done; err != nil {
		t.Errorf("worker: %v", err)
	}
	if err != nil || packet.IPv4(sent[0].Data).TTL() != 63 {
		t.Fatalf("sent %v (%v), want the packet with one hop less", sent, err)
	}
}

func TestLinkDownTakesItsRoutes(t *testing.T) {
	b := newBench(t)
	b.want("10.0.2.2", verdict.Forwarded)
	step := func(e port.Event) {
		t.Helper()
		if err := b.router.PortChanged("lan1", e, now); err != nil {
			t.Fatal(err)
		}
	}
	step(port.Event{Up: false, MTU: 1500})
	b.want("10.0.2.2", verdict.NoRoute)
	b.want("10.0.2.1", verdict.PortUnreachable) // the address stays the router's own
	step(port.Event{Up: true, MTU: 1400})
	b.want("10.0.2.2", verdict.Forwarded)
	if got := b.router.View().Named("lan1").MTU; got != 1400 {
		t.Errorf("MTU %d, want 1400", got)
	}
	step(port.Event{Up: true, MTU: 1400, Gone: true})
	b.want("10.0.2.2", verdict.NoRoute)
	if err := b.router.PortChanged("nobody", port.Event{}, now); err != nil {
		t.Errorf("an event of no interface: %v", err)
	}
}

func TestCommitChangesOnlyWhatChanged(t *testing.T) {
	b := newBench(t)
	before := b.router.View()
	cfg := twoLANs()
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, interfaceConfig("lo2", dataplane.KindLoopback, "10.255.0.2/32"))
	cfg.RIB.Static = []rib.StaticRoute{{
		Prefix: netip.MustParsePrefix("203.0.113.0/24"), NextHops: []rib.StaticNextHop{{Address: netip.MustParseAddr("10.0.2.2")}},
	}}
	b.commit(cfg)
	b.want("203.0.113.1", verdict.Forwarded)
	b.want("10.255.0.2", verdict.PortUnreachable)
	after := b.router.View()
	if after.Generation <= before.Generation {
		t.Errorf("generation %d after %d", after.Generation, before.Generation)
	}
	if before.Named("lo2") != nil || before.FIB(before.Named("lan0")).Lookup(netip.MustParseAddr("203.0.113.1")) != nil {
		t.Error("the View that was current before has changed")
	}
	if before.Named("lan1").ID != after.Named("lan1").ID {
		t.Error("lan1 has another number")
	}
	if b.router.Port("lan1") != b.ports["lan1"] {
		t.Error("lan1 has lost its port")
	}
	b.commit(twoLANs())
	b.want("203.0.113.1", verdict.NoRoute)
	b.want("10.255.0.2", verdict.NoRoute)
}

// A number is never given to another name, and a name that comes back has its
// old one: counters are arrays by it.
func TestNumbersAreForever(t *testing.T) {
	b := newBench(t)
	id := b.router.View().Named("lan1").ID
	without := twoLANs()
	without.Dataplane.Interfaces = without.Dataplane.Interfaces[:1]
	if err := b.router.Detach("lan1", now); err != nil {
		t.Fatal(err)
	}
	b.commit(without)
	other := without
	other.Dataplane.Interfaces = append(without.Dataplane.Interfaces[:1:1], interfaceConfig("other", dataplane.KindLoopback))
	b.commit(other)
	if got := b.router.View().Named("other").ID; got == id {
		t.Errorf("other has number %d, which was lan1's", got)
	}
	b.commit(twoLANs())
	if got := b.router.View().Named("lan1").ID; got != id {
		t.Errorf("lan1 came back with number %d, it was %d", got, id)
	}
	if len(b.router.Workers()) != 1 {
		t.Errorf("%d workers, want lan0's alone", len(b.router.Workers()))
	}
}

func TestAttachToNobody(t *testing.T) {
	b := newBench(t)
	if _, err := b.router.Attach("nobody", memory.New("nobody", 1500), now); err == nil {
		t.Error("a port was attached to an interface that does not exist")
	}
	b.router.next = routing.NoInterface
	cfg := twoLANs()
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, interfaceConfig("more", dataplane.KindLoopback))
	if err := b.router.Commit(cfg, now); err == nil {
		t.Error("an interface without a number was made")
	}
}

// station is a port in memory with an Ethernet address, that notes its groups.
type station struct {
	*memory.Port
	groups map[[6]byte]bool
}

func (s station) HardwareAddr() [6]byte { return [6]byte{2, 0, 0, 0, 0, 1} }
func (s station) Join(g [6]byte) error  { s.groups[g] = true; return nil }
func (s station) Leave(g [6]byte) error { delete(s.groups, g); return nil }

func TestEthernetInterface(t *testing.T) {
	b := newBench(t)
	cfg := twoLANs()
	eth := interfaceConfig("eth0", dataplane.KindPacket, "10.0.5.1/24", "2001:db8:5::1/64")
	eth.MTU = 0 // the device's
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, eth)
	b.commit(cfg)
	s := station{memory.New("eth0", 1400, memory.WithLinkHeader(14)), map[[6]byte]bool{}}
	t.Cleanup(func() { s.Close() })
	if _, err := b.router.Attach("eth0", s, now); err != nil {
		t.Fatal(err)
	}
	i := b.router.View().Named("eth0")
	if i.MTU != 1400 || i.MAC != s.HardwareAddr() || i.LinkHeader != 14 || i.PointToPoint {
		t.Errorf("eth0 is %+v", i)
	}
	solicited := [6]byte{0x33, 0x33, 0xff, 0, 0, 1} // of 2001:db8:5::1, and of fe80::ff:fe00:1
	for _, g := range [][6]byte{{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 2}, solicited} {
		if !s.groups[g] {
			t.Errorf("group %x was not joined", g)
		}
	}
	// The neighbour machine was told, and what it says of addresses is followed.
	n := b.router.Neighbors()
	ctx, stop := context.WithCancel(t.Context())
	effects := make(chan arp.Effect, 10)
	n.Owner = func(e arp.Effect) { effects <- e }
	ended := make(chan struct{})
	go func() { n.Inbox.Run(ctx, n, time.Now); close(ended) }()
	for range 3 { // IPv4 at once, IPv6 and the link-local address after asking
		if err := b.router.AddressEvent(<-effects, now); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	<-ended
	if got := len(b.router.View().Named("eth0").Addresses); got != 3 {
		t.Errorf("%d addresses, want the two configured and a link-local one", got)
	}
	dup := arp.AddressDuplicate{Interface: i.ID, Prefix: netip.MustParsePrefix("2001:db8:5::1/64")}
	if err := b.router.AddressEvent(dup, now); err != nil {
		t.Fatal(err)
	}
	if b.router.View().Named("eth0").Holds(netip.MustParseAddr("2001:db8:5::1")) {
		t.Error("a duplicate address is still used")
	}
	if e := b.router.FIB().Lookup(netip.MustParseAddr("2001:db8:5::1")); e != nil && e.Action == routing.Local {
		t.Error("a duplicate address is still the router's own in the FIB")
	}
	if got := b.router.Duplicates(); len(got) != 1 || got[0] != dup.Prefix.Addr() {
		t.Errorf("duplicates %v, want %s", got, dup.Prefix.Addr())
	}
	if err := b.router.AddressEvent(arp.AddressUsable{Interface: i.ID, Prefix: dup.Prefix}, now); err != nil {
		t.Fatal(err)
	}
	if got := b.router.Duplicates(); len(got) != 0 || !b.router.View().Named("eth0").Holds(dup.Prefix.Addr()) {
		t.Errorf("duplicates %v of an address that is usable again, want none and the address in use", got)
	}
}

// deaf is a station whose device is just going.
type deaf struct{ station }

func (deaf) Join([6]byte) error { return errors.New("no such device") }

// A device that goes while a configuration is committed keeps nothing of it from
// being done.
func TestCommitOverADeviceThatGoes(t *testing.T) {
	b := newBench(t)
	cfg := twoLANs()
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, dataplane.InterfaceConfig{Name: "eth0", Kind: dataplane.KindTAP, MTU: 1500})
	b.commit(cfg)
	s := deaf{station{memory.New("eth0", 1500, memory.WithLinkHeader(14)), map[[6]byte]bool{}}}
	if workers, err := b.router.Attach("eth0", s, now); !errors.Is(err, ErrGroups) || len(workers) == 0 {
		t.Fatalf("%d workers, %v; want them and %v", len(workers), err, ErrGroups)
	}
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, dataplane.InterfaceConfig{Name: "late", Kind: dataplane.KindLoopback})
	cfg.Dataplane.Interfaces[len(cfg.Dataplane.Interfaces)-2].Addresses = []dataplane.Address{{Prefix: netip.MustParsePrefix("2001:db8:7::abcd/64")}}
	if err := b.router.Commit(cfg, now); !errors.Is(err, ErrGroups) {
		t.Fatalf("committed with %v, want %v", err, ErrGroups)
	}
	if late := b.router.View().Named("late"); late == nil || !late.Up {
		t.Errorf("the interface behind it is %+v, want it there and up", late)
	}
}
