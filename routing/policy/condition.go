package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/routing"
)

// Route is a route as a policy sees it and may change it.
type Route struct {
	Prefix  netip.Prefix
	Source  routing.Source
	NextHop netip.Addr // invalid if the destination is on the link, or nowhere
	Metric  uint32
	Tag     uint32
	// MetricSet, TagSet, NextHopSet and AttributesSet say that a statement has
	// set that, so no default must replace it.
	MetricSet, TagSet, NextHopSet, AttributesSet bool
	// Attributes are further attributes of the route's protocol, nil if it has
	// none: a pointer to data that several routes may share, and that never
	// changes.
	Attributes any
}

// condition is one condition of a statement.
type condition interface {
	holds(r *Route) bool
	// miss says in words why it is not met.
	miss(r *Route) string
	// families are the families of routes that can meet it; 0 if none can.
	families() families
	depends() Depends
}

type inPrefixSets []*prefixSet

func (c inPrefixSets) holds(r *Route) bool {
	for _, s := range c {
		if s.holds(r.Prefix) {
			return true
		}
	}
	return false
}

func (c inPrefixSets) miss(r *Route) string {
	names := make([]string, len(c))
	for i, s := range c {
		names[i] = s.name
	}
	return fmt.Sprintf("%s is not in prefix-set %s", r.Prefix, strings.Join(names, " or "))
}

func (c inPrefixSets) families() families {
	var of families
	for _, s := range c {
		of |= s.of
	}
	return of
}

// fromProtocols is a set of sources, a bit for each.
type fromProtocols uint32

func (c fromProtocols) holds(r *Route) bool { return c&(1<<r.Source) != 0 }

func (c fromProtocols) miss(r *Route) string {
	var names []string
	for s := routing.SourceConnected; int(s) < routing.NumSources; s++ {
		if c&(1<<s) != 0 {
			names = append(names, s.String())
		}
	}
	return fmt.Sprintf("its protocol is %s, not %s", r.Source, strings.Join(names, " or "))
}

func (c fromProtocols) families() families { return both }

type withTag []Range

func (c withTag) holds(r *Route) bool  { return inRanges(c, r.Tag) }
func (c withTag) miss(r *Route) string { return fmt.Sprintf("its tag is %d, not %s", r.Tag, either(c)) }
func (c withTag) families() families   { return both }

type withMetric []Range

func (c withMetric) holds(r *Route) bool { return inRanges(c, r.Metric) }

func (c withMetric) miss(r *Route) string {
	return fmt.Sprintf("its metric is %d, not %s", r.Metric, either(c))
}

func (c withMetric) families() families { return both }

func inRanges(list []Range, n uint32) bool {
	for _, r := range list {
		if r.Low <= n && n <= r.High {
			return true
		}
	}
	return false
}

type byNextHop []netip.Prefix

func (c byNextHop) holds(r *Route) bool {
	for _, p := range c {
		if r.NextHop.IsValid() && p.Contains(r.NextHop) {
			return true
		}
	}
	return false
}

func (c byNextHop) miss(r *Route) string {
	if !r.NextHop.IsValid() {
		return "it has no next hop"
	}
	return fmt.Sprintf("its next hop is %s, not in %s", r.NextHop, either(c))
}

func (c byNextHop) families() families {
	var of families
	for _, p := range c {
		of |= familyOf(p.Addr())
	}
	return of
}

// ofFamily is 4 or 6.
type ofFamily uint8

func (c ofFamily) holds(r *Route) bool  { return r.Prefix.Addr().Is4() == (c == 4) }
func (c ofFamily) miss(r *Route) string { return fmt.Sprintf("%s is not IPv%d", r.Prefix, c) }

func (c ofFamily) families() families {
	if c == 4 {
		return ipv4
	}
	return ipv6
}

func either[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return strings.Join(words, " or ")
}

// change is one change that a statement makes.
type change interface {
	// apply makes the change, and reports whether it applies to r.
	apply(r *Route) bool
	// String says what it does.
	String() string
	depends() Depends
}

type setMetric uint32

func (c setMetric) apply(r *Route) bool {
	r.Metric, r.MetricSet = uint32(c), true
	return true
}
func (c setMetric) String() string { return fmt.Sprintf("metric = %d", uint32(c)) }

type addMetric int64

func (c addMetric) apply(r *Route) bool {
	const most = 1<<32 - 1
	r.Metric, r.MetricSet = uint32(min(max(int64(r.Metric)+int64(c), 0), most)), true
	return true
}
func (c addMetric) String() string { return fmt.Sprintf("metric %+d", int64(c)) }

type setTag uint32

func (c setTag) apply(r *Route) bool {
	r.Tag, r.TagSet = uint32(c), true
	return true
}
func (c setTag) String() string { return fmt.Sprintf("tag = %d", uint32(c)) }

// setNextHop leaves routes of the other family alone.
type setNextHop struct{ netip.Addr }

func (c setNextHop) apply(r *Route) bool {
	if r.Prefix.Addr().Is4() != c.Is4() {
		return false
	}
	r.NextHop, r.NextHopSet = c.Addr, true
	return true
}
func (c setNextHop) String() string { return "next-hop = " + c.Addr.String() }
