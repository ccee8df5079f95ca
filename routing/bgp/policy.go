package bgp

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// PolicyAttributes are what policies see of a route of BGP, as the Attributes of a
// [policy.Route]. They do not change: a statement that sets something gives the route
// others. Who caches verdicts by sets of attributes has a cache for each neighbour.
type PolicyAttributes struct {
	wire.Attributes            // but for the next hop, which is the route's
	Weight          uint32     // 0 unless a policy sets it
	Neighbor        netip.Addr // that it came from, or is sent to; invalid for neither
	MEDSet          bool       // a statement has set the MED, see [Sent]
	NextHopSelf     bool       // a statement wants the router's own address
}

// Extensions are the keys of BGP in policies.
func Extensions() []policy.Extension {
	match := func(name, want string, f func(any) (policy.Condition, error)) policy.Extension {
		return policy.Extension{Name: name, Want: want, Match: f}
	}
	set := func(name, want string, f func(any) (policy.Change, error)) policy.Extension {
		return policy.Extension{Name: name, Want: want, Set: f}
	}
	const (
		community = `communities as "65000:1", "65000:*" or "no-export"`
		large     = `large communities as "65000:1:2" or "65000:*:*"`
		extended  = `extended communities as "rt:65000:1", "ro:192.0.2.1:1" or "rt:65000:*"`
		number    = "a number from 0 to 4294967295"
	)
	both := func(e policy.Extension, f func(any) (policy.Change, error)) policy.Extension {
		e.Set = f
		return e
	}
	sets := func(name string, e policy.Extension) policy.Extension {
		e.Sets = name
		return e
	}
	return []policy.Extension{
		sets("as-path-set", match("as-path", `regular expressions as "^65000_", in which _ is what separates AS numbers`, matchPath)),
		match("as-path-length", `a number, or a range as "1..5"`, matchPathLength),
		match("origin-as", "AS numbers", matchOriginAS),
		{
			Name: "neighbor", Want: `addresses or prefixes as "192.0.2.1" or "2001:db8::/32"`, Match: matchNeighbor,
			Depends: policy.OnNeighbor,
		},
		both(match("origin", `"igp", "egp" or "incomplete"`, matchOrigin), setOrigin),
		both(match("med", `a number, or a range as "1..5"; to set one, also "+5" or "-5"`, matchMED), setMED),
		both(match("local-pref", `a number, or a range as "1..5"; to set one, also "+5" or "-5"`, matchLocalPref), setLocalPref),
		both(sets("community-set", match("community", community, matchCommunity)), setCommunities(replaceCommunities)),
		both(sets("large-community-set", match("large-community", large, matchLarge)), setLarge(replaceCommunities)),
		both(sets("extended-community-set", match("extended-community", extended, matchExtended)), setExtended(replaceCommunities)),
		set("community-add", community, setCommunities(addCommunities)),
		set("community-remove", community, setCommunities(removeCommunities)),
		set("large-community-add", large, setLarge(addCommunities)),
		set("large-community-remove", large, setLarge(removeCommunities)),
		set("extended-community-add", extended, setExtended(addCommunities)),
		set("extended-community-remove", extended, setExtended(removeCommunities)),
		set("as-path-prepend", `AS numbers as "65000 65000"`, setPrepend),
		set("weight", number, setWeight),
		set("next-hop-self", "true or false", setNextHopSelf),
	}
}

// attributes are those of a route of BGP, nil of another one.
func attributes(r *policy.Route) *PolicyAttributes {
	a, _ := r.Attributes.(*PolicyAttributes)
	return a
}

// condition is one that asks the attributes; what, has and want make its words.
type condition struct {
	holds func(*PolicyAttributes) bool
	what  string                         // "its community"
	has   func(*PolicyAttributes) string // what it is
	want  string                         // what it is not
}

func (c *condition) Holds(r *policy.Route) bool {
	a := attributes(r)
	return a != nil && c.holds(a)
}

func (c *condition) Miss(r *policy.Route) string {
	a := attributes(r)
	if a == nil {
		return "it is not a route of BGP"
	}
	has := c.has(a)
	if has == "" {
		has = "none"
	}
	return fmt.Sprintf("%s is %s, not %s", c.what, has, c.want)
}

// change is one that gives the route other attributes.
type change struct {
	apply func(*PolicyAttributes)
	text  string
}

func (c *change) Apply(r *policy.Route) bool {
	a := attributes(r)
	if a == nil {
		return false
	}
	other := *a
	c.apply(&other)
	r.Attributes, r.AttributesSet = &other, true
	return true
}

func (c *change) String() string { return c.text }

func matchPath(value any) (policy.Condition, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var patterns []*PathPattern
	for _, text := range list {
		p, err := CompilePath(text)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, p)
	}
	return &condition{
		holds: func(a *PolicyAttributes) bool {
			for _, p := range patterns {
				if p.Match(a.ASPath) {
					return true
				}
			}
			return false
		},
		what: "its AS path", has: pathText, want: either(list),
	}, nil
}

func pathText(a *PolicyAttributes) string {
	if len(a.ASPath) == 0 {
		return "empty"
	}
	return a.ASPath.String()
}

