package control

import (
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// PolicyQuery makes up a route for policies to decide about.
type PolicyQuery struct {
	Policies []string // their names, in the order in which they are asked; at least one
	Prefix   netip.Prefix
	Source   string // "" = no source that a statement could match
	Metric   uint32
	Tag      uint32
	NextHop  netip.Addr // may be invalid: on the link
}

// PolicyExplanation is how policies decide about a route.
type PolicyExplanation struct {
	Policies []string     `json:"policies"` // in order
	Route    PolicyRoute  `json:"route"`    // as it came
	Steps    []PolicyStep `json:"steps"`    // up to the statement that decided
	Accepted bool         `json:"accepted"`
	Decided  string       `json:"decided"`          // what decided: a sentence without its full stop
	Result   *PolicyRoute `json:"result,omitempty"` // what it becomes; absent when rejected
}

// PolicyRoute is a route as policies see it.
type PolicyRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	Source  string       `json:"source,omitempty"` // absent: none was given
	Metric  uint32       `json:"metric"`
	Tag     uint32       `json:"tag"`
	NextHop netip.Addr   `json:"next_hop,omitzero"` // absent: on the link
}

// PolicyStep is what one statement did.
type PolicyStep struct {
	Policy    string   `json:"policy"`
	Statement string   `json:"statement"` // its name, or its number from 1
	Matched   bool     `json:"matched"`
	WhyNot    string   `json:"why_not,omitempty"` // absent when matched
	Set       []string `json:"set"`               // what it changed, in order
	Decision  string   `json:"decision"`          // accepted | rejected | undecided
	Origin    string   `json:"origin,omitempty"`
}

func (q *query) policy() PolicyQuery {
	p := PolicyQuery{
		Prefix: q.prefix("prefix"), Source: q.source(),
		Metric: uint32(q.number("metric", 0, math.MaxUint32)), Tag: uint32(q.number("tag", 0, math.MaxUint32)),
		NextHop: q.addr("next_hop"),
	}
	for name := range strings.SplitSeq(q.text("policy"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			p.Policies = append(p.Policies, name)
		}
	}
	switch {
	case len(p.Policies) == 0 || !p.Prefix.IsValid():
		q.fail("a policy to explain needs policy, one name or several with commas between, and prefix")
	case p.NextHop.IsValid() && p.NextHop.Is4() != p.Prefix.Addr().Is4():
		q.fail("a route to %s by %s: both have to be of one family", p.Prefix, p.NextHop)
	}
	return p
}

// values puts the query into a URL's form, the inverse of policy.
func (p PolicyQuery) values() url.Values {
	v := url.Values{"policy": {strings.Join(p.Policies, ",")}, "prefix": {p.Prefix.String()}}
	if p.Source != "" {
		v.Set("source", p.Source)
	}
	if p.Metric != 0 {
		v.Set("metric", strconv.FormatUint(uint64(p.Metric), 10))
	}
	if p.Tag != 0 {
		v.Set("tag", strconv.FormatUint(uint64(p.Tag), 10))
	}
	if p.NextHop.IsValid() {
		v.Set("next_hop", p.NextHop.String())
	}
	return v
}
