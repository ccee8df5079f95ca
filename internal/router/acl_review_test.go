package router

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
)

// filtered is masquerading, in both families, with a stack, and with a list for
// what comes in by lan1.
func filtered(rules ...acl.Rule) Config {
	cfg := masquerading()
	for i, a := range []string{"2001:db8:1::1/64", "2001:db8:2::1/64"} {
		ic := &cfg.Dataplane.Interfaces[i]
		ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: netip.MustParsePrefix(a)})
	}
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, interfaceConfig("stack", dataplane.KindStack))
	cfg.Dataplane.Stack = dataplane.StackConfig{Rate: 1 << 30, Burst: 1 << 30}
	cfg.ACL = acl.Config{
		Lists:      []acl.List{{Name: "x", Default: acl.Drop, Rules: rules}, {Name: "y", Default: acl.Accept}},
		Interfaces: []acl.Binding{{Interface: "lan0", In: "y"}, {Interface: "lan1", In: "x"}},
		Sets:       []acl.Set{{Name: "some", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.1.2/32"), netip.MustParsePrefix("2001:db8:2::2/127")}}},
	}
	return cfg
}

// newFiltering is a bench of cfg, whose ports include the stack's.
func newFiltering(t *testing.T, cfg Config) *bench {
	b := &bench{t: t, router: New(rand.NewPCG(1, 1)), ports: map[string]*memory.Port{}, worker: map[string]*dataplane.Worker{}}
	b.commit(cfg)
	for _, name := range []string{"lan0", "lan1", "stack"} {
		p := memory.New(name, 1500)
		t.Cleanup(func() { p.Close() })
		workers, err := b.router.Attach(name, p, now)
		if err != nil {
			t.Fatal(err)
		}
		b.ports[name], b.worker[name] = p, workers[0]
	}
	b.settle(now)
	return b
}

// settle polls until nothing is left to do at the time at.
func (b *bench) settle(at time.Time) {
	b.t.Helper()
	for range 10000 {
		worked, err := b.router.Poll(at)
		if err != nil {
			b.t.Fatal(err)
		}
		if !worked && !b.router.Reviewing() {
			return
		}
	}
	b.t.Fatal("there is work without end")
}

// entry tells a session from all others.
type entry struct {
	forward flow.Key
	wide    flow.Wide
}

func (b *bench) sessions() map[entry]bool {
	m := map[entry]bool{}
	for _, t := range []*flow.Table{b.router.translator.nat.Sessions(), b.router.translator.six} {
		if t != nil {
			t.Each(func(s *flow.Session) { m[entry{s.Forward, s.Wide}] = true })
		}
	}
	return m
}

// carry has a packet come in, and forgets what leaves.
func (b *bench) carry(in string, p dataplane.Probe) {
	b.t.Helper()
	raw, err := p.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	b.ports[in].Inject(memory.Packet{Data: raw})
	if err := b.worker[in].Once(func() time.Time { return now }); err != nil {
		b.t.Fatal(err)
	}
	for _, p := range b.ports {
		p.Take()
	}
}

// TestReviewOfSessionsFromBeforeTheFilter: sessions that translation made while
// there was no filter end like others that it does not allow.
func TestReviewOfSessionsFromBeforeTheFilter(t *testing.T) {
	none := filtered()
	none.ACL = acl.Config{}
	b := newFiltering(t, none)
	for i := range uint16(2) {
		b.carry("lan0", dataplane.Probe{Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr("10.0.2.2"), Proto: packet.ProtoUDP, SrcPort: 1000, DstPort: 80 + i})
	}
	if n := len(b.sessions()); n != 2 {
		t.Fatalf("%d sessions of translation, want 2", n)
	}
	cfg := filtered()
	cfg.ACL.Lists[1].Rules = []acl.Rule{{Name: "81", Protocols: []uint8{packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 81, Last: 81}}, Action: acl.Drop}}
	if got := b.router.FilterEnds(cfg)(); got != 1 {
		t.Errorf("%d sessions are said to end, want that to port 81", got)
	}
	b.commit(cfg)
	b.settle(now)
	for e := range b.sessions() {
		if e.forward.DstPort != 80 {
			t.Errorf("a session to port %d is left, which the filter does not allow", e.forward.DstPort)
		}
	}
	if n := len(b.sessions()); n != 1 {
		t.Errorf("%d sessions are left, want that to port 80", n)
	}
	// Without a filter the other table has no use, and translation keeps its own.
	b.carry("lan0", dataplane.Probe{Src: netip.MustParseAddr("2001:db8:1::2"), Dst: netip.MustParseAddr("2001:db8:2::2"), Proto: packet.ProtoUDP, SrcPort: 1, DstPort: 2})
	b.carry("lan1", dataplane.Probe{Src: netip.MustParseAddr("10.0.2.2"), Dst: netip.MustParseAddr("10.0.1.2"), Proto: packet.ProtoUDP, SrcPort: 1, DstPort: 2})
	b.commit(none)
	b.settle(now)
	if n := len(b.sessions()); n != 1 {
		t.Errorf("%d sessions without a filter, want that of translation", n)
	}
}

