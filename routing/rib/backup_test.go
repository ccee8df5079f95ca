package rib

import (
	"fmt"
	"strings"
	"testing"

	"routerd/routing"
	"routerd/routing/fib"
)

// backupOf makes a hop of hopOf a backup.
func backupOf(hop string) routing.NextHop {
	h := hopOf(hop)
	h.Backup = true
	return h
}

// hopOf reads ADDRESS or ADDRESS@NUMBER.
func hopOf(hop string) routing.NextHop {
	address, on, direct := strings.Cut(hop, "@")
	h := routing.NextHop{Address: ip(address), Interface: routing.NoInterface}
	if direct {
		if _, err := fmt.Sscan(on, &h.Interface); err != nil {
			panic(err)
		}
	}
	return h
}

// group writes the hops of an entry, and behind | its backups.
func (t *table) group(prefix string) string {
	e := t.fib.Get(pfx(prefix))
	switch {
	case e == nil:
		return "-"
	case e.Action != routing.Forward:
		return e.Action.String()
	}
	write := func(hops []fib.NextHop) string {
		var out []string
		for _, h := range hops {
			out = append(out, fmt.Sprintf("%v@%d*%d", h.Address, h.Interface, h.Weight))
		}
		return strings.Join(out, " ")
	}
	text := write(e.Group.Hops())
	if b := e.Group.Backups(); len(b) > 0 {
		text += " | " + write(b)
	}
	return text
}

