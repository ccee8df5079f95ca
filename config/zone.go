package config

import (
	"fmt"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/tomltext"
)

// zonePlaces is where the zones and policies of acl.Config are in the text, by
// their places there.
type zonePlaces struct {
	zones, policies []tomltext.Path
}

// decodeZones reads [zone]: the zones and the policies between them.
func (r *reader) decodeZones(top *tomltext.Section, c *Config) {
	s := top.Section("zone")
	// Before the names, since all other keys of the table are names.
	for _, t := range s.Sections("policy") {
		p := acl.Policy{
			From: tomltext.Get(t, "from", "", zoneName), To: tomltext.Get(t, "to", "", zoneName),
			List: tomltext.Get(t, "acl", "", aclName), Origin: r.origin(t.At),
		}
		t.Name(p.From+" to "+p.To, "from")
		for _, key := range []string{"from", "to", "acl"} {
			if !t.Has(key) {
				r.WrongKey(t.At, fmt.Sprintf("%s does not say %s", t.At, key), "from and to, which are zones, and acl, the list for what goes that way")
			}
		}
		if p.List != "" {
			r.acl.uses = append(r.acl.uses, aclUse{p.List, t.At.With("acl").String(), t.At.With("acl")})
		}
		t.Done()
		c.ACL.Policies, r.zones.policies = append(c.ACL.Policies, p), append(r.zones.policies, t.At)
	}
	for _, name := range s.Names() {
		if name == "policy" {
			continue
		}
		z := s.Section(name)
		if z.Table == nil {
			continue // not a table, reported already
		}
		if !isName(name, 64) {
			r.WrongKey(z.At, fmt.Sprintf("a zone is called %q", name), natName.Want)
		}
		zone := acl.Zone{Name: name, Origin: r.origin(z.At)}
		for _, i := range tomltext.Distinct(z, "interfaces", interfaceName) {
			zone.Interfaces = append(zone.Interfaces, i.Value)
		}
		if !z.Has("interfaces") {
			r.WrongKey(z.At, fmt.Sprintf("the zone %s has no interfaces", name), "interfaces = a list of their names")
		}
		z.Done()
		c.ACL.Zones, r.zones.zones = append(c.ACL.Zones, zone), append(r.zones.zones, z.At)
	}
	s.Done()
}

var zoneName = tomltext.Text("the name of a zone [zone.NAME]")

// checkZones checks what zones and policies name.
func (r *reader) checkZones(c *Config) {
	if len(c.ACL.Zones)+len(c.ACL.Policies) == 0 {
		return
	}
	known, zones, in := map[string]bool{}, map[string]bool{}, map[string]tomltext.Path{}
	for _, i := range c.Dataplane.Interfaces {
		known[i.Name] = true
	}
	for n := range c.ACL.Zones {
		z, at := &c.ACL.Zones[n], r.zones.zones[n].With("interfaces")
		zones[z.Name] = true
		for m, name := range z.Interfaces {
			place := at.Element(m)
			if len(z.Interfaces) == 1 {
				place = at // which may be no list
			}
			switch before, twice := in[name]; {
			case !known[name]:
				r.Wrong(place, fmt.Sprintf("the zone %s has the interface %q, and there is no such interface", z.Name, name), "the name of an interface").
					Suggestion = tomltext.Suggest(name, sortedKeys(known))
			case twice:
				r.Wrong(place, fmt.Sprintf("the interface %s is in the zone %s and, by %s, in another one", name, z.Name, r.ValuePlace(before)), "one zone for each interface")
			}
			in[name] = place
		}
	}
	pairs := map[[2]string]tomltext.Path{}
	for n := range c.ACL.Policies {
		p, at := &c.ACL.Policies[n], r.zones.policies[n]
		for key, name := range map[string]string{"from": p.From, "to": p.To} {
			if name != "" && !zones[name] {
				r.Wrong(at.With(key), fmt.Sprintf("%s is %q, and there is no such zone", at.With(key), name), fmt.Sprintf("the name of a zone, or [zone.%s]", name)).
					Suggestion = tomltext.Suggest(name, sortedKeys(zones))
			}
		}
		pair := [2]string{p.From, p.To}
		if before := pairs[pair]; before != nil && p.From != "" && p.To != "" {
			r.Wrong(at.With("to"), fmt.Sprintf("there is a policy from the zone %s to the zone %s before (%s)", p.From, p.To, r.ValuePlace(before.With("to"))), "one policy for each way")
		}
		pairs[pair] = at
	}
	r.warnZones(c, in)
}

// warnZones warns of interfaces that zones shut off.
func (r *reader) warnZones(c *Config, in map[string]tomltext.Path) {
	if len(r.zones.zones) == 0 {
		return
	}
	for _, i := range c.Dataplane.Interfaces {
		if in[i.Name] == nil && i.Kind != dataplane.KindLoopback && i.Kind != dataplane.KindStack {
			at := tomltext.Path(nil).With("interface").With(i.Name)
			r.Odd(at, fmt.Sprintf("the interface %s is in no zone, so nothing is forwarded between it and those that are", i.Name), "its name in interfaces of a zone")
		}
	}
}
