package bgp

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

const ipv4 = wire.IPv4Unicast

// keepAll has a router keep what its neighbours send.
func keepAll(r *router) {
	for i := range r.config.Neighbors {
		r.config.Neighbors[i].Families[ipv4].KeepReceived = true
	}
}

// received are all pages of what a router keeps of a neighbour.
func (r *router) received(t fatal, of netip.Addr, filtered bool) (list []ReceivedStatus) {
	var after netip.Prefix
	for range 100 {
		page, p := r.machine.ReceivedPage(of, routing.NoInterface, ipv4, filtered, netip.Prefix{}, after, 2)
		if list = append(list, page...); !p.Next.IsValid() {
			return list
		}
		after = p.Next
	}
	t.Fatalf("router %d: the pages of what %v has sent have no end", r.number, of)
	return nil
}

func (r *router) advertised(t fatal, to netip.Addr) (list []AdvertisedStatus) {
	var after netip.Prefix
	for range 100 {
		page, p := r.machine.AdvertisedPage(to, routing.NoInterface, ipv4, netip.Prefix{}, after, 2)
		if list = append(list, page...); !p.Next.IsValid() {
			return list
		}
		after = p.Next
	}
	t.Fatalf("router %d: the pages of what %v was sent have no end", r.number, to)
	return nil
}

func octets(a wire.Attributes) []byte { return a.AppendSet(nil) }

// What a router says that it has sent is what its neighbour says that it has received,
// with the same attributes.
func TestAdvertisedIsReceived(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := drawModel(rt)
		w := m.w
		for _, r := range w.routers {
			keepAll(r)
			for i := range r.config.Neighbors {
				f := &r.config.Neighbors[i].Families[ipv4]
				f.ReceivePaths = rapid.Bool().Draw(rt, "receives paths")
				f.SendPaths = rapid.SampledFrom([]int{0, 2, AllPaths}).Draw(rt, "sends paths")
				f.Default = DefaultOriginate{Enabled: rapid.IntRange(0, 3).Draw(rt, "default") == 0, Always: true}
			}
		}
		w.start()
		w.run(3 * time.Minute)
		w.established()
		for range rapid.IntRange(0, 4).Draw(rt, "events") {
			r := rapid.SampledFrom(w.routers).Draw(rt, "router")
			if r.config.Networks != nil {
				r.config.Networks = nil
			} else {
				r.config.Networks = []Network{{Prefix: ownPrefix(r.number), Always: true}}
			}
			w.configure(r)
			w.run(time.Minute)
		}
		for a, r := range w.routers {
			for _, n := range r.machine.order {
				b := m.neighbor(n.cfg.Address)
				sent, got := r.advertised(rt, n.cfg.Address), w.routers[b].received(rt, n.cfg.Local, false)
				slices.SortFunc(sent, func(a, b AdvertisedStatus) int {
					return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.PathID, b.PathID))
				})
				slices.SortFunc(got, func(a, b ReceivedStatus) int {
					return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.PathID, b.PathID))
				})
				if len(sent) != len(got) {
					rt.Fatalf("router %d has sent %+v to %d, which has %+v", a, sent, b, got)
				}
				for i := range sent {
					if sent[i].Prefix != got[i].Prefix || sent[i].PathID != got[i].PathID || sent[i].Pending || !bytes.Equal(octets(sent[i].Attributes), octets(got[i].Attributes)) {
						rt.Fatalf("router %d has sent %+v to %d, which has %+v", a, sent[i], b, got[i])
					}
				}
			}
		}
	})
}

// importing is an import policy, and what it does with the networks of a neighbour.
type importing struct {
	name    string
	policy  Policy
	accepts func(i int) bool // network ownPrefix(i)
	pref    uint32           // local preference that it gives
}

func importings(t testing.TB) []importing {
	set := func(pref int64) Policy {
		chain, problems := statement(t, nil, map[string]any{"local-pref": pref})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return Policy{Given: true, Chain: chain}
	}
	all := func(int) bool { return true }
	return []importing{
		{"none", Policy{}, func(int) bool { return false }, DefaultLocalPref},
		{"all", Policy{Given: true}, all, DefaultLocalPref},
		{"local-pref 50", set(50), all, 50},
		{"local-pref 200", set(200), all, 200},
		{"not 104 to 111", rejecting(t, netip.MustParsePrefix("100.104.0.0/13")), func(i int) bool { return i < 104 || i > 111 }, DefaultLocalPref},
	}
}

