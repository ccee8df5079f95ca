package config

import (
	"fmt"
	"slices"
	"strings"

	"routerd/acl"
	"routerd/internal/packet"
	"routerd/internal/tomltext"
	"routerd/routing"
)

// aclPlaces has the places of what names a list, for the checks.
type aclPlaces struct {
	lists map[string]tomltext.Path
	uses  []aclUse
}

// aclUse is a place where a list is named.
type aclUse struct {
	list, what string
	at         tomltext.Path
}

// decodeACLNames reads which lists an interface has.
func (r *reader) decodeACLNames(s *tomltext.Section, name string, c *Config) {
	b := acl.Binding{Interface: name}
	for _, key := range []string{"acl-in", "acl-out"} {
		list := tomltext.Get(s, key, "", aclName)
		if list == "" {
			continue
		}
		r.acl.uses = append(r.acl.uses, aclUse{list, s.At.With(key).String(), s.At.With(key)})
		if key == "acl-in" {
			b.In = list
		} else {
			b.Out = list
		}
	}
	if b.In != "" || b.Out != "" {
		c.ACL.Interfaces = append(c.ACL.Interfaces, b)
	}
}

var aclName = tomltext.Text("the name of a list [acl.NAME]")

// decodeACL reads [acl]: the lists and the one for the router itself. The sets
// of [policy.prefix-set] have been read before.
func (r *reader) decodeACL(top *tomltext.Section, c *Config) {
	slices.SortFunc(c.ACL.Interfaces, func(a, b acl.Binding) int { return strings.Compare(a.Interface, b.Interface) })
	for _, p := range c.Policy.PrefixSets {
		set := acl.Set{Name: p.Name}
		for _, e := range p.Entries {
			set.Prefixes = append(set.Prefixes, e.Prefix)
		}
		c.ACL.Sets = append(c.ACL.Sets, set)
	}
	s := top.Section("acl")
	// Before the names, since all other keys of the table are names.
	if c.ACL.Local = tomltext.Get(s, "local", "", aclName); c.ACL.Local != "" {
		r.acl.uses = append(r.acl.uses, aclUse{c.ACL.Local, "acl.local", s.At.With("local")})
	}
	r.acl.lists = map[string]tomltext.Path{}
	for _, name := range s.Names() {
		if name == "local" {
			continue
		}
		l := s.Section(name)
		if l.Table == nil {
			continue // not a table, reported already
		}
		if !isName(name, 64) {
			r.WrongKey(l.At, fmt.Sprintf("a list is called %q", name), natName.Want)
		}
		r.acl.lists[name] = l.At
		c.ACL.Lists = append(c.ACL.Lists, r.decodeACLList(l, name, c))
	}
	s.Done()
}

func (r *reader) decodeACLList(s *tomltext.Section, name string, c *Config) acl.List {
	l := acl.List{
		Name:       name,
		Default:    tomltext.Get(s, "default-action", acl.Drop, tomltext.OneOf([]string{"accept", "drop", "reject"}, []acl.Action{acl.Accept, acl.Drop, acl.Reject})),
		LogDefault: tomltext.Get(s, "log-default", false, tomltext.Bool),
		Loose:      tomltext.Get(s, "state", false, tomltext.OneOf([]string{"strict", "loose"}, []bool{false, true})),
		Origin:     r.origin(s.At),
	}
	names := map[string]bool{}
	for _, t := range s.Sections("rule") {
		rule := r.decodeACLRule(t, name, names, c)
		l.Rules = append(l.Rules, rule)
	}
	s.Done()
	return l
}

