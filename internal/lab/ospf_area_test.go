package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// three is three routers: two on a point-to-point link, all on a LAN, with a host
// each.
var threeOSPF = ospfPlan{
	seats: []ospfSeat{{name: "a"}, {name: "b"}, {name: "c"}},
	nets: []ospfNet{
		{seats: []string{"a", "b"}, ptp: true, costs: []int{5, 7}},
		{seats: []string{"b", "c"}, costs: []int{3, 20}},
		{seats: []string{"a", "b", "c"}, costs: []int{10, 10, 10}},
		{seats: []string{"a"}, host: true},
		{seats: []string{"b"}, host: true},
		{seats: []string{"c"}, host: true},
	},
}

var threeTables = map[string]learned{
	"a": {
		"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"},
		"10.0.5.0/24": {15, 0, "10.0.1.2 eth1"},
		"10.0.6.0/24": {18, 0, "10.0.1.2 eth1"},
	},
	"b": {
		"10.0.4.0/24": {17, 0, "10.0.1.1 eth1"},
		"10.0.6.0/24": {13, 0, "10.0.2.3 eth2"},
	},
	"c": {
		"10.0.1.0/24": {15, 0, "10.0.3.1 eth3"},
		"10.0.4.0/24": {20, 0, "10.0.3.1 eth3"},
		"10.0.5.0/24": {20, 0, "10.0.3.2 eth3"},
	},
}

// settled is how long routers may take to agree: elections wait for four seconds,
// and what changes then for five more.
const settled = 60 * time.Second

// inEverySeat runs a test with routerd in every seat, beside BIRD and FRR.
func inEverySeat(t *testing.T, p *ospfPlan, test func(t *testing.T, b *bench)) {
	for _, kinds := range seatings("a", "b", "c") {
		t.Run(describe(p, kinds), func(t *testing.T) {
			t.Parallel() // most of it is waiting
			test(t, newOSPFBench(t, p, kinds))
		})
	}
}

// lanOSPF is three routers on a LAN, of which the first becomes DR and the second
// BDR, and a host behind each.
var lanOSPF = ospfPlan{
	seats: []ospfSeat{{name: "a"}, {name: "b"}, {name: "c"}},
	nets: []ospfNet{
		{seats: []string{"a", "b", "c"}, prefers: map[string]int{"a": 9, "b": 5, "c": 0}},
		{seats: []string{"a"}, host: true},
		{seats: []string{"b"}, host: true},
		{seats: []string{"c"}, host: true},
	},
}