// Whatever is announced, withdrawn and configured: what is kept is what the neighbour has,
// and what is accepted of it is what the policy of the moment accepts, without a word to
// the neighbour.
func TestSoftReconfiguration(t *testing.T) {
	policies := importings(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newNetwork(rt, rapid.Uint64().Draw(rt, "seed"))
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		keepAll(a)
		of := a.config.Neighbors[0].Address
		family := &a.config.Neighbors[0].Families[ipv4]
		now := rapid.SampledFrom(policies).Draw(rt, "policy")
		family.Import = now.policy
		w.start()
		w.run(time.Minute)
		w.established()
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			sent := b.machine.Neighbors()[0].Counts.Sent
			quiet := true // b says nothing by itself
			switch rapid.IntRange(0, 4).Draw(rt, "change") {
			case 0:
				w.originate(rt, b)
				quiet = false
			case 1:
				w.cut(a, b)
				quiet = false
			case 2:
				w.step(a, Clear{Address: of, Link: routing.NoInterface, Soft: true, In: true})
			default:
				now = rapid.SampledFrom(policies).Draw(rt, "policy")
				family.Import = now.policy
				w.configure(a)
				if rapid.Bool().Draw(rt, "meanwhile") {
					w.originate(rt, b)
					quiet = false
				}
			}
			w.run(5 * time.Minute)
			w.established()
			if n := b.machine.Neighbors()[0].Counts.Sent; quiet && n != sent {
				rt.Fatalf("the neighbour was asked, and sent %d routes", n-sent)
			}
			checkImported(rt, a, b, of, &now)
		}
		w.vanish(b)
		w.run(time.Minute)
		if x := a.machine.ribs[ipv4].received; x != nil && (x.Len() != 0 || x.Prefixes() != 0) || a.machine.attributes.Len() != 1 {
			rt.Fatalf("%d routes of %d prefixes are kept of a neighbour that has gone, %d sets of attributes, want that of the own network alone",
				x.Len(), x.Prefixes(), a.machine.attributes.Len())
		}
	})
}

// originate gives a router other networks.
func (w *network) originate(rt *rapid.T, r *router) {
	r.config.Networks = nil
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(100, 111), 0, 12, rapid.ID).Draw(rt, "networks") {
		r.config.Networks = append(r.config.Networks, Network{Prefix: ownPrefix(i), Always: true})
	}
	w.configure(r)
}

// checkImported compares what a has of b with what it should have.
func checkImported(rt *rapid.T, a, b *router, of netip.Addr, now *importing) {
	all, filtered := a.received(rt, of, false), a.received(rt, of, true)
	status := a.machine.Neighbors()[0].Families[ipv4]
	if len(all) != len(b.config.Networks) || status.Kept != len(all) || !status.Whole {
		rt.Fatalf("%d routes are kept, of %d networks; %+v", len(all), len(b.config.Networks), status)
	}
	accepted := 0
	for i, n := range slices.SortedFunc(slices.Values(b.config.Networks), func(x, y Network) int { return x.Prefix.Compare(y.Prefix) }) {
		number := int(n.Prefix.Addr().As4()[1])
		want := now.accepts(number)
		got := all[i]
		if got.Prefix != n.Prefix || got.Accepted != want || got.Accepted != (got.Why == "") || got.Attributes.Has(wire.AttrLocalPref) {
			rt.Fatalf("policy %s: %+v is received, want %v, accepted %v", now.name, got, n.Prefix, want)
		}
		best := a.best(n.Prefix)
		if (best != nil) != want {
			rt.Fatalf("policy %s: %v is %+v", now.name, n.Prefix, best)
		}
		if !want {
			if j := i - accepted; j >= len(filtered) || filtered[j].Prefix != n.Prefix {
				rt.Fatalf("policy %s: %v is not among %+v", now.name, n.Prefix, filtered)
			}
			continue
		}
		accepted++
		if pref := best.Attributes.LocalPref; now.pref != DefaultLocalPref && pref != now.pref {
			rt.Fatalf("policy %s: %v has local preference %d, want %d", now.name, n.Prefix, pref, now.pref)
		}
	}
	if len(filtered) != len(all)-accepted || len(a.offered) != accepted {
		rt.Fatalf("policy %s: %d are filtered, %d offered; want %d, %d", now.name, len(filtered), len(a.offered), len(all)-accepted, accepted)
	}
}

