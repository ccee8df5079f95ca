package rib

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/fib"
)

var (
	ip  = netip.MustParseAddr
	pfx = netip.MustParsePrefix
	t0  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

const (
	lan0 routing.InterfaceID = iota
	lan1
	wan0
)

// table is a RIB and the FIB that follows it.
type table struct {
	testing.TB
	*RIB
	fib *fib.FIB
}

// newTable has lan0 10.0.0.1/24 and 2001:db8::1/64, lan1 10.0.1.1/24, wan0
// 198.51.100.2/30, all up.
func newTable(tb testing.TB, statics ...StaticRoute) *table {
	t := &table{tb, New(), fib.Empty()}
	t.link(lan0, "lan0", true, "10.0.0.1/24", "2001:db8::1/64")
	t.link(lan1, "lan1", true, "10.0.1.1/24")
	t.link(wan0, "wan0", true, "198.51.100.2/30")
	t.SetConfig(t0, Config{Static: statics})
	t.flush()
	return t
}

func (t *table) link(id routing.InterfaceID, name string, up bool, addresses ...string) {
	t.Helper()
	in := Interface{ID: id, Name: name, Up: up}
	for _, a := range addresses {
		in.Addresses = append(in.Addresses, Address{Prefix: pfx(a)})
	}
	if err := t.Step(t0, in); err != nil {
		t.Fatal(err)
	}
}

func (t *table) flush() []string {
	changes, _ := t.Flush()
	t.fib = t.fib.Apply(changes)
	var prefixes []string
	for _, c := range changes {
		prefixes = append(prefixes, c.Prefix.String())
	}
	slices.Sort(prefixes)
	return prefixes
}

// hops writes the next hops of an entry as ADDRESS@INTERFACE*WEIGHT; the
// action where it is none that forwards, and "-" where there is no entry.
func (t *table) hops(prefix string) string {
	e := t.fib.Get(pfx(prefix))
	switch {
	case e == nil:
		return "-"
	case e.Action != routing.Forward:
		return e.Action.String()
	}
	var out []string
	for _, h := range e.Group.Hops() {
		s := "link"
		if h.Address.IsValid() {
			s = h.Address.String()
		}
		s += "@" + t.interfaceName(h.Interface)
		if h.Weight != 1 {
			s += "*" + string('0'+rune(h.Weight))
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// whyNot gives the sentences of the candidates that are not selected.
func (t *table) whyNot(prefix string) []string {
	var out []string
	for _, c := range t.Get(pfx(prefix)) {
		if !c.Selected {
			out = append(out, c.WhyNot)
		}
	}
	return out
}

func via(addresses ...string) []StaticNextHop {
	var hops []StaticNextHop
	for _, a := range addresses {
		hops = append(hops, StaticNextHop{Address: ip(a)})
	}
	return hops
}

func TestConnected(t *testing.T) {
	r := newTable(t)
	for prefix, want := range map[string]string{
		"10.0.0.0/24":        "link@lan0",
		"10.0.0.1/32":        "local",
		"10.0.0.0/32":        "broadcast",
		"10.0.0.255/32":      "broadcast",
		"198.51.100.0/30":    "link@wan0",
		"198.51.100.3/32":    "broadcast",
		"2001:db8::/64":      "link@lan0",
		"2001:db8::1/128":    "local",
		"2001:db8::/128":     "-", // the forwarding path knows it by its prefix (RFC 4291 §2.6.1)
		"255.255.255.255/32": "-",
	} {
		if got := r.hops(prefix); got != want {
			t.Errorf("%s is %s, want %s", prefix, got, want)
		}
	}
	if e := r.fib.Lookup(ip("10.0.1.1")); e.Interface != lan1 || e.Source != routing.SourceConnected {
		t.Errorf("own address of lan1 is %+v, want it to belong to lan1", *e)
	}
}

// RFC 3021 §2.1, RFC 6164: prefixes of 31 and 127 bits have two hosts and no
// other address; those of 32 and 128 are the address alone.
func TestShortSubnetsHaveNoBroadcast(t *testing.T) {
	for address, want := range map[string][]string{
		"10.9.9.8/31":     {"10.9.9.8/31", "10.9.9.8/32"},
		"10.9.9.9/31":     {"10.9.9.8/31", "10.9.9.9/32"},
		"10.9.9.9/32":     {"10.9.9.9/32"},
		"10.9.9.9/30":     {"10.9.9.11/32", "10.9.9.8/30", "10.9.9.8/32", "10.9.9.9/32"},
		"2001:db8::3/127": {"2001:db8::2/127", "2001:db8::3/128"},
		"2001:db8::3/128": {"2001:db8::3/128"},
	} {
		r := &table{t, New(), fib.Empty()}
		r.link(lan0, "lan0", true, address)
		if got := r.flush(); !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", address, got, want)
		}
	}
}

func TestLinkDownLeavesOwnAddress(t *testing.T) {
	r := newTable(t)
	r.link(lan1, "lan1", false, "10.0.1.1/24")
	want := []string{"10.0.1.0/24", "10.0.1.0/32", "10.0.1.255/32"}
	if got := r.flush(); !slices.Equal(got, want) {
		t.Errorf("lan1 down changes %v, want %v", got, want)
	}
	if got := r.hops("10.0.1.1/32"); got != "local" {
		t.Errorf("the address of a link that is down is %s, want local", got)
	}
}

func TestSamePrefixOnTwoInterfaces(t *testing.T) {
	r := newTable(t)
	r.link(lan1, "lan1", true, "10.0.0.2/24")
	r.flush()
	if got := r.hops("10.0.0.0/24"); got != "link@lan0" {
		t.Errorf("the prefix leads to %s, want the lowest interface, lan0", got)
	}
	want := []string{"lan0 has the same prefix and comes first"}
	if d := cmp.Diff(want, r.whyNot("10.0.0.0/24")); d != "" {
		t.Error(d)
	}
	r.link(lan0, "lan0", false, "10.0.0.1/24")
	r.flush()
	if got := r.hops("10.0.0.0/24"); got != "link@lan1" {
		t.Errorf("with lan0 down the prefix leads to %s, want lan1", got)
	}
}

func TestStatic(t *testing.T) {
	tests := []struct {
		name    string
		statics []StaticRoute
		prefix  string
		want    string
		why     []string
	}{
		{
			name:    "by address",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9")}},
			prefix:  "10.8.0.0/16", want: "10.0.0.9@lan0",
		},
		{
			name: "by interface alone, and by link-local address with interface",
			statics: []StaticRoute{{Prefix: pfx("2001:db8:8::/48"), NextHops: []StaticNextHop{
				{Interface: "lan1"}, {Address: ip("fe80::9"), Interface: "wan0", Weight: 3},
			}}},
			prefix: "2001:db8:8::/48", want: "link@lan1 fe80::9@wan0*3",
		},
		{
			name:    "link-local without interface",
			statics: []StaticRoute{{Prefix: pfx("2001:db8:8::/48"), NextHops: via("fe80::9")}},
			prefix:  "2001:db8:8::/48", want: "-",
			why: []string{"next hop fe80::9 is link-local and does not say on which interface"},
		},
		{
			name: "equal routes share, a dead hop is left out",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9", "172.16.0.1")},
				{Prefix: pfx("10.8.0.0/16"), NextHops: []StaticNextHop{{Address: ip("10.0.1.9"), Weight: 2}}},
			},
			prefix: "10.8.0.0/16", want: "10.0.0.9@lan0 10.0.1.9@lan1*2",
		},
		{
			name: "floating",
			statics: []StaticRoute{
				{Prefix: pfx("0.0.0.0/0"), NextHops: via("10.0.0.9"), Distance: 250},
				{Prefix: pfx("0.0.0.0/0"), NextHops: via("198.51.100.1")},
			},
			prefix: "0.0.0.0/0", want: "198.51.100.1@wan0",
			why: []string{"distance 250 is higher than static's 1"},
		},
		{
			name: "the better one cannot be used",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("172.16.0.1")},
				{Prefix: pfx("10.8.0.0/16"), Action: routing.Prohibit, Distance: 250},
			},
			prefix: "10.8.0.0/16", want: "prohibit",
			why: []string{"next hop 172.16.0.1 is unreachable: no route covers it"},
		},
		{
			name: "recursive, two deep, weights multiplied",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: []StaticNextHop{{Address: ip("10.9.0.1"), Weight: 2}, {Address: ip("198.51.100.1")}}},
				{Prefix: pfx("10.9.0.0/16"), NextHops: []StaticNextHop{{Address: ip("10.0.0.9"), Weight: 1}, {Address: ip("10.0.1.9"), Weight: 3}}},
			},
			prefix: "10.8.0.0/16", want: "10.0.0.9@lan0 10.0.1.9@lan1*3 198.51.100.1@wan0*2",
		},
		{
			name: "through the default route",
			statics: []StaticRoute{
				{Prefix: pfx("0.0.0.0/0"), NextHops: via("198.51.100.1")},
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("172.16.0.1")},
			},
			prefix: "10.8.0.0/16", want: "198.51.100.1@wan0",
		},
		{
			name:    "the default route not through itself",
			statics: []StaticRoute{{Prefix: pfx("0.0.0.0/0"), NextHops: via("172.16.0.1")}},
			prefix:  "0.0.0.0/0", want: "-",
			why: []string{"next hop 172.16.0.1 would be reached through the route that it serves"},
		},
		{
			name: "in its own prefix, though a shorter one covers it",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.8.0.1")},
				{Prefix: pfx("0.0.0.0/0"), NextHops: via("198.51.100.1")},
			},
			prefix: "10.8.0.0/16", want: "-",
			why: []string{"next hop 10.8.0.1 would be reached through the route that it serves"},
		},
		{
			name:    "a host route to a neighbour by itself",
			statics: []StaticRoute{{Prefix: pfx("10.0.0.9/32"), NextHops: via("10.0.0.9")}},
			prefix:  "10.0.0.9/32", want: "10.0.0.9@lan0",
		},
		{
			name: "a circle",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.9.0.1")},
				{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.8.0.1")},
			},
			prefix: "10.8.0.0/16", want: "-",
			why: []string{"next hop 10.9.0.1 would be reached through the route that it serves"},
		},
		{
			name: "a floating route makes no circle while it is not preferred",
			statics: []StaticRoute{
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.9.0.1")},
				{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.0.0.9")},
				{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.8.0.1"), Distance: 250},
			},
			prefix: "10.8.0.0/16", want: "10.0.0.9@lan0",
		},
		{
			name:    "own address",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.1")}},
			prefix:  "10.8.0.0/16", want: "-",
			why: []string{"next hop 10.0.0.1 is one of the router's own addresses"},
		},
		{
			name:    "own address with interface",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: []StaticNextHop{{Address: ip("10.0.0.1"), Interface: "lan1"}}}},
			prefix:  "10.8.0.0/16", want: "-",
			why: []string{"next hop 10.0.0.1 is one of the router's own addresses"},
		},
		{
			name:    "broadcast address, multicast",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.255", "224.0.0.1")}},
			prefix:  "10.8.0.0/16", want: "-",
			why: []string{"next hop 10.0.0.255 is a broadcast address; next hop 224.0.0.1 is not an address that a neighbour can have"},
		},
		{
			name:    "no such interface",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: []StaticNextHop{{Interface: "lan9"}}}},
			prefix:  "10.8.0.0/16", want: "-",
			why: []string{"there is no interface lan9"},
		},
		{
			name: "through a route that discards",
			statics: []StaticRoute{
				{Prefix: pfx("192.0.2.1/32"), Action: routing.Blackhole},
				{Prefix: pfx("10.8.0.0/16"), NextHops: via("192.0.2.1")},
			},
			prefix: "10.8.0.0/16", want: "blackhole",
		},
		{
			name:    "for an own address",
			statics: []StaticRoute{{Prefix: pfx("10.0.0.1/32"), NextHops: via("10.0.1.9")}},
			prefix:  "10.0.0.1/32", want: "local",
			why: []string{"the address is the router's own, on lan0"},
		},
		{
			name:    "for a connected prefix",
			statics: []StaticRoute{{Prefix: pfx("10.0.0.0/24"), NextHops: via("10.0.1.9")}},
			prefix:  "10.0.0.0/24", want: "link@lan0",
			why: []string{"distance 1 is higher than connected's 0"},
		},
		{
			name:    "distance 255",
			statics: []StaticRoute{{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.1.9"), Distance: 255}},
			prefix:  "10.8.0.0/16", want: "-",
			why: []string{"distance 255 means never used"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newTable(t, tt.statics...)
			if got := r.hops(tt.prefix); got != tt.want {
				t.Errorf("%s leads to %s, want %s", tt.prefix, got, tt.want)
			}
			if d := cmp.Diff(tt.why, r.whyNot(tt.prefix)); d != "" {
				t.Errorf("sentences (-want +got):\n%s", d)
			}
		})
	}
}