// TestNothingToReview: where nothing is filtered or translated there are no sessions,
// and a change of the sets that policies share with the filter leaves nothing to do.
func TestNothingToReview(t *testing.T) {
	cfg := filtered()
	cfg.ACL, cfg.NAT = acl.Config{Sets: cfg.ACL.Sets}, nat.Config{}
	b := newFiltering(t, cfg)
	cfg.ACL.Sets = nil
	b.commit(cfg)
	b.settle(now)
	if b.router.Reviewing() {
		t.Error("sessions are under review, of which there are none")
	}
}

// TestTranslationIsReviewedInSlices: a reload that ends many sessions of translation leaves
// the owner time for other work, also one that leaves no translation.
func TestTranslationIsReviewedInSlices(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no rules":      func(c *Config) { c.NAT = nat.Config{} },
		"another rule":  func(c *Config) { c.NAT.Source[0].Name = "other" },
		"another limit": func(c *Config) { c.NAT.MaxSessions = 100_000 },
	} {
		const count = 4000 // a host has no more
		cfg := masquerading()
		b := newFiltering(t, withStack(cfg))
		for port := range count {
			p, to := nat.Packet{Key: flow.Key{Src: 10<<24 | 1<<8 | 2, SrcPort: uint16(1024 + port), Dst: 10<<24 | 2<<8 | 2, DstPort: 9, Proto: packet.ProtoUDP}}, nat.Translation{}
			b.router.translator.nat.Inbound(&p, 0, &to)
			b.router.translator.nat.Outbound(&p, 1, 0, &to)
		}
		if n := len(b.sessions()); n != count {
			t.Fatalf("%s: %d sessions, want %d", name, n, count)
		}
		cfg = masquerading()
		change(&cfg)
		b.commit(withStack(cfg))
		for slices, last := 0, count; b.router.Reviewing(); slices++ {
			if slices > count {
				t.Fatalf("%s: there is no end to it", name)
			}
			left := len(b.sessions())
			if last-left > 256 {
				t.Fatalf("%s: slice %d ended %d sessions, want at most 256", name, slices, last-left)
			}
			last = left
			if _, err := b.router.Poll(now); err != nil {
				t.Fatal(err)
			}
		}
		want := 0
		if name == "another limit" {
			want = count
		}
		if n := len(b.sessions()); n != want {
			t.Errorf("%s: %d sessions are left, want %d", name, n, want)
		}
	}
}

// withStack is cfg with the router's own stack, which the bench has a port for.
func withStack(cfg Config) Config {
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, interfaceConfig("stack", dataplane.KindStack))
	cfg.Dataplane.Stack = dataplane.StackConfig{Rate: 1 << 30, Burst: 1 << 30}
	return cfg
}