func matchPathLength(value any) (policy.Condition, error) {
	return inRange(value, "the length of its AS path", func(a *PolicyAttributes) (uint32, bool) { return uint32(a.ASPath.Length()), true })
}

func matchMED(value any) (policy.Condition, error) {
	return inRange(value, "its MED", func(a *PolicyAttributes) (uint32, bool) { return a.MED, a.Has(wire.AttrMED) })
}

func matchLocalPref(value any) (policy.Condition, error) {
	return inRange(value, "its local preference", func(a *PolicyAttributes) (uint32, bool) {
		if !a.Has(wire.AttrLocalPref) {
			return DefaultLocalPref, true
		}
		return a.LocalPref, true
	})
}

// inRange is a condition about a number that a route may lack.
func inRange(value any, what string, of func(*PolicyAttributes) (uint32, bool)) (policy.Condition, error) {
	list, err := ranges(value)
	if err != nil {
		return nil, err
	}
	words := make([]string, len(list))
	for i, r := range list {
		words[i] = r.String()
	}
	return &condition{
		holds: func(a *PolicyAttributes) bool {
			n, ok := of(a)
			for _, r := range list {
				if ok && r.Low <= n && n <= r.High {
					return true
				}
			}
			return false
		},
		what: what,
		has: func(a *PolicyAttributes) string {
			if n, ok := of(a); ok {
				return fmt.Sprint(n)
			}
			return ""
		},
		want: either(words),
	}, nil
}

func matchOriginAS(value any) (policy.Condition, error) {
	return inRange(value, "the AS that it comes from", func(a *PolicyAttributes) (uint32, bool) {
		as := a.ASPath.Last()
		return as, as != 0
	})
}

func matchNeighbor(value any) (policy.Condition, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, text := range list {
		p, err := prefix(text)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, p)
	}
	return &condition{
		holds: func(a *PolicyAttributes) bool {
			for _, p := range prefixes {
				if p.Contains(a.Neighbor) {
					return true
				}
			}
			return false
		},
		what: "its neighbour",
		has: func(a *PolicyAttributes) string {
			if !a.Neighbor.IsValid() {
				return ""
			}
			return a.Neighbor.String()
		},
		want: either(list),
	}, nil
}

func matchOrigin(value any) (policy.Condition, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var set uint8
	for _, text := range list {
		o, err := origin(text)
		if err != nil {
			return nil, err
		}
		set |= 1 << o
	}
	return &condition{
		holds: func(a *PolicyAttributes) bool { return a.Has(wire.AttrOrigin) && set>>a.Origin&1 != 0 },
		what:  "its origin", has: func(a *PolicyAttributes) string { return a.Origin.String() }, want: either(list),
	}, nil
}

func setOrigin(value any) (policy.Change, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%d origins, want one", len(list))
	}
	o, err := origin(list[0])
	if err != nil {
		return nil, err
	}
	return &change{func(a *PolicyAttributes) {
		a.Origin = o
		a.Set(wire.AttrOrigin)
	}, "origin = " + o.String()}, nil
}

func setMED(value any) (policy.Change, error) {
	add, n, err := sum(value)
	if err != nil {
		return nil, err
	}
	return &change{func(a *PolicyAttributes) {
		before := uint32(0)
		if a.Has(wire.AttrMED) {
			before = a.MED
		}
		a.MED, a.MEDSet = add.of(before, n), true
		a.Set(wire.AttrMED)
	}, "med " + add.text(n)}, nil
}

func setLocalPref(value any) (policy.Change, error) {
	add, n, err := sum(value)
	if err != nil {
		return nil, err
	}
	return &change{func(a *PolicyAttributes) {
		before := uint32(DefaultLocalPref)
		if a.Has(wire.AttrLocalPref) {
			before = a.LocalPref
		}
		a.LocalPref = add.of(before, n)
		a.Set(wire.AttrLocalPref)
	}, "local-pref " + add.text(n)}, nil
}

func setWeight(value any) (policy.Change, error) {
	n, err := number(value)
	if err != nil {
		return nil, err
	}
	return &change{func(a *PolicyAttributes) { a.Weight = n }, fmt.Sprintf("weight = %d", n)}, nil
}

func setNextHopSelf(value any) (policy.Change, error) {
	self, ok := value.(bool)
	if !ok {
		return nil, fmt.Errorf("%v", value)
	}
	return &change{func(a *PolicyAttributes) { a.NextHopSelf = self }, fmt.Sprintf("next-hop-self = %v", self)}, nil
}

// maxPrepended is how many AS numbers one statement puts before a path.
const maxPrepended = 64

func setPrepend(value any) (policy.Change, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	for _, text := range strings.Fields(strings.Join(list, " ")) {
		n, err := number(text)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("AS 0, which no path may have")
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 || len(numbers) > maxPrepended {
		return nil, fmt.Errorf("%d AS numbers, want 1 to %d", len(numbers), maxPrepended)
	}
	return &change{func(a *PolicyAttributes) {
		for i := len(numbers) - 1; i >= 0; i-- {
			a.ASPath = a.ASPath.AppendPrepended(nil, numbers[i], 1)
		}
		a.Set(wire.AttrASPath)
	}, "as-path-prepend " + strings.Join(list, " ")}, nil
}