// Why a route is not accepted is said by the terms, the policy and its statement.
func TestFilteredWhy(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	keepAll(a)
	of := a.config.Neighbors[0].Address
	w.start()
	w.run(time.Minute)
	w.established()
	accepting, _ := statement(t, map[string]any{"as-path-length": "7"}, nil)
	for _, test := range []struct {
		change                 func(*NeighborConfig)
		why, policy, statement string
	}{
		{func(c *NeighborConfig) { c.Families[ipv4].Import = Policy{} }, "there is no policy, without which nothing passes between two ASes", "", ""},
		{
			func(c *NeighborConfig) { c.Families[ipv4].Import = rejecting(t, netip.MustParsePrefix("100.0.0.0/8")) },
			"statement 1 of policy p rejects it", "p", "1",
		},
		{
			func(c *NeighborConfig) { c.Families[ipv4].Import = Policy{Given: true, Chain: accepting} },
			"no statement accepts it, to the end of policy p", "p", "",
		},
	} {
		test.change(&a.config.Neighbors[0])
		w.configure(a)
		w.run(time.Minute)
		list := a.received(t, of, true)
		if len(list) != 1 || list[0].Why != test.why || list[0].Policy != test.policy || list[0].Statement != test.statement {
			t.Errorf("%+v, want %q by %q %q", list, test.why, test.policy, test.statement)
		}
	}
	// Own AS in the path: what comes back.
	a.config.Neighbors[0].Families[ipv4].Import = Policy{Given: true}
	a.config.AS, a.config.Neighbors[0].LocalAS = 65002, 65001
	w.configure(a)
	w.run(5 * time.Minute)
	w.established()
	if list := a.received(t, of, true); len(list) != 1 || list[0].Why != OwnASInPath.Words() {
		t.Errorf("%+v, want one with the own AS in its path", list)
	}
}

// Keeping begins by asking, and ends by letting go. All is kept once a refresh with an end
// has ended, and without one in the next session.
func TestKeepingBeginsAndEnds(t *testing.T) {
	for _, enhanced := range []bool{false, true} {
		w := newNetwork(t, 1)
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		w.start()
		b.machine.order[0].session.config.Open.Capabilities.EnhancedRefresh = enhanced
		w.run(time.Minute)
		w.established()
		of := a.config.Neighbors[0].Address
		if _, p := a.machine.ReceivedPage(of, routing.NoInterface, ipv4, false, netip.Prefix{}, netip.Prefix{}, 10); p.Kept || !p.Up {
			t.Fatalf("%+v, want nothing kept", p)
		}
		keepAll(a)
		w.configure(a)
		w.run(time.Minute)
		if f := a.machine.Neighbors()[0].Families[ipv4]; f.Kept != 1 || f.KeptOctets == 0 || f.Whole != enhanced || a.downs() != 0 {
			t.Fatalf("enhanced %v: %+v, want one route kept and the session up: %v", enhanced, f, a.events)
		}
		// Unless all is there, another policy has the neighbour asked.
		before := b.machine.Neighbors()[0].Counts.Sent
		a.config.Neighbors[0].Families[ipv4].Import = importings(t)[2].policy
		w.configure(a)
		w.run(time.Minute)
		asked := b.machine.Neighbors()[0].Counts.Sent != before
		if asked == enhanced || a.best(ownPrefix(1)).Attributes.LocalPref != 50 {
			t.Errorf("enhanced %v: asked %v, %+v", enhanced, asked, a.best(ownPrefix(1)))
		}
		if !enhanced {
			w.cut(a, b)
			w.run(5 * time.Minute)
			w.established()
			if f := a.machine.Neighbors()[0].Families[ipv4]; !f.Whole || f.Kept != 1 {
				t.Errorf("%+v after another session has come up, want all", f)
			}
		}
		a.config.Neighbors[0].Families[ipv4].KeepReceived = false
		w.configure(a)
		w.run(time.Minute)
		if f := a.machine.Neighbors()[0].Families[ipv4]; f.Kept != 0 || f.KeptOctets != 0 || f.Whole || a.machine.ribs[ipv4].received.Len() != 0 {
			t.Errorf("%+v after keeping has ended", f)
		}
		if _, p := a.machine.ReceivedPage(netip.MustParseAddr("192.0.2.99"), routing.NoInterface, ipv4, false, netip.Prefix{}, netip.Prefix{}, 10); p.Known {
			t.Error("a neighbor that there is not is known")
		}
	}
}
