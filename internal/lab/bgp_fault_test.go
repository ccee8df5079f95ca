package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// rawAS is the AS of raw speakers, in hexadecimal fe4b.
const rawAS = 65099

// The attributes of a route of a raw speaker's.
var (
	rawOrigin = pathAttribute(0x40, 1, 0)
	rawEGP    = pathAttribute(0x40, 1, 1)
	rawPath   = pathAttribute(0x40, 2, 2, 1, 0, 0, 0xfe, 0x4b) // a sequence of one
	rawHop    = pathAttribute(0x40, 3, 10, 0, 2, 3)
)

// rawFault is an UPDATE with a fault, what becomes of it, and what a session that is
// reset for it is told.
type rawFault struct {
	name       string
	attributes []byte
	becomes    string // kept, withdrawn or reset
	subcode    byte
	nlri       string // of the prefixes, if it is not the usual one
}

// Each class of RFC 7606, by way of each attribute that has it. Those of which the update
// is kept have another origin than before.
func rawFaults() []rawFault {
	with := func(more ...byte) []byte { return slices.Concat(rawEGP, rawPath, rawHop, more) }
	const kept, withdrawn, reset = "kept", "withdrawn", "reset"
	return []rawFault{
		{name: "nothing wrong", attributes: with(), becomes: kept},
		// ORIGIN (§7.1), AS_PATH (§7.2), NEXT_HOP (§7.3), MULTI_EXIT_DISC (§7.4).
		{name: "origin 3", attributes: slices.Concat(pathAttribute(0x40, 1, 3), rawPath, rawHop), becomes: withdrawn},
		{name: "origin of two octets", attributes: slices.Concat(pathAttribute(0x40, 1, 0, 0), rawPath, rawHop), becomes: withdrawn},
		{name: "optional origin", attributes: slices.Concat(pathAttribute(0xc0, 1, 0), rawPath, rawHop), becomes: withdrawn},
		{name: "segment beyond the path", attributes: slices.Concat(rawEGP, pathAttribute(0x40, 2, 2, 2, 0, 0, 0xfe, 0x4b), rawHop), becomes: withdrawn},
		{name: "segment without an AS", attributes: slices.Concat(rawEGP, pathAttribute(0x40, 2, 2, 0), rawHop), becomes: withdrawn},
		{name: "segment of type 5", attributes: slices.Concat(rawEGP, pathAttribute(0x40, 2, 5, 1, 0, 0, 0xfe, 0x4b), rawHop), becomes: withdrawn},
		{name: "another first AS", attributes: slices.Concat(rawEGP, pathAttribute(0x40, 2, 2, 1, 0, 0, 0xfe, 0x4c), rawHop), becomes: withdrawn},
		{name: "next hop of five octets", attributes: slices.Concat(rawEGP, rawPath, pathAttribute(0x40, 3, 10, 0, 2, 3, 0)), becomes: withdrawn},
		{name: "next hop 224.0.0.5", attributes: slices.Concat(rawEGP, rawPath, pathAttribute(0x40, 3, 224, 0, 0, 5)), becomes: withdrawn},
		{name: "MED of two octets", attributes: with(pathAttribute(0x80, 4, 0, 1)...), becomes: withdrawn},
		{name: "transitive MED", attributes: with(pathAttribute(0xc0, 4, 0, 0, 0, 1)...), becomes: withdrawn},
		// LOCAL_PREF (§7.5), ATOMIC_AGGREGATE (§7.6), AGGREGATOR (§7.7), ORIGINATOR_ID
		// (§7.9) and CLUSTER_LIST (§7.10) of another AS.
		{name: "local preference of another AS", attributes: with(pathAttribute(0x40, 5, 0, 0, 1, 0)...), becomes: kept},
		{name: "malformed local preference of another AS", attributes: with(pathAttribute(0x40, 5, 9)...), becomes: kept},
		{name: "atomic aggregate with a value", attributes: with(pathAttribute(0x40, 6, 1)...), becomes: kept},
		{name: "aggregator of six octets", attributes: with(pathAttribute(0xc0, 7, 0xfe, 0x4b, 10, 0, 0, 1)...), becomes: kept},
		{name: "originator of another AS", attributes: with(pathAttribute(0x80, 9, 10, 0, 0, 1)...), becomes: kept},
		{name: "clusters of another AS", attributes: with(pathAttribute(0x80, 10, 10, 0, 0, 1)...), becomes: kept},
		// Communities (§7.8, §7.14; RFC 8092 §6).
		{name: "communities of three octets", attributes: with(pathAttribute(0xc0, 8, 0, 0, 1)...), becomes: withdrawn},
		{name: "no communities", attributes: with(pathAttribute(0xc0, 8)...), becomes: withdrawn},
		{name: "extended communities of nine octets", attributes: with(pathAttribute(0xc0, 16, 0, 2, 0, 0, 0, 0, 0, 0, 0)...), becomes: withdrawn},
		{name: "large communities of eight octets", attributes: with(pathAttribute(0xc0, 32, 0, 0, 0, 1, 0, 0, 0, 2)...), becomes: withdrawn},
		// Attributes as a whole (§3 (c), (d), (g), §4).
		{name: "a second origin", attributes: with(rawOrigin...), becomes: kept},
		{name: "no origin", attributes: slices.Concat(rawPath, rawHop), becomes: withdrawn},
		{name: "no path", attributes: slices.Concat(rawEGP, rawHop), becomes: withdrawn},
		{name: "no next hop", attributes: slices.Concat(rawEGP, rawPath), becomes: withdrawn},
		{name: "an attribute beyond the attributes", attributes: with(0xc0, 8, 5, 0, 0, 0, 1), becomes: withdrawn},
		{name: "two octets of an attribute", attributes: with(0xc0, 8), becomes: withdrawn},
		{name: "an unknown attribute, optional and transitive", attributes: with(pathAttribute(0xc0, 99, 1, 2, 3)...), becomes: kept},
		{name: "a well-known attribute that is unknown", attributes: with(pathAttribute(0x40, 250)...), becomes: reset, subcode: 2},
		// NLRI (§5.3), MP_REACH_NLRI (§7.11, §5.1, §3 (g)), and no prefix to withdraw (§5.2).
		{name: "prefix of 33 bits", attributes: with(), nlri: "\x21\xcb\x00\x71\x00\x00", becomes: reset, subcode: 10},
		{name: "prefix cut", attributes: with(), nlri: "\x18\xcb\x00", becomes: reset, subcode: 10},
		{name: "MP_REACH_NLRI of IPv4 with a next hop of six octets", attributes: with(pathAttribute(0x80, 14, 0, 1, 1, 6, 10, 0, 2, 3, 0, 0, 0)...), becomes: reset, subcode: 9},
		{name: "two MP_UNREACH_NLRI", attributes: slices.Concat(pathAttribute(0x80, 15, 0, 2, 1), pathAttribute(0x80, 15, 0, 2, 1)), nlri: "-", becomes: reset, subcode: 1},
		{name: "a fault and no prefix", attributes: slices.Concat(pathAttribute(0x40, 1, 3), rawPath, rawHop), nlri: "-", becomes: reset, subcode: 6},
	}
}

