package policy

import (
	"fmt"
	"net/netip"

	"routerd/internal/origin"
	"routerd/routing"
)

// Config is what the configuration says of policies, in its order.
type Config struct {
	PrefixSets []PrefixSet
	Policies   []Definition
}

// PrefixSet is a named set of prefixes.
type PrefixSet struct {
	Name    string
	Entries []PrefixRange
	Origin  origin.ID
}

// PrefixRange is all prefixes in Prefix, itself included, whose length is from
// Low to High bits, both included.
type PrefixRange struct {
	Prefix    netip.Prefix // masked
	Low, High uint8
	Origin    origin.ID
}

// String is the range as people write it: "10.0.0.0/8 8..24".
func (r PrefixRange) String() string {
	if int(r.Low) == r.Prefix.Bits() && r.High == r.Low {
		return r.Prefix.String()
	}
	return fmt.Sprintf("%s %d..%d", r.Prefix, r.Low, r.High)
}

// Definition is one policy, identified by its Name.
type Definition struct {
	Name       string
	Statements []Statement
	Origin     origin.ID
}

// Statement is one step of a policy.
type Statement struct {
	Name   string // "" = it is identified by its number
	Match  Match
	Set    Set
	Action Action
	Origin origin.ID
}

// Match is the conditions of a statement; fields without a value are no
// conditions.
type Match struct {
	PrefixSets []string // names
	Protocols  []routing.Source
	Tags       []Range
	Metrics    []Range
	NextHops   []netip.Prefix // the next hop lies in one of them
	Families   []uint8        // 4 or 6
	Registered []Registered   // by the keys of protocols, sorted
}

// Range is numbers from Low to High, both included.
type Range struct{ Low, High uint32 }

// String is a number or low..high.
func (r Range) String() string {
	if r.Low == r.High {
		return fmt.Sprint(r.Low)
	}
	return fmt.Sprintf("%d..%d", r.Low, r.High)
}

// Set is the changes of a statement; a nil pointer changes nothing.
type Set struct {
	Metric    *uint32
	MetricAdd int64 // added to the metric, which stays from 0 to its largest
	Tag       *uint32
	NextHop   netip.Addr // invalid = none
	// Registered are the changes by the keys of protocols, sorted.
	Registered []Registered
}

// Action is how a statement ends.
type Action uint8

const (
	Next   Action = iota // go on with the next statement
	Accept               // accept the route, with the changes so far
	Reject               // reject the route
)

// String gives the configuration's word, which does not exist for Next.
func (a Action) String() string { return [...]string{"next", "accept", "reject"}[a] }
