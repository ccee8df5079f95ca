package lab

import (
	"testing"
	"time"

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

// ping sends one packet from a node and wants an answer.
func (b *bench) ping(node, to string) {
	b.t.Helper()
	within(b.t, 10*time.Second, node+" reaches "+to, func() bool {
		_, err := b.Run(b.t.Context(), node, "ping -n -c 1 -W 1 "+to)
		return err == nil
	})
}

// Three routers in one area have the same tables whoever is in which seat, and one
// that ends without a word and starts again is adjacent again, whichever it is.
func TestOSPFRestarts(t *testing.T) {
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
