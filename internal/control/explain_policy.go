package control

import (
	"context"
	"net/netip"

	"routerd/internal/show"
)

// PolicyQuery describes a made-up route for policies to decide about.
type PolicyQuery struct {
	Prefix   netip.Prefix `query:"prefix"`
	Source   Source       `query:"source"` // "" = no source that a statement could match
	Metric   uint32       `query:"metric"`
	Tag      uint32       `query:"tag"`
	NextHop  netip.Addr   `query:"next_hop"` // may be invalid: on the link
	Policies []string     `query:"policy"`   // names, in the order of evaluation; at least one
}

// PolicyExplanation explains how policies decide about a route.
type PolicyExplanation struct {
	Policies []string     `json:"policies"` // in order
	Route    PolicyRoute  `json:"route"`    // before any change
	Steps    []PolicyStep `json:"steps"`    // up to the statement that decided
	Accepted bool         `json:"accepted"`
	Decided  string       `json:"decided"`          // what decided: a sentence without a full stop
	Result   *PolicyRoute `json:"result,omitempty"` // the resulting route; absent if rejected
}

// PolicyRoute is a route as policies see it.
type PolicyRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	Source  string       `json:"source,omitempty"` // absent if not given
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
	Set       []string `json:"set"`               // its changes, in order
	Decision  string   `json:"decision"`          // accepted | rejected | undecided
	Origin    string   `json:"origin,omitempty"`
}

var explainPolicyNoun = show.Spec[Router, PolicyQuery, PolicyExplanation]{
	Path: "explain/policy",
	Check: func(q *PolicyQuery) error {
		switch {
		case len(q.Policies) == 0 || !q.Prefix.IsValid():
			return show.BadRequest("a policy to explain needs policy, one name or several with commas between, and prefix")
		case q.NextHop.IsValid() && q.NextHop.Is4() != q.Prefix.Addr().Is4():
			return show.BadRequest("a route to %s by %s: both have to be of one family", q.Prefix, q.NextHop)
		}
		return nil
	},
	Ask: func(ctx context.Context, r Router, q PolicyQuery) (PolicyExplanation, error) {
		return r.ExplainPolicy(ctx, q)
	},
}.Noun()
