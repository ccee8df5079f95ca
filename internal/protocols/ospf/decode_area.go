package ospf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

const backbone wire.ID = 0

func (d *decoder) decodeAreas(s *tomltext.Section, cfg *ospf.Config) {
	for _, name := range s.Names() {
		t := s.Section(name)
		if t.Table == nil {
			continue
		}
		id, err := areaNamed(name)
		if err != nil {
			d.WrongKey(t.At, fmt.Sprintf("%q is no area", name), areaReading.Want)
			id = ^backbone // for what else is wrong with it
		}
		a := d.decodeArea(t, id, cfg)
		if err != nil {
			continue
		}
		if before, twice := d.areas[id]; twice {
			d.WrongKey(t.At, fmt.Sprintf("%s is the same area as %s", t.At, before), "one table for each area")
			continue
		}
		d.areas[id], cfg.Areas[id] = t.At, a
	}
}

func (d *decoder) decodeArea(s *tomltext.Section, id wire.ID, cfg *ospf.Config) ospf.AreaConfig {
	a := ospf.DefaultArea()
	a.Type = tomltext.Get(s, "type", a.Type, areaTypeReading)
	a.NoSummaries = tomltext.Get(s, "no-summary", a.NoSummaries, tomltext.Bool)
	a.DefaultCost = uint32(tomltext.Get(s, "default-cost", int(a.DefaultCost), metricReading))
	a.DefaultInformation = d.decodeDefault(s.Optional("default-information"))
	a.Translator = tomltext.Get(s, "translator", a.Translator, translatorReading)
	a.Ranges = d.decodeRanges(s.Section("range"), false)
	a.NSSARanges = d.decodeRanges(s.Section("nssa-range"), true)
	a.Virtual = d.decodeVirtual(s.Section("virtual-link"), cfg)
	s.Done()
	if id == backbone && a.Type != ospf.Normal {
		d.Wrong(s.At.With("type"), fmt.Sprintf("%s is the backbone, and its type %s", s.At, a.Type), "no type: the backbone is always normal") // RFC 2328 §3.6
		a.Type = ospf.Normal
	}
	for _, k := range []struct {
		key string
		of  []ospf.AreaType
	}{
		{"no-summary", []ospf.AreaType{ospf.Stub, ospf.NSSA}},
		{"default-cost", []ospf.AreaType{ospf.Stub, ospf.NSSA}},
		{"default-information", []ospf.AreaType{ospf.NSSA}},
		{"translator", []ospf.AreaType{ospf.NSSA}},
		{"nssa-range", []ospf.AreaType{ospf.NSSA}},
	} {
		if s.Has(k.key) && !slices.Contains(k.of, a.Type) {
			d.Odd(s.At.With(k.key), fmt.Sprintf("%s has %s, which means nothing in a %s area", s.At, k.key, a.Type), "an area of type "+tomltext.Quoted(words(k.of)))
		}
	}
	if len(a.Virtual) > 0 && (id == backbone || a.Type != ospf.Normal) { // RFC 2328 §15
		d.Wrong(s.At.With("virtual-link"), fmt.Sprintf("a virtual link leads through %s, which is %s", s.At, areaText(id, a.Type)),
			"a normal area that is not the backbone")
	}
	return a
}

func areaText(id wire.ID, t ospf.AreaType) string {
	switch {
	case id == backbone:
		return "the backbone"
	case t == ospf.Stub:
		return "a stub area"
	case t == ospf.NSSA:
		return "an NSSA"
	}
	return "a normal area"
}

func words(list []ospf.AreaType) (words []string) {
	for _, t := range list {
		words = append(words, t.String())
	}
	return words
}

// decodeRanges reads ranges, whose names are their prefixes.
func (d *decoder) decodeRanges(s *tomltext.Section, tagged bool) []ospf.Range {
	var all []ospf.Range
	for _, name := range s.Names() {
		t := s.Section(name)
		r := ospf.Range{
			Hide: !tomltext.Get(t, "advertise", true, tomltext.Bool),
			Cost: uint32(tomltext.Get(t, "cost", 0, tomltext.Whole(1, wire.Infinity-1))),
		}
		if tagged {
			r.Tag = uint32(tomltext.Get(t, "tag", 0, tagReading))
		}
		t.Done()
		var err error
		r.Prefix, err = netip.ParsePrefix(name)
		if err != nil || !r.Prefix.Addr().Is4() || r.Prefix != r.Prefix.Masked() {
			d.WrongKey(t.At, fmt.Sprintf("%q is no range", name), `an IPv4 prefix, like "10.7.0.0/16"`)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b ospf.Range) int { return a.Prefix.Compare(b.Prefix) })
	return all
}

// decodeVirtual reads virtual links, whose names are the routers at the other end.
func (d *decoder) decodeVirtual(s *tomltext.Section, cfg *ospf.Config) map[wire.ID]ospf.VirtualConfig {
	var all map[wire.ID]ospf.VirtualConfig
	for _, name := range s.Names() {
		t := s.Section(name)
		v := ospf.VirtualConfig{Timers: d.decodeTimers(t, ospf.DefaultTimers(ospf.Virtual), wholeDead), Auth: d.decodeAuth(t.Optional("auth"))}
		t.Done()
		peer, err := dotted(name)
		switch {
		case err != nil || peer == 0:
			d.WrongKey(t.At, fmt.Sprintf("%q is no router ID", name), decode.RouterID.Want)
			continue
		case peer == cfg.RouterID:
			d.WrongKey(t.At, fmt.Sprintf("the virtual link to %s leads to this router itself", name), "the router ID of the other end")
			continue
		}
		if all == nil {
			all = map[wire.ID]ospf.VirtualConfig{}
		}
		all[peer] = v
	}
	return all
}

// checkAreas looks at areas and interfaces together.
func (d *decoder) checkAreas(s *tomltext.Section, cfg *ospf.Config) {
	used := map[wire.ID]bool{}
	for _, i := range cfg.Interfaces {
		used[i.Area] = true
	}
	virtual := false
	for _, id := range slices.Sorted(maps.Keys(cfg.Areas)) {
		a := cfg.Areas[id]
		virtual = virtual || len(a.Virtual) > 0
		if !used[id] && (id != backbone || len(a.Ranges) > 0) {
			d.Odd(d.areas[id], fmt.Sprintf("%s has no interface", d.areas[id]), fmt.Sprintf("[ospf.interface.NAME] with area = %q", id))
		}
	}
	if len(used) > 1 && !used[backbone] && !virtual && !cfg.StandardABR {
		d.Odd(s.At, fmt.Sprintf("%s has interfaces in %d areas and none in the backbone, so nothing goes from one area to another", s.At, len(used)),
			"an interface in area 0, or a virtual link to it")
	}
}