// TestReviewInSlices: a review of many sessions leaves the owner time for other
// work, and a second pass finds what a batch with the old rules made behind the
// first.
func TestReviewInSlices(t *testing.T) {
	const each = 5000
	b := newFiltering(t, filtered())
	make4 := func(port int) {
		p, to := nat.Packet{Key: flow.Key{Src: 10<<24 | 1<<8 | 2, SrcPort: uint16(port), Dst: 10<<24 | 2<<8 | 2, DstPort: 9, Proto: packet.ProtoUDP}}, nat.Translation{}
		b.router.translator.nat.Inbound(&p, 0, &to)
		b.router.translator.nat.Outbound(&p, 1, 0, &to)
		b.router.translator.nat.Sessions().Annotate(to.Session, flow.Note{In: 1, Out: 2})
	}
	wide := flow.Wide{0x20010db8_00010000, 2, 0x20010db8_00020000, 2}
	six := b.router.translator.six
	for i := range each {
		make4(1024 + i)
		k := flow.Key{SrcPort: uint16(i), DstPort: 9, Proto: packet.ProtoUDP}
		six.Fold(&k, &wide)
		s, _ := six.InsertWide(&k, &wide, six.Hash(&k), nil, 0)
		six.Annotate(s, flow.Note{In: 1, Out: 2})
	}
	if n := len(b.sessions()); n < each {
		t.Fatalf("%d sessions, want %d and more", n, each)
	}
	cfg := filtered()
	cfg.ACL.Lists[1].Default = acl.Drop
	want, last := b.router.FilterEnds(cfg)(), len(b.sessions())
	if want != last {
		t.Errorf("%d sessions are said to end, want all %d", want, last)
	}
	slices := 0
	b.commit(cfg)
	for b.router.Reviewing() && slices < 10000 {
		left := len(b.sessions())
		if slices++; last-left > reviewParts*256 {
			t.Fatalf("slice %d ended %d sessions, want %d at most", slices, last-left, reviewParts*256)
		}
		if last = left; slices == 2 {
			make4(1023) // it gets the number of one of the first, which the pass has left behind
		}
		if _, err := b.router.Poll(now); err != nil {
			t.Fatal(err)
		}
	}
	if slices+1 < want/(reviewParts*256) { // the commit does the first one
		t.Errorf("%d slices of %d sessions, want one for %d each", slices+1, want, reviewParts*256)
	}
	if d := b.router.Deadline(); d.IsZero() || d.After(now.Add(natInterval)) {
		t.Errorf("deadline %s, want the second pass within %s", d, natInterval)
	}
	b.settle(now.Add(natInterval))
	if n := len(b.sessions()); n != 0 {
		t.Errorf("%d sessions are left, want none", n)
	}
}

// editing makes random filters and packets.
type editing struct{ *rand.Rand }

func pick[T any](e editing, list ...T) T { return list[e.IntN(len(list))] }

func (e editing) rule(name string) acl.Rule {
	r := acl.Rule{Name: name, Family: pick[uint8](e, 0, 0, 4, 6), Action: pick(e, acl.Accept, acl.Accept, acl.Drop, acl.Reject, acl.Count)}
	prefixes := func() []flow.AddressRange {
		return []flow.AddressRange{flow.RangeOf(netip.MustParsePrefix(pick(e, "10.0.1.2/32", "10.0.1.0/24", "10.0.2.0/24", "10.0.2.1/32", "2001:db8:1::/64", "2001:db8:2::2/128", "2001:db8:2::/65")))}
	}
	switch e.IntN(6) {
	case 0:
		r.Sources = prefixes()
	case 1:
		r.Destinations = prefixes()
	case 2:
		r.SourceSets = []string{"some"}
	case 3:
		r.States = []acl.State{pick(e, acl.New, acl.Related, acl.Invalid)}
	case 4:
		r.Inbound = []string{pick(e, "lan0", "lan1")}
	}
	switch e.IntN(3) {
	case 0:
		r.Protocols = []uint8{pick[uint8](e, packet.ProtoTCP, packet.ProtoUDP)}
		r.DestinationPorts = []flow.PortRange{{First: 1, Last: uint16(e.IntN(4))}}
		r.DestinationPorts[0].First = min(1, r.DestinationPorts[0].Last)
	case 1:
		r.Protocols = []uint8{pick[uint8](e, packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP, packet.ProtoICMPv6)}
	}
	return r
}

