package acl

import (
	"slices"
	"testing"
)

// TestLogIsHit: a packet's hits say which of them log, by their places among
// those that do, and "log" decides nothing.
func TestLogIsHit(t *testing.T) {
	cfg := Config{
		Interfaces: []Binding{{Interface: "lan0", In: "x"}, {Interface: "wan0", In: "y"}},
		Lists: []List{
			{Name: "x", Default: Accept, LogDefault: true, Rules: []Rule{
				{Name: "plain", Action: Count},
				{Name: "both", Action: Log},
				{Name: "udp", Protocols: []uint8{17}, Action: Drop, Log: true},
			}},
			{Name: "y", Default: Drop, Rules: []Rule{{Name: "also", Action: Count, Log: true}}},
		},
	}
	r := compiled(t, cfg, nil)
	names := func(p Packet, l *Compiled) (logged []string, a Action) {
		d, hits := l.Decide(&p, nil)
		for _, h := range hits {
			place, _ := r.Place(h.Number)
			if place.Logs != (h.Log != 0) {
				t.Errorf("rule %q logs %t, and its hit is %+v", place.Rule, place.Logs, h)
			}
			if h.Log != 0 {
				if r.Logged()[h.Log-1] != h.Number {
					t.Errorf("rule %q is said to be the one that logs at place %d of %v", place.Rule, h.Log-1, r.Logged())
				}
				logged = append(logged, place.Rule)
			}
		}
		return logged, d.Action
	}
	for _, tt := range []struct {
		protocol uint8
		list     *Compiled
		want     []string
		action   Action
	}{
		{6, r.In(1), []string{"both", ""}, Accept},
		{17, r.In(1), []string{"both", "udp"}, Drop},
		{6, r.In(2), []string{"also"}, Drop},
	} {
		if got, a := names(Packet{Family: 4, Protocol: tt.protocol}, tt.list); !slices.Equal(got, tt.want) || a != tt.action {
			t.Errorf("protocol %d by list %s: %s, logged by %q, want %s and %q", tt.protocol, tt.list.Name, a, got, tt.action, tt.want)
		}
	}
	if idle := cfg.Lists[0].Idle(10); len(idle) != 0 {
		t.Errorf("rules behind one that only logs are said to be unreachable: %+v", idle)
	}
}