func TestBackups(t *testing.T) {
	const p = "203.0.113.0/24"
	ospf := func(prefix string, hops ...routing.NextHop) routing.Delta {
		return routing.Delta{Route: routing.Route{Prefix: pfx(prefix), Source: routing.SourceOSPF, NextHops: hops}}
	}
	for _, tt := range []struct {
		name   string
		deltas Deltas
		want   string
	}{
		{"beside a primary", Deltas{ospf(p, hopOf("10.0.0.2@0"), backupOf("10.0.1.2@1"))}, "10.0.0.2@0*1 | 10.0.1.2@1*1"},
		{"before a primary", Deltas{ospf(p, backupOf("10.0.1.2@1"), hopOf("10.0.0.2@0"))}, "10.0.0.2@0*1 | 10.0.1.2@1*1"},
		{"resolved through the table", Deltas{ospf(p, hopOf("10.0.0.2"), backupOf("10.0.1.2"))}, "10.0.0.2@0*1 | 10.0.1.2@1*1"},
		{"of the route resolved through", Deltas{
			ospf("192.0.2.1/32", hopOf("10.0.0.2@0"), backupOf("10.0.1.2@1")), ospf(p, hopOf("192.0.2.1")),
		}, "10.0.0.2@0*1 | 10.0.1.2@1*1"},
		{"a backup has none of its own", Deltas{
			ospf("192.0.2.1/32", hopOf("10.0.0.2@0"), backupOf("10.0.1.2@1")),
			ospf(p, hopOf("198.51.100.1@2"), backupOf("192.0.2.1")),
		}, "198.51.100.1@2*1 | 10.0.0.2@0*1"},
		{"of one that is a hop", Deltas{ospf(p, hopOf("10.0.0.2@0"), backupOf("10.0.0.2"))}, "10.0.0.2@0*1"},
		{"weights apart", Deltas{
			ospf("192.0.2.1/32", hopOf("10.0.0.2@0"), hopOf("10.0.0.3@0"), hopOf("10.0.0.4@0")),
			ospf(p, hopOf("10.0.1.2@1"), hopOf("192.0.2.1"), backupOf("10.0.1.9@1"), backupOf("198.51.100.1@2")),
		}, "10.0.1.2@1*3 10.0.0.2@0*1 10.0.0.3@0*1 10.0.0.4@0*1 | 10.0.1.9@1*1 198.51.100.1@2*1"},
		{"alone", Deltas{ospf(p, backupOf("10.0.1.2@1"))}, "10.0.1.2@1*1"},
		{"with a primary that is not resolved", Deltas{ospf(p, hopOf("172.16.0.1"), backupOf("10.0.1.2@1"))}, "10.0.1.2@1*1"},
		{"that is not resolved", Deltas{ospf(p, hopOf("10.0.0.2@0"), backupOf("172.16.0.1"))}, "10.0.0.2@0*1"},
		{"of a primary that discards", Deltas{
			{Route: routing.Route{Prefix: pfx("192.0.2.1/32"), Source: routing.SourceOSPF, Action: routing.Blackhole}},
			ospf(p, hopOf("192.0.2.1"), backupOf("10.0.1.2@1")),
		}, "blackhole"},
		{"that discards", Deltas{
			{Route: routing.Route{Prefix: pfx("192.0.2.1/32"), Source: routing.SourceOSPF, Action: routing.Blackhole}},
			ospf(p, backupOf("192.0.2.1"), hopOf("10.0.0.2@0")),
		}, "10.0.0.2@0*1"},
	} {
		tab := newTable(t)
		mustStep(t, tab.RIB, tt.deltas)
		tab.flush()
		if got := tab.group(p); got != tt.want {
			t.Errorf("%s: packets go by %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A link that goes down sends packets by the backup before anything is decided,
// as one store for all routes; what the table then decides is the same.
func TestBackupServesBeforeTheTableIsSettled(t *testing.T) {
	const p = "203.0.113.0/24"
	tab := newTable(t)
	mustStep(t, tab.RIB, Deltas{{Route: routing.Route{
		Prefix: pfx(p), Source: routing.SourceOSPF, NextHops: []routing.NextHop{hopOf("10.0.0.2@0"), backupOf("10.0.1.2@1")},
	}}})
	tab.flush()
	inUse := tab.fib.Get(pfx(p)).Group
	if by := inUse.Pick(7).Interface; by != lan0 {
		t.Fatalf("a flow goes by interface %d although lan0 is up", by)
	}
	tab.link(lan0, "lan0", false, "10.0.0.1/24", "2001:db8::1/64")
	if by := inUse.Pick(7).Interface; by != lan1 {
		t.Errorf("a flow goes by interface %d, want the backup on lan1", by)
	}
	tab.flush()
	if got := tab.group(p); got != "10.0.1.2@1*1" {
		t.Errorf("packets go by %s, want the backup as if it were none", got)
	}
	tab.link(lan0, "lan0", true, "10.0.0.1/24", "2001:db8::1/64")
	tab.flush()
	if got := tab.group(p); got != "10.0.0.2@0*1 | 10.0.1.2@1*1" {
		t.Errorf("packets go by %s once the link is back", got)
	}
}

// Show and explain say which hop is a backup; a protocol that the route is
// redistributed to is told of the others only.
func TestBackupsAreShownAndNotRedistributed(t *testing.T) {
	const p = "203.0.113.0/24"
	tab := newTable(t)
	mustStep(t, tab.RIB,
		Subscribe{Name: "rip", Redistribute: []Redistribution{{Source: routing.SourceOSPF}}},
		Deltas{
			{Route: routing.Route{
				Prefix: pfx("192.0.2.1/32"), Source: routing.SourceOSPF, NextHops: []routing.NextHop{hopOf("10.0.0.2@0"), backupOf("10.0.1.2@1")},
			}},
			{Route: routing.Route{Prefix: pfx(p), Source: routing.SourceOSPF, NextHops: []routing.NextHop{hopOf("192.0.2.1"), backupOf("198.51.100.1")}}},
		})
	tab.flush()
	hops := tab.Get(pfx(p))[0].NextHops
	if len(hops) != 2 || hops[0].Backup || !hops[1].Backup {
		t.Fatalf("the route has %+v, want a hop and a backup", hops)
	}
	if r := hops[0].Resolved; len(r) != 2 || r[0].Backup || !r[1].Backup || r[1].Index == 0 {
		t.Errorf("the hop resolves to %+v, want a hop and a backup", r)
	}
	steps := tab.Explain(ip("203.0.113.1")).Resolution
	var backups []bool
	for _, s := range steps {
		backups = append(backups, s.NextHop.Backup)
	}
	if fmt.Sprint(backups) != "[false false true true]" {
		t.Errorf("of the steps %+v these are backups: %v", steps, backups)
	}
	n, _ := tab.Drain("rip", 10)
	for _, d := range n.Routes {
		if len(d.Route.NextHops) != 1 || d.Route.NextHops[0].Interface != lan0 || d.Route.NextHops[0].Backup {
			t.Errorf("rip is told of %+v", d.Route)
		}
	}
	if len(n.Routes) != 2 {
		t.Errorf("rip is told of %d routes, want 2", len(n.Routes))
	}
}