// edit changes one thing of a filter, which shares no memory with the one before.
func (e editing) edit(c acl.Config, number int) acl.Config {
	c.Lists, c.Interfaces = slices.Clone(c.Lists), slices.Clone(c.Interfaces)
	l := &c.Lists[e.IntN(len(c.Lists))]
	l.Rules = slices.Clone(l.Rules)
	at := e.IntN(len(l.Rules) + 1)
	switch e.IntN(7) {
	case 0, 1:
		l.Rules = slices.Insert(l.Rules, at, e.rule(fmt.Sprint("r", number)))
	case 2:
		if at < len(l.Rules) {
			l.Rules = slices.Delete(l.Rules, at, at+1)
		}
	case 3:
		if at < len(l.Rules) {
			l.Rules[at] = e.rule(l.Rules[at].Name)
		}
	case 4:
		l.Default = pick(e, acl.Accept, acl.Accept, acl.Drop)
	case 5:
		c.Zones, c.Policies = nil, nil
		if e.IntN(3) == 0 {
			break
		}
		c.Zones = []acl.Zone{{Name: "in", Interfaces: []string{"lan0"}}, {Name: "out", Interfaces: []string{"lan1"}[:e.IntN(2)]}}
		if e.IntN(3) > 0 {
			c.Policies = append(c.Policies, acl.Policy{From: "in", To: "out", List: pick(e, "x", "y")})
		}
		if e.IntN(3) > 0 {
			c.Policies = append(c.Policies, acl.Policy{From: "out", To: "in", List: pick(e, "x", "y")})
		}
	default:
		b := &c.Interfaces[e.IntN(2)]
		b.In, b.Out, c.Local = pick(e, "", "x", "y"), pick(e, "", "x", "y"), pick(e, "", "", "x", "y")
	}
	return c
}

// first is the first packet of some flow.
type first struct {
	in string
	p  dataplane.Probe
}

func (e editing) first() first {
	f := first{in: "lan0"}
	f.p.Proto, f.p.SrcPort, f.p.DstPort = pick[uint8](e, packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP), uint16(2000+e.IntN(30000)), uint16(e.IntN(4))
	from, to := "1", "2"
	if e.IntN(2) == 0 {
		f.in, from, to = "lan1", "2", "1"
	}
	host := e.IntN(30) + 2
	far := fmt.Sprint(2 + e.IntN(2))
	if e.IntN(4) == 0 {
		to, far = from, "1" // the router itself
	}
	if e.IntN(2) == 0 {
		f.p.Src, f.p.Dst = netip.MustParseAddr(fmt.Sprintf("10.0.%s.%d", from, host)), netip.MustParseAddr("10.0."+to+"."+far)
		return f
	}
	if f.p.Proto == packet.ProtoICMP {
		f.p.Proto = packet.ProtoICMPv6
	}
	f.p.Src, f.p.Dst = netip.MustParseAddr(fmt.Sprintf("2001:db8:%s::%x", from, host)), netip.MustParseAddr("2001:db8:"+to+"::"+far)
	return f
}

// begins sends the packet of a flow, and reports whether it makes a session.
func (b *bench) begins(f first) bool {
	t := &b.router.translator
	before := t.nat.Sessions().Len() + t.six.Len()
	b.carry(f.in, f.p)
	return t.nat.Sessions().Len()+t.six.Len() > before
}

// TestDiffPromisesWhatEnds: after each of random edits of the filter just so many
// sessions end as were announced, and those are the ones whose flows could not
// begin with the new filter, as a router that begins with it shows.
func TestDiffPromisesWhatEnds(t *testing.T) {
	edits := 200
	if testing.Short() {
		edits = 60
	}
	e := editing{rand.New(rand.NewPCG(16, 200))}
	cfg := filtered()
	cfg.ACL.Lists[0].Default = acl.Accept
	b := newFiltering(t, cfg)
	flows := map[entry]first{}
	ends, stay := 0, 0
	for number := range edits {
		for range 20 {
			f := e.first()
			if !b.begins(f) {
				continue
			}
			for s := range b.sessions() {
				if _, known := flows[s]; !known {
					flows[s] = f
				}
			}
		}
		cfg.ACL = e.edit(cfg.ACL, number)
		before, promised := b.sessions(), b.router.FilterEnds(cfg)()
		b.commit(cfg)
		b.settle(now)
		after := b.sessions()
		if got := len(before) - len(after); got != promised {
			t.Fatalf("edit %d: %d of %d sessions ended, want the %d that were announced", number, got, len(before), promised)
		}
		ends, stay = ends+promised, stay+len(after)
		fresh := newFiltering(t, cfg)
		for s := range before {
			f := flows[s]
			if allowed := fresh.begins(f); allowed != after[s] {
				t.Fatalf("edit %d: session of %s by %s: it stays: %v, and it could begin: %v; filter %+v", number, fmt.Sprint(f.p), f.in, after[s], allowed, cfg.ACL)
			}
			if !after[s] {
				delete(flows, s)
			}
		}
	}
	if ends < edits || stay < edits {
		t.Errorf("%d sessions ended in %d edits, and %d stayed: want some of each", ends, edits, stay)
	}
}
