package bgp

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

var defaultRoute = netip.MustParsePrefix("0.0.0.0/0")

// ribDefault has a router's RIB say whether it has a default route.
func (w *network) ribDefault(r *router, has bool) {
	if r.hasRoute = has; r.tracked[defaultProbes[wire.IPv4Unicast]] {
		r.waiting = append(r.waiting, w.resolve(r, defaultProbes[wire.IPv4Unicast]))
	}
}

func TestDefaultOriginate(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	w.peer(a, b, nil)
	w.peer(a, c, nil)
	chain, problems := statement(t, nil, map[string]any{"med": int64(7)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := &a.config.Neighbors[0].Families[wire.IPv4Unicast].Default
	d.Enabled = true
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(b, defaultRoute, "none", "")
	if !a.tracked[defaultProbes[wire.IPv4Unicast]] {
		t.Fatal("the RIB is not asked whether it has a default route")
	}
	w.ribDefault(a, true)
	w.run(time.Minute)
	w.want(b, defaultRoute, "65001", "10.0.1.1")
	w.want(c, defaultRoute, "none", "") // to a neighbour, and not to all
	if len(a.machine.Routes(defaultRoute)) != 0 || len(a.offered) != 2 {
		t.Errorf("it is in the router's own table: %v", a.offered)
	}
	w.ribDefault(a, false)
	w.run(time.Minute)
	w.want(b, defaultRoute, "none", "")

	d.Always, d.Policy = true, chain
	w.configure(a)
	w.run(time.Minute)
	if a.tracked[defaultProbes[wire.IPv4Unicast]] {
		t.Error("the RIB is still asked")
	}
	w.want(b, defaultRoute, "65001", "10.0.1.1")
	if x := b.best(defaultRoute).Attributes; x.MED != 7 {
		t.Errorf("its policy has no effect: %+v", x)
	}
	none, _ := policy.Compile(policy.Config{Policies: []policy.Definition{{Name: "none", Statements: []policy.Statement{{Action: policy.Reject}}}}})
	d.Policy, _ = none.Chain("none")
	w.configure(a)
	w.run(time.Minute)
	w.want(b, defaultRoute, "none", "")
	if a.downs() != 0 {
		t.Errorf("a session ended: %v", a.events)
	}
}

// Whatever changes, a neighbour has in the end the default route that is for it: its own,
// or that of the table, which comes from another neighbour.
func TestDefaultReplaced(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newNetwork(rt, rapid.Uint64().Draw(rt, "seed"))
		a, b, c, from := w.router(65001), w.router(65002), w.router(65003), w.router(65004)
		for _, r := range []*router{b, c, from} {
			w.peer(a, r, nil)
		}
		from.config.Networks = append(from.config.Networks, Network{Prefix: defaultRoute, Always: true})
		w.start()
		w.run(time.Minute)
		table, inRIB := true, false
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			d := &a.config.Neighbors[rapid.IntRange(0, 1).Draw(rt, "neighbour")].Families[wire.IPv4Unicast].Default
			switch rapid.IntRange(0, 5).Draw(rt, "change") {
			case 0:
				d.Enabled = !d.Enabled
				w.configure(a)
			case 1:
				d.Always = !d.Always
				w.configure(a)
			case 2:
				inRIB = !inRIB
				w.ribDefault(a, inRIB)
			case 3:
				if table = !table; table {
					from.config.Networks = append(from.config.Networks[:1:1], Network{Prefix: defaultRoute, Always: true})
				} else {
					from.config.Networks = from.config.Networks[:1:1]
				}
				w.configure(from)
			case 4:
				w.cut(a, b)
			case 5:
				w.step(b, Clear{Address: b.config.Neighbors[0].Address, Link: routing.NoInterface, Soft: true, In: true})
			}
			for range rapid.IntRange(0, 30).Draw(rt, "deliveries") {
				w.deliver()
			}
		}
		w.run(5 * time.Minute)
		w.established()
		for i, r := range []*router{b, c} {
			d := a.config.Neighbors[i].Families[wire.IPv4Unicast].Default
			want := "none"
			switch {
			case d.Enabled && (d.Always || inRIB):
				want = "65001"
			case !d.Enabled && table:
				want = "65001 65004"
			}
			got := "none"
			if x := r.best(defaultRoute); x != nil {
				got = x.Attributes.ASPath.String()
			}
			if got != want {
				rt.Fatalf("neighbour %d has the default route %q, want %q: %+v, in the table %v, in the RIB %v", i, got, want, d, table, inRIB)
			}
		}
	})
}