// witnessed is a speaker r between BIRD, which says what it is told, and a host x of a raw
// speaker.
func witnessed(middle bgpMake) *bgpPlan {
	return &bgpPlan{
		seats: []bgpSeat{{name: "r", make: middle, as: 65001}, {name: "b", make: makeBIRD, as: 65002}, {name: "x", make: makeRaw, as: rawAS}},
		nets:  []bgpNet{{seats: [2]string{"r", "b"}}, {seats: [2]string{"r", "x"}, passive: "r"}},
	}
}

// UPDATEs with faults do what RFC 7606 has them do, and no more: those that need no reset
// of the session leave it up, a route that cannot be trusted is withdrawn everywhere, and
// an attribute that does not matter is left out.
func TestBGPFaults(t *testing.T) {
	t.Parallel()
	b := newBGPBench(t, witnessed(makeRouterd))
	const victim = "203.0.113.0/24"
	sees := func(prefix, origin string) func() bool {
		return func() bool {
			r, ok := b.table("b")[prefix]
			return ok && (origin == "" || r.Origin == origin)
		}
	}
	raw := b.rawPeer("x", "10.0.2.3", "10.0.2.1", rawAS)
	neighbor := func() bgpNeighbor { return b.neighbors("r")["10.0.2.3"] }
	since, withdrawn := neighbor().Since, 0
	for i, f := range rawFaults() {
		marker := fmt.Sprintf("198.51.%d.0/24", i)
		raw.send(updateMessage(nil, slices.Concat(rawOrigin, rawPath, rawHop), nlri(victim)))
		within(t, 20*time.Second, "before "+f.name+" BIRD has the route", sees(victim, "igp"))
		prefixes := nlri(victim)
		if f.nlri != "" {
			prefixes = []byte(strings.TrimPrefix(f.nlri, "-"))
		}
		raw.send(updateMessage(nil, f.attributes, prefixes))
		if f.becomes == "reset" {
			within(t, 20*time.Second, "after "+f.name+" the session is over", func() bool { return raw.state() != "" })
			if want := fmt.Sprintf("NOTIFICATION 3/%d", f.subcode); raw.state() != want {
				t.Errorf("%s: the session ended with %s, want %s", f.name, raw.state(), want)
			}
			within(t, 20*time.Second, "after "+f.name+" BIRD has the route no more", func() bool { return !sees(victim, "")() })
			b.run("r", "routerd clear bgp neighbor 10.0.2.3") // which ends its time in Idle
			raw = b.rawPeer("x", "10.0.2.3", "10.0.2.1", rawAS)
			since = neighbor().Since
			continue
		}
		raw.send(updateMessage(nil, slices.Concat(rawOrigin, rawPath, rawHop), nlri(marker)))
		within(t, 20*time.Second, "after "+f.name+" the session lives: "+raw.state(), sees(marker, ""))
		now, has := b.table("b")[victim]
		switch {
		case f.becomes == "withdrawn" && has:
			t.Errorf("%s: BIRD has %+v, want it withdrawn", f.name, now)
		case f.becomes == "kept" && (!has || now.Origin != "egp"):
			t.Errorf("%s: BIRD has %+v (%t), want it with the new origin", f.name, now, has)
		}
		if f.becomes == "withdrawn" {
			withdrawn++
		}
		if n := neighbor(); !n.Since.Equal(since) || n.State != "established" {
			t.Errorf("%s: the session is %s since %v, want established since %v", f.name, n.State, n.Since, since)
		}
	}
	if got := neighbor().Counts["refused"]; got != withdrawn {
		t.Errorf("%d announcements are counted as refused, want the %d that were withdrawn", got, withdrawn)
	}
}