func (r *reader) decodeACLRule(s *tomltext.Section, list string, names map[string]bool, c *Config) acl.Rule {
	rule := acl.Rule{Name: tomltext.Get(s, "name", "", natName), Origin: r.origin(s.At.With("name"))}
	switch {
	case !s.Has("name"):
		r.WrongKey(s.At, fmt.Sprintf("%s has no name", s.At), "name = a word of your own: what the rule is counted and shown by")
	case rule.Name != "" && names[rule.Name]:
		r.Wrong(s.At.With("name"), fmt.Sprintf("%s is %q, the name of a rule before it in the list", s.At.With("name"), rule.Name), "a name of its own")
	}
	names[rule.Name] = true
	s.Name(rule.Name, "name")
	rule.Action = tomltext.Get(s, "action", acl.Accept, tomltext.OneOf(
		[]string{"accept", "drop", "reject", "count", "log"}, []acl.Action{acl.Accept, acl.Drop, acl.Reject, acl.Count, acl.Log}))
	rule.Log = tomltext.Get(s, "log", false, tomltext.Bool)
	if !s.Has("action") {
		r.WrongKey(s.At, fmt.Sprintf("the rule %q of the list %s has no action", rule.Name, list), `action = "accept", "drop", "reject", "count" or "log"`)
	}
	rule.Family = tomltext.Get(s, "family", 0, tomltext.OneOf([]string{"ipv4", "ipv6"}, []uint8{4, 6}))
	for _, v := range tomltext.Distinct(s, "state", aclState) {
		rule.States = append(rule.States, v.Value)
	}
	r.decodeACLAddresses(s, &rule, c)
	r.decodeACLTransport(s, &rule)
	for _, i := range tomltext.Distinct(s, "inbound-interface", interfaceName) {
		rule.Inbound = append(rule.Inbound, i.Value)
	}
	for _, i := range tomltext.Distinct(s, "outbound-interface", interfaceName) {
		rule.Outbound = append(rule.Outbound, i.Value)
	}
	rule.Fragments = tomltext.Get(s, "fragments", false, tomltext.Bool)
	for _, v := range tomltext.Distinct(s, "dscp", aclDSCP) {
		rule.DSCPs = append(rule.DSCPs, v.Value)
	}
	for _, v := range tomltext.Distinct(s, "length", aclLength) {
		rule.Lengths = append(rule.Lengths, v.Value)
	}
	rule.Limits = r.decodeACLLimits(s, "limit", &rule, acl.MaxConnections)
	rule.HostLimits = r.decodeACLLimits(s, "host-limit", &rule, acl.MaxOfHost)
	s.Done()
	return rule
}

var aclState = tomltext.OneOf(
	[]string{"new", "established", "related", "invalid"}, []acl.State{acl.New, acl.Established, acl.Related, acl.Invalid})

func (r *reader) decodeACLAddresses(s *tomltext.Section, rule *acl.Rule, c *Config) {
	for _, a := range tomltext.Distinct(s, "source", aclAddresses) {
		rule.Sources = append(rule.Sources, a.Value)
	}
	for _, a := range tomltext.Distinct(s, "destination", aclAddresses) {
		rule.Destinations = append(rule.Destinations, a.Value)
	}
	set := func(key string) (names []string) {
		for _, v := range tomltext.Distinct(s, key, tomltext.Text("the name of a set of [policy.prefix-set]")) {
			there := slices.ContainsFunc(c.ACL.Sets, func(x acl.Set) bool { return x.Name == v.Value })
			if ready, ok := readySet(v.Value); ok && !there {
				c.ACL.Sets, there = append(c.ACL.Sets, ready), true
			}
			if !there {
				known := sortedKeys(readySets)
				for _, x := range c.ACL.Sets {
					known = append(known, x.Name)
				}
				r.Wrong(v.At, fmt.Sprintf("%s is %q, and there is no such prefix-set", v.At, v.Value), `a name of [policy.prefix-set], or "bogons" or "documentation"`).
					Suggestion = tomltext.Suggest(v.Value, known)
			}
			names = append(names, v.Value)
		}
		return names
	}
	rule.SourceSets, rule.DestinationSets = set("source-set"), set("destination-set")
	// A condition of which no value could be read must not match everything.
	for _, key := range []string{"source", "destination", "source-set", "destination-set", "protocol", "source-port", "destination-port", "icmp-type", "state", "dscp", "length", "inbound-interface", "outbound-interface"} {
		if s.Has(key) && len(s.Elements(key)) == 0 {
			r.Wrong(s.At.With(key), fmt.Sprintf("%s is an empty list, which nothing matches", s.At.With(key)), "one value at least, or no such key")
		}
	}
}

// decodeACLTransport reads what concerns the protocol and what is inside it.
func (r *reader) decodeACLTransport(s *tomltext.Section, rule *acl.Rule) {
	var words []string
	for _, p := range tomltext.Distinct(s, "protocol", aclProtocol) {
		rule.Protocols = append(rule.Protocols, p.Value)
		words = append(words, aclProtocolText(p.Value))
	}
	s.Record("protocol", strings.Join(words, " "))
	for _, p := range tomltext.Distinct(s, "source-port", portRange) {
		rule.SourcePorts = append(rule.SourcePorts, p.Value)
	}
	for _, p := range tomltext.Distinct(s, "destination-port", portRange) {
		rule.DestinationPorts = append(rule.DestinationPorts, p.Value)
	}
	for _, t := range tomltext.Distinct(s, "icmp-type", tomltext.Text("a type of ICMP")) {
		if v, ok := aclICMPTypes(t.Value, rule.Protocols); ok {
			rule.ICMP = append(rule.ICMP, v...)
			continue
		}
		r.Wrong(t.At, fmt.Sprintf("%s is %q", t.At, t.Value),
			`a name such as "echo-request" or "destination-unreachable" of the rule's protocol, or a number, "3", or one with a code, "3/4"; of icmpv6 also "transit-must-pass" or "local-must-pass"`)
	}
	for _, f := range tomltext.Distinct(s, "tcp-flags", aclFlag) {
		rule.TCPFlags.Of |= f.Value.Of
		rule.TCPFlags.Set |= f.Value.Set
	}
	r.checkACLTransport(s, rule)
}

