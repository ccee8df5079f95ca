package bgp

import (
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/bgp"
)

// decodeFamilies reads which families of routes a neighbour has, and what holds for all
// of them and for each.
func (d *decoder) decodeFamilies(s *tomltext.Section, n *settings) {
	if list := tomltext.Distinct(s, "afi-safis", familyReading); s.Has("afi-safis") {
		n.hasFamilies = true
		for f := range n.Families {
			n.Families[f].Enabled = false
		}
		for _, f := range list {
			n.Families[f.Value].Enabled = true
		}
	}
	s.Default("afi-safis", "that of its address")
	var all []*bgp.FamilyConfig
	for f := range n.Families {
		all = append(all, &n.Families[f])
	}
	d.decodeFamily(s, all...)
	for f := range n.Families {
		t := s.Section(families[f])
		d.decodeFamily(t, &n.Families[f])
		inherits(t)
		if t.Done(); t.Table == nil {
			continue
		}
		if n.hasFamilies && !n.Families[f].Enabled {
			d.Odd(t.At, t.At.String()+" is said of a family that the neighbor does not have", "the family in afi-safis")
		}
	}
}

// inherits has the keys of a family that the text does not say be nothing of its own: a diff
// says of those of its neighbour what has changed, and not once more of each family.
func inherits(t *tomltext.Section) {
	for _, key := range []string{"soft-reconfiguration", "long-lived-stale-time"} {
		t.Default(key, "")
	}
	paths, limit := t.Section("add-path"), t.Section("prefix-limit")
	for _, key := range []string{"send", "receive"} {
		paths.Default(key, "")
	}
	for _, key := range []string{"max-prefixes", "count", "action", "restart-timer", "warning-threshold-pct"} {
		limit.Default(key, "")
	}
}

// decodeFamily reads what holds for each of the families.
func (d *decoder) decodeFamily(s *tomltext.Section, of ...*bgp.FamilyConfig) {
	in, hasIn := d.decodePolicy(s, "import-policy")
	out, hasOut := d.decodePolicy(s, "export-policy")
	own, hasOwn := d.decodeDefaultOriginate(s)
	decodePaths(s, of)
	keep := tomltext.Get(s, "soft-reconfiguration", of[0].KeepReceived, tomltext.Bool)
	limit := s.Section("prefix-limit")
	most := tomltext.Get(limit, "max-prefixes", of[0].MaximumPrefixes, tomltext.Whole(0, 1<<30))
	again := tomltext.Get(limit, "restart-timer", of[0].Restart, tomltext.Duration(0, 24*time.Hour))
	warning := tomltext.Get(limit, "warning-threshold-pct", of[0].LimitWarning, tomltext.Whole(0, 100))
	action := tomltext.Get(limit, "action", of[0].LimitAction, actionReading)
	counted := tomltext.Get(limit, "count", of[0].LimitReceived, countReading)
	limit.Done()
	for _, f := range of {
		if hasIn {
			f.Import = in
		}
		if hasOut {
			f.Export = out
		}
		if hasOwn {
			f.Default = own
		}
		if limit.Has("warning-threshold-pct") {
			f.LimitWarning = warning
		}
		if limit.Has("action") {
			f.LimitAction = action
		}
		if limit.Has("count") {
			f.LimitReceived = counted
		}
		if s.Has("soft-reconfiguration") {
			f.KeepReceived = keep
		}
		if limit.Has("max-prefixes") {
			f.MaximumPrefixes = most
		}
		if limit.Has("restart-timer") {
			f.Restart = again
		}
	}
}

// decodePolicy reads the policies for one direction. An empty list accepts everything, also
// from and to another AS.
func (d *decoder) decodePolicy(s *tomltext.Section, key string) (p bgp.Policy, given bool) {
	chain := d.Chain(s, key)
	return bgp.Policy{Given: true, Chain: chain}, s.Has(key)
}