// The DR of a LAN dies without a word, whoever it is: the BDR takes its place, the
// others reach each other, and it comes back.
func TestOSPFDRFails(t *testing.T) {
	t.Parallel()
	whole := map[string]learned{
		"a": {"10.0.3.0/24": {20, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {20, 0, "10.0.1.3 eth1"}},
		"b": {"10.0.2.0/24": {20, 0, "10.0.1.1 eth1"}, "10.0.4.0/24": {20, 0, "10.0.1.3 eth1"}},
		"c": {"10.0.2.0/24": {20, 0, "10.0.1.1 eth1"}, "10.0.3.0/24": {20, 0, "10.0.1.2 eth1"}},
	}
	left := map[string]learned{
		"b": {"10.0.4.0/24": {20, 0, "10.0.1.3 eth1"}},
		"c": {"10.0.3.0/24": {20, 0, "10.0.1.2 eth1"}},
	}
	inEverySeat(t, &lanOSPF, func(t *testing.T, b *bench) {
		b.settleOSPF(settled, whole)
		b.run("sw1", "bridge link set dev a state 0") // its carrier stays
		b.settleOSPF(settled, left)
		b.ping("h3", "10.0.4.100")
		b.run("sw1", "bridge link set dev a state 3")
		b.settleOSPF(settled, whole)
	})
}

// authOSPF is routerd between BIRD and FRR, which share the algorithm MD5.
func authOSPF(withBIRD string) *ospfPlan {
	return &ospfPlan{
		seats: []ospfSeat{{name: "a"}, {name: "b"}, {name: "c"}},
		nets: []ospfNet{
			{seats: []string{"a", "b"}, ptp: true, auth: withBIRD},
			{seats: []string{"b", "c"}, auth: "md5"},
			{seats: []string{"a"}, host: true},
			{seats: []string{"c"}, host: true},
		},
	}
}

// Packets with MD5 from and to both, and with each HMAC that BIRD has, bring
// adjacencies up.
func TestOSPFAuthentication(t *testing.T) {
	t.Parallel()
	want := map[string]learned{
		"a": {"10.0.2.0/24": {20, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {30, 0, "10.0.1.2 eth1"}},
		"b": {"10.0.3.0/24": {20, 0, "10.0.1.1 eth1"}, "10.0.4.0/24": {20, 0, "10.0.2.3 eth2"}},
		"c": {"10.0.1.0/24": {20, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {30, 0, "10.0.2.2 eth2"}},
	}
	for _, algorithm := range []string{"md5", "hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			b := newOSPFBench(t, authOSPF(algorithm), map[string]Kind{"a": KindBIRD, "b": KindRouter, "c": KindFRR})
			b.settleOSPF(settled, want)
		})
	}
}

// ping sends packets from a node until one is answered: not every router that the way
// leads by has been waited for.
func (b *bench) ping(node, to string) {
	b.t.Helper()
	within(b.t, settled, node+" reaches "+to, func() bool {
		_, err := b.Run(b.t.Context(), node, "ping -n -c 1 -W 1 "+to)
		return err == nil
	})
}

// Three routers in one area have the same tables whoever is in which seat, and one
// that ends without a word and starts again is adjacent again, whichever it is.
func TestOSPFRestarts(t *testing.T) {
	t.Parallel()
	inEverySeat(t, &threeOSPF, func(t *testing.T, b *bench) {
		b.settleOSPF(settled, threeTables)
		b.ping("h4", "10.0.6.100")
		for _, seat := range []string{"a", "b", "c"} {
			s, err := b.readState()
			if err != nil {
				t.Fatal(err)
			}
			all := s.Peers[seat]
			if p := s.Routers[seat].process; p.PID != 0 {
				all = []process{p}
			}
			for _, p := range all {
				if err := unix.Kill(p.PID, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			b.up()
			b.settleOSPF(settled, threeTables)
		}
	})
}

// areasOSPF is a chain of three areas: area 1 is beyond a, the backbone between a
// and b, and area 2 from b to c and its host. area2 and more say how area 2 is.
func areasOSPF(area2 ospfArea) *ospfPlan {
	return &ospfPlan{
		seats: []ospfSeat{
			{name: "a", externals: []string{"203.0.113.0/24"}, metric: 30},
			{name: "b"},
			{name: "c"},
		},
		nets: []ospfNet{
			{area: 0, seats: []string{"a", "b"}, ptp: true, costs: []int{5, 7}},
			{area: 2, seats: []string{"b", "c"}, ptp: true, costs: []int{3, 20}},
			{area: 1, seats: []string{"a"}, host: true},
			{area: 0, seats: []string{"b"}, host: true},
			{area: 2, seats: []string{"c"}, host: true},
		},
		areas: map[int]ospfArea{2: area2},
	}
}

// Three areas, and an external route of type 2: whoever is the border router says
// the same into each.
func TestOSPFAreas(t *testing.T) {
	t.Parallel()
	inEverySeat(t, areasOSPF(ospfArea{}), func(t *testing.T, b *bench) {
		b.settleOSPF(settled, map[string]learned{
			"a": {
				"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {15, 0, "10.0.1.2 eth1"},
				"10.0.5.0/24": {18, 0, "10.0.1.2 eth1"},
			},
			"b": {
				"10.0.3.0/24": {17, 0, "10.0.1.1 eth1"}, "10.0.5.0/24": {13, 0, "10.0.2.3 eth2"},
				"203.0.113.0/24": {30, 0, "10.0.1.1 eth1"},
			},
			"c": {
				"10.0.1.0/24": {27, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {37, 0, "10.0.2.2 eth2"},
				"10.0.4.0/24": {30, 0, "10.0.2.2 eth2"}, "203.0.113.0/24": {30, 0, "10.0.2.2 eth2"},
			},
		})
		b.ping("h3", "10.0.5.100")
	})
}

// A stub area hears of other areas and of no external, but of a default route.
func TestOSPFStubArea(t *testing.T) {
	t.Parallel()
	inEverySeat(t, areasOSPF(ospfArea{kind: "stub"}), func(t *testing.T, b *bench) {
		b.settleOSPF(settled, map[string]learned{
			"a": {
				"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {15, 0, "10.0.1.2 eth1"},
				"10.0.5.0/24": {18, 0, "10.0.1.2 eth1"},
			},
			"b": {
				"10.0.3.0/24": {17, 0, "10.0.1.1 eth1"}, "10.0.5.0/24": {13, 0, "10.0.2.3 eth2"},
				"203.0.113.0/24": {30, 0, "10.0.1.1 eth1"},
			},
			"c": {
				"0.0.0.0/0":   {21, 0, "10.0.2.2 eth2"},
				"10.0.1.0/24": {27, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {37, 0, "10.0.2.2 eth2"}, "10.0.4.0/24": {30, 0, "10.0.2.2 eth2"},
			},
		})
		b.ping("h5", "10.0.3.100")
	})
}

// A totally stubby area hears of a default route alone.
func TestOSPFTotallyStubbyArea(t *testing.T) {
	t.Parallel()
	inEverySeat(t, areasOSPF(ospfArea{kind: "stub", totally: true}), func(t *testing.T, b *bench) {
		b.settleOSPF(settled, map[string]learned{
			"a": {
				"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {15, 0, "10.0.1.2 eth1"},
				"10.0.5.0/24": {18, 0, "10.0.1.2 eth1"},
			},
			"b": {
				"10.0.3.0/24": {17, 0, "10.0.1.1 eth1"}, "10.0.5.0/24": {13, 0, "10.0.2.3 eth2"},
				"203.0.113.0/24": {30, 0, "10.0.1.1 eth1"},
			},
			"c": {"0.0.0.0/0": {21, 0, "10.0.2.2 eth2"}},
		})
		b.ping("h5", "10.0.3.100")
	})
}

// An NSSA, in which c redistributes: whoever is the border router translates.
func TestOSPFNSSA(t *testing.T) {
	t.Parallel()
	p := areasOSPF(ospfArea{kind: "nssa"})
	p.seats[2].externals, p.seats[2].metric = []string{"198.51.100.0/24"}, 40
	p.seats[2].type1 = true
	inEverySeat(t, p, func(t *testing.T, b *bench) {
		// FRR has the address of its last link forwarded to, the others that of a network
		// without routers; and it translates with a metric of its own.
		there, metric := 13, 40
		if b.Topology.kind("c") == KindFRR {
			there = 3
		}
		if b.Topology.kind("b") == KindFRR {
			metric = 20
		}
		inside := learned{"10.0.1.0/24": {27, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {37, 0, "10.0.2.2 eth2"}, "10.0.4.0/24": {30, 0, "10.0.2.2 eth2"}}
		if b.Topology.kind("b") == KindFRR { // which says a default route into it though nobody has told it to
			inside["0.0.0.0/0"] = known{21, 0, "10.0.2.2 eth2"}
		}
		b.settleOSPF(settled, map[string]learned{
			"a": {
				"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {15, 0, "10.0.1.2 eth1"},
				"10.0.5.0/24": {18, 0, "10.0.1.2 eth1"}, "198.51.100.0/24": {metric + 5 + there, 0, "10.0.1.2 eth1"},
			},
			"b": {
				"10.0.3.0/24": {17, 0, "10.0.1.1 eth1"}, "10.0.5.0/24": {13, 0, "10.0.2.3 eth2"},
				"203.0.113.0/24": {30, 0, "10.0.1.1 eth1"}, "198.51.100.0/24": {40 + there, 0, "10.0.2.3 eth2"},
			},
			"c": inside,
		})
	})
}

// A range puts the networks of area 2 together for others; whoever says it.
func TestOSPFRange(t *testing.T) {
	t.Parallel()
	p := areasOSPF(ospfArea{ranges: map[string]string{"b": "10.0.4.0/23"}})
	p.nets[3].area = 2 // 10.0.4.0/24 and 10.0.5.0/24 are both of area 2
	inEverySeat(t, p, func(t *testing.T, b *bench) {
		want := learned{"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/23": {18, 0, "10.0.1.2 eth1"}}
		if b.Topology.kind("b") == KindFRR {
			b.remindFRR("b", "area 2 range 10.0.4.0/23", func() bool { return cmp.Equal(want, b.ospfTable("a")) })
		}
		b.settleOSPF(settled, map[string]learned{"a": want})
		b.ping("h3", "10.0.5.100")
	})
}

// remindFRR says a line of FRR's OSPF configuration once more if it has not taken
// effect after a while: on a busy machine FRR 8.4 was seen with a discard route for
// a range that it never announced.
func (b *bench) remindFRR(node, line string, done func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(settled / 3); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Logf("%s, a frr, is told once more: %s", node, line)
			b.run(node, fmt.Sprintf("vtysh -c 'configure terminal' -c 'router ospf' -c 'no %s' -c '%s'", line, line))
			return
		}
	}
}

// A virtual link joins an area to the backbone through another one.
func TestOSPFVirtualLink(t *testing.T) {
	t.Parallel()
	p := &ospfPlan{
		seats: []ospfSeat{{name: "a", virtual: "b", through: 1}, {name: "b", virtual: "a", through: 1}, {name: "c"}},
		nets: []ospfNet{
			{area: 1, seats: []string{"a", "b"}, costs: []int{5, 7}}, // over a point-to-point link BIRD does not find the other end
			{area: 2, seats: []string{"b", "c"}, ptp: true, costs: []int{3, 20}},
			{area: 0, seats: []string{"a"}, host: true},
			{area: 2, seats: []string{"c"}, host: true},
		},
	}
	inEverySeat(t, p, func(t *testing.T, b *bench) {
		b.settleOSPF(settled, map[string]learned{
			"a": {"10.0.2.0/24": {8, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {18, 0, "10.0.1.2 eth1"}},
			"b": {"10.0.3.0/24": {17, 0, "10.0.1.1 eth1"}, "10.0.4.0/24": {13, 0, "10.0.2.3 eth2"}},
			"c": {"10.0.1.0/24": {27, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {37, 0, "10.0.2.2 eth2"}},
		})
		b.ping("h4", "10.0.3.100")
	})
}