// checkACLTransport refuses conditions that do not go with the protocol.
func (r *reader) checkACLTransport(s *tomltext.Section, rule *acl.Rule) {
	wrong := func(key, what, want string) {
		r.Wrong(s.At.With(key), fmt.Sprintf("%s matches %s, and %s", s.At, what, protocolsText(rule.Protocols)), want)
	}
	for _, key := range []string{"source-port", "destination-port"} {
		if s.Has(key) && (len(rule.Protocols) == 0 || slices.ContainsFunc(rule.Protocols, func(p uint8) bool { return !acl.HasPorts(p) })) {
			wrong(key, "ports", `protocol = "tcp", "udp" or ["tcp", "udp"]`)
			return
		}
	}
	if one := len(rule.Protocols) == 1; s.Has("icmp-type") && (!one || rule.Protocols[0] != packet.ProtoICMP && rule.Protocols[0] != packet.ProtoICMPv6) {
		wrong("icmp-type", "ICMP types", `protocol = "icmp" or "icmpv6"`)
	}
	if s.Has("tcp-flags") && !slices.Equal(rule.Protocols, []uint8{packet.ProtoTCP}) {
		wrong("tcp-flags", "TCP flags", `protocol = "tcp"`)
	}
}

func protocolsText(list []uint8) string {
	if len(list) == 0 {
		return "says no protocol"
	}
	var words []string
	for _, p := range list {
		words = append(words, aclProtocolText(p))
	}
	return "the protocol " + strings.Join(words, ", ")
}

// checkACL checks what lists and rules name, and compiles the lists.
func (r *reader) checkACL(c *Config) {
	for _, u := range r.acl.uses {
		if r.acl.lists[u.list] == nil {
			r.Wrong(u.at, fmt.Sprintf("%s is %q, and there is no such list", u.what, u.list), fmt.Sprintf("the name of a list, or [acl.%s]", u.list)).
				Suggestion = tomltext.Suggest(u.list, sortedKeys(r.acl.lists))
		}
	}
	for name, at := range r.acl.lists {
		if !slices.ContainsFunc(r.acl.uses, func(u aclUse) bool { return u.list == name }) {
			r.Odd(at, fmt.Sprintf("nothing uses the list %s", name), "acl-in or acl-out of an interface, local of [acl], or a policy between zones")
		}
	}
	r.checkZones(c)
	var list []acl.Interface
	known := map[string]bool{}
	for n, i := range c.Dataplane.Interfaces {
		list = append(list, acl.Interface{ID: routing.InterfaceID(n), Name: i.Name})
		known[i.Name] = true
	}
	for i := range c.ACL.Lists {
		l := &c.ACL.Lists[i]
		for n := range l.Rules {
			rule, at := &l.Rules[n], r.acl.lists[l.Name].With("rule").Element(n)
			for key, names := range map[string][]string{"inbound-interface": rule.Inbound, "outbound-interface": rule.Outbound} {
				for m, name := range names {
					if !known[name] {
						r.Wrong(at.With(key).Element(m), fmt.Sprintf("the rule %q names the interface %q, and there is no such interface", rule.Name, name), "the name of an interface").
							Suggestion = tomltext.Suggest(name, sortedKeys(known))
					}
				}
			}
		}
	}
	if Failed(r.Problems()) {
		return
	}
	for i := range c.ACL.Lists {
		r.warnACL(&c.ACL.Lists[i])
	}
	r.warnShut(c)
	if _, err := acl.Compile(c.ACL, list, nil); err != nil {
		r.Wrong(tomltext.Path(nil).With("acl"), err.Error(), "")
	}
}

// warnACL warns of rules of a list that no packet can reach.
func (r *reader) warnACL(l *acl.List) {
	for _, w := range l.Idle(mostCompared) {
		at := r.acl.lists[l.Name].With("rule").Element(w.Rule).With("name")
		name := l.Rules[w.Rule].Name
		if w.Before < 0 {
			r.Odd(at, fmt.Sprintf("the rule %q of the list %s can never match: %s", name, l.Name, w.Why), "conditions that go together, or no such rule")
			continue
		}
		before := r.acl.lists[l.Name].With("rule").Element(w.Before).With("name")
		r.Odd(at, fmt.Sprintf("the rule %q of the list %s can never match: the rule %q before it (%s) decides about all its packets", name, l.Name, l.Rules[w.Before].Name, r.ValuePlace(before)),
			"another order, or no such rule")
	}
}