func TestFlapChangesOnlyWhatDependsOnIt(t *testing.T) {
	r := newTable(t,
		StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.1.9", "10.0.0.9")},
		StaticRoute{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.0.0.9")},
		StaticRoute{Prefix: pfx("10.10.0.0/16"), NextHops: via("10.8.0.1")},
		StaticRoute{Prefix: pfx("10.11.0.0/16"), NextHops: []StaticNextHop{{Interface: "lan1"}}},
	)
	r.link(lan1, "lan1", false, "10.0.1.1/24")
	want := []string{"10.0.1.0/24", "10.0.1.0/32", "10.0.1.255/32", "10.10.0.0/16", "10.11.0.0/16", "10.8.0.0/16"}
	if got := r.flush(); !slices.Equal(got, want) {
		t.Errorf("lan1 down changes %v, want %v", got, want)
	}
	if got := r.hops("10.10.0.0/16"); got != "10.0.0.9@lan0" {
		t.Errorf("what resolves through 10.8.0.0/16 leads to %s, want the hop that is left", got)
	}
	if d := cmp.Diff([]string{"interface lan1 is down"}, r.whyNot("10.11.0.0/16")); d != "" {
		t.Error(d)
	}
	r.link(lan1, "lan1", true, "10.0.1.1/24")
	if got := r.flush(); !slices.Equal(got, want) {
		t.Errorf("lan1 up changes %v, want %v", got, want)
	}
}

func TestEntriesShareGroups(t *testing.T) {
	r := newTable(t,
		StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9", "10.0.1.9")},
		StaticRoute{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.0.0.9", "10.0.1.9")},
		StaticRoute{Prefix: pfx("10.10.0.0/16"), NextHops: via("10.8.0.1")},
	)
	a, b, c := r.fib.Get(pfx("10.8.0.0/16")), r.fib.Get(pfx("10.9.0.0/16")), r.fib.Get(pfx("10.10.0.0/16"))
	if a.Group != b.Group || a.Group != c.Group {
		t.Errorf("routes that lead the same way have groups %p, %p and %p, want one", a.Group, b.Group, c.Group)
	}
	if i, j := a.Group.Hops()[0].Index, a.Group.Hops()[1].Index; i == 0 || j == 0 || i == j {
		t.Errorf("neighbours have numbers %d and %d, want two different ones from 1", i, j)
	}
	if i := r.fib.Get(pfx("10.0.0.0/24")).Group.Hops()[0].Index; i != 0 {
		t.Errorf("a hop on the link has number %d, want 0", i)
	}
}

func TestReload(t *testing.T) {
	keep := StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9"), Origin: 7}
	drop := StaticRoute{Prefix: pfx("10.9.0.0/16"), NextHops: via("10.0.0.9")}
	r := newTable(t, drop, keep)
	t1 := t0.Add(time.Hour)

	r.SetConfig(t1, Config{Static: []StaticRoute{drop, keep}})
	if got := r.flush(); got != nil {
		t.Errorf("the same configuration again changes %v, want nothing", got)
	}
	r.SetConfig(t1, Config{Static: []StaticRoute{keep}})
	if got := r.flush(); !slices.Equal(got, []string{"10.9.0.0/16"}) {
		t.Errorf("a route less changes %v, want only its prefix", got)
	}
	keep.Origin = 3
	group := r.fib.Get(keep.Prefix).Group
	r.SetConfig(t1, Config{Static: []StaticRoute{keep}})
	r.flush()
	e := r.fib.Get(keep.Prefix)
	if e.Origin != origin.ID(3) || e.Group != group {
		t.Errorf("a route on another line is %+v, want its new origin and its old group", *e)
	}
	if c := r.Get(keep.Prefix)[0]; !c.Since.Equal(t0) {
		t.Errorf("a route that stays is as old as %v, want %v", c.Since, t0)
	}
	r.SetConfig(t1, Config{Distance: [routing.NumSources]uint8{routing.SourceStatic: 9}, Static: []StaticRoute{keep}})
	r.flush()
	if d := r.fib.Get(keep.Prefix).Distance; d != 9 {
		t.Errorf("with static distance 9 configured the route has %d", d)
	}
}

func TestProtocolRoutes(t *testing.T) {
	r := newTable(t, StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9"), Distance: 150})
	ospf := routing.Route{
		Prefix: pfx("10.8.0.0/16"), Source: routing.SourceOSPF, Metric: 20, Tag: 5,
		NextHops: []routing.NextHop{{Address: ip("10.0.1.9"), Interface: lan1}},
	}
	step := func(withdraw bool) {
		t.Helper()
		if err := r.Step(t0, Deltas{{Withdraw: withdraw, Route: ospf}}); err != nil {
			t.Fatal(err)
		}
		r.flush()
	}
	step(false)
	if got := r.hops("10.8.0.0/16"); got != "10.0.1.9@lan1" {
		t.Errorf("with OSPF's distance of 110 the prefix leads to %s", got)
	}
	if d := cmp.Diff([]string{"distance 150 is higher than ospf's 110"}, r.whyNot("10.8.0.0/16")); d != "" {
		t.Error(d)
	}
	got := r.Lookup(ip("10.8.1.1"))
	if len(got) != 2 || got[0].Tag != 5 || !got[0].Installed || got[0].NextHops[0].Resolved[0].Interface != lan1 {
		t.Errorf("Lookup gives %+v, want the OSPF route first, installed", got)
	}
	ospf.NextHops = []routing.NextHop{{Address: ip("10.0.1.8"), Interface: lan1}}
	step(false)
	if got := r.hops("10.8.0.0/16"); got != "10.0.1.8@lan1" {
		t.Errorf("after a second offer the prefix leads to %s", got)
	}
	step(true)
	if got := r.hops("10.8.0.0/16"); got != "10.0.0.9@lan0" {
		t.Errorf("after OSPF took its route back the prefix leads to %s", got)
	}
}

func TestRefusedInputs(t *testing.T) {
	ok := routing.Route{Prefix: pfx("10.8.0.0/16"), Source: routing.SourceRIP}
	with := func(change func(*routing.Route)) Deltas {
		rt := ok
		change(&rt)
		return Deltas{{Route: rt}}
	}
	for want, in := range map[string]Input{
		"no protocol speaks for source static": with(func(r *routing.Route) { r.Source = routing.SourceStatic }),
		"no protocol speaks for source none":   with(func(r *routing.Route) { r.Source = routing.SourceNone }),
		"not valid and masked":                 with(func(r *routing.Route) { r.Prefix = pfx("10.8.0.1/16") }),
		"want it unmapped":                     with(func(r *routing.Route) { r.Prefix = pfx("::ffff:10.8.0.0/112") }),
		"action local is not for a route":      with(func(r *routing.Route) { r.Action = routing.Local }),
		"address invalid Prefix is not valid":  Interface{ID: 5, Name: "lan5", Addresses: []Address{{}}},
		"which has number 0 already":           Interface{ID: 5, Name: "lan0"},
	} {
		r := newTable(t)
		if err := r.Step(t0, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("stepping %+v gives %v, want an error with %q", in, err, want)
		}
		if got := r.flush(); got != nil {
			t.Errorf("the refused %+v changes %v, want nothing", in, got)
		}
	}
}

func TestUnreached(t *testing.T) {
	r := newTable(t,
		StaticRoute{Prefix: pfx("10.8.0.0/16"), NextHops: via("10.0.0.9", "172.16.0.1"), Origin: 4},
		StaticRoute{Prefix: pfx("10.9.0.0/16"), Action: routing.Blackhole},
	)
	want := []Unreached{{
		Prefix: pfx("10.8.0.0/16"), NextHop: StaticNextHop{Address: ip("172.16.0.1")},
		WhyNot: "next hop 172.16.0.1 is unreachable: no route covers it", Origin: 4,
	}}
	if d := cmp.Diff(want, r.Unreached(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestGenerationFollowsInput(t *testing.T) {
	r := newTable(t)
	_, before := r.Flush()
	if _, again := r.Flush(); again != before {
		t.Errorf("a flush without input moves the generation from %d to %d", before, again)
	}
	r.SetConfig(t0, Config{})
	if changes, after := r.Flush(); after != before+1 || len(changes) != 0 || r.Generation() != after {
		t.Errorf("a flush after an input that changes nothing gives %d changes and generation %d, want none and %d", len(changes), after, before+1)
	}
}

func TestWeightsAreSmallWholeNumbers(t *testing.T) {
	n := func(i int) neighbour { return neighbour{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 0} }
	for name, tt := range map[string]struct {
		shares []share
		want   []uint8
	}{
		"alone":                {[]share{{n(1), 7, 1, 1}}, []uint8{1}},
		"reduced":              {[]share{{n(1), 10, 1, 1}, {n(2), 20, 1, 1}}, []uint8{1, 2}},
		"added up":             {[]share{{n(1), 1, 1, 1}, {n(2), 1, 1, 1}, {n(1), 1, 1, 1}}, []uint8{2, 1}},
		"fractions":            {[]share{{n(1), 1, 1, 3}, {n(2), 1, 2, 3}, {n(3), 1, 1, 1}}, []uint8{1, 2, 3}},
		"too large":            {[]share{{n(1), 255, 1, 1}, {n(2), 1, 1, 255}}, []uint8{255, 1}},
		"no common fine whole": {[]share{{n(1), 1, 1, 1009}, {n(2), 1, 1, 1013}, {n(3), 1, 1, 997}, {n(4), 1, 1, 991}}, []uint8{250, 249, 253, 255}},
	} {
		var got []uint8
		for _, h := range weigh(tt.shares) {
			got = append(got, h.Weight)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: weights %v, want %v", name, got, tt.want)
		}
	}
}

func TestWalkPages(t *testing.T) {
	r := newTable(t,
		StaticRoute{Prefix: pfx("10.0.0.0/24"), NextHops: via("10.0.1.9")},
		StaticRoute{Prefix: pfx("2001:db8:8::/48"), NextHops: via("2001:db8::9")},
	)
	all := r.Walk(netip.Prefix{}, 1000)
	for max := 1; max <= 5; max++ {
		var got []Candidate
		for after := (netip.Prefix{}); ; after = got[len(got)-1].Prefix {
			page := r.Walk(after, max)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		if d := cmp.Diff(all, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
			cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("in pages of %d (-at once +paged):\n%s", max, d)
		}
	}
	if v4, v6 := r.Len(); len(all) != v4+v6+1 {
		t.Errorf("%d candidates for %d and %d prefixes, one of which has two", len(all), v4, v6)
	}
	if got := r.Walk(netip.Prefix{}, 0); got != nil {
		t.Errorf("a page of no prefix holds %v", got)
	}
}
