package bgp

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"net/netip"

	"routerd/routing/bgp/wire"
)

// Route is a route of a prefix as the decision sees it (RFC 4271 §9.1.2).
type Route struct {
	Attributes *AttributeSet
	// From is the neighbour's address, invalid if the route is the router's own, and
	// RouterID its router ID.
	From     netip.Addr
	RouterID wire.RouterID
	// PathID is the neighbour's path identifier, 0 if it has none (RFC 7911).
	PathID   uint32
	External bool   // from another AS
	Weight   uint32 // by policy, on this router alone
	// Metric is that of the next hop in the RIB. Unreachable: it does not resolve, and
	// the route is not used.
	Metric      uint32
	Unreachable bool
	// LongLived: it is kept though its neighbour is gone for longer than a restart takes (RFC
	// 9494).
	LongLived bool
	// Arrival numbers routes in the order in which they came.
	Arrival uint64
}

// Rules are the switches of the decision.
type Rules struct {
	AlwaysCompareMED  bool // also between different neighbouring ASes
	MissingMEDWorst   bool // a route without MED has the highest, and not 0
	IgnorePathLength  bool
	PreferOldest      bool // of external routes, before router IDs are compared (RFC 5004)
	IgnoreMetric      bool // to the next hop
	SequentialMED     bool // not all MEDs of a neighbouring AS are compared, see [Rules.Best]
	MultipathExternal int  // how many external routes are used at once, 0 counts as 1
	MultipathInternal int  // how many internal ones
	MultipathRelax    bool // though their paths differ, if they are as long
}

// Step is a step of the decision, in the order in which they are taken: those of RFC
// 4271 §9.1.2.2, and those that all routers have besides.
type Step uint8

// The steps.
const (
	Undecided      Step = iota
	StepReachable       // §9.1.2.1
	StepStale           // RFC 9494 §4.3
	StepWeight          //
	StepLocalPref       // §9.1.1
	StepOwn             // the router's own
	StepPathLength      // (a)
	StepOrigin          // (b)
	StepMED             // (c)
	StepExternal        // (d)
	StepMetric          // (e)
	StepOldest          // RFC 5004
	StepRouterID        // (f), RFC 4456 §9
	StepClusters        // RFC 4456 §9
	StepAddress         // (g)
	StepPathID          //
	numSteps
)

// NumSteps is the length of an array indexed by Step.
const NumSteps = int(numSteps)

var steps = [NumSteps]struct{ word, text string }{
	Undecided:      {"equal", "nothing tells them apart"},
	StepReachable:  {"reachable", "its next hop is reachable, the other's is not"},
	StepStale:      {"stale", "it is current, the other is stale"},
	StepWeight:     {"weight", "higher weight"},
	StepLocalPref:  {"local-pref", "higher local preference"},
	StepOwn:        {"own", "it is the router's own"},
	StepPathLength: {"path-length", "shorter AS path"},
	StepOrigin:     {"origin", "lower origin"},
	StepMED:        {"med", "lower MED"},
	StepExternal:   {"external", "it is from another AS, the other from this one"},
	StepMetric:     {"metric", "lower metric to the next hop"},
	StepOldest:     {"oldest", "it is older"},
	StepRouterID:   {"router-id", "lower router ID"},
	StepClusters:   {"cluster-list", "shorter cluster list"},
	StepAddress:    {"address", "lower neighbour address"},
	StepPathID:     {"path-id", "lower path identifier"},
}

// String gives the word used in JSON and metrics.
func (s Step) String() string {
	if s >= numSteps {
		return "unknown"
	}
	return steps[s].word
}

// key is what a route has at a step, the lower the better. Addresses have none.
func (r *Rules) key(s Step, a *Route) uint64 {
	switch s {
	case StepReachable:
		return bit(a.Unreachable)
	case StepStale:
		return bit(a.Attributes.Stale || a.LongLived)
	case StepWeight:
		return math.MaxUint32 - uint64(a.Weight)
	case StepLocalPref:
		return math.MaxUint32 - uint64(a.Attributes.LocalPref)
	case StepOwn:
		return bit(a.From.IsValid())
	case StepPathLength:
		if r.IgnorePathLength {
			return 0
		}
		return uint64(a.Attributes.PathLength)
	case StepOrigin:
		return uint64(a.Attributes.Origin)
	case StepMED:
		return uint64(r.med(a))
	case StepExternal:
		return bit(!a.External && a.From.IsValid())
	case StepMetric:
		if r.IgnoreMetric {
			return 0
		}
		return uint64(a.Metric)
	case StepOldest:
		if !r.PreferOldest || !a.External {
			return 0
		}
		return a.Arrival
	case StepRouterID:
		return uint64(a.id())
	case StepClusters:
		return uint64(a.Attributes.Clusters)
	case StepPathID:
		return uint64(a.PathID)
	}
	return 0
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (r *Rules) med(a *Route) uint32 {
	if !a.Attributes.HasMED && r.MissingMEDWorst {
		return math.MaxUint32
	}
	return a.Attributes.MED // 0 if there is none
}

// id is the router ID by which routes are compared: the originator's, if they were
// reflected (RFC 4456 §9).
func (a *Route) id() wire.RouterID {
	if a.Attributes.Originator != 0 {
		return a.Attributes.Originator
	}
	return a.RouterID
}

// comparesMED reports whether the MEDs of two routes mean the same (RFC 4271 §9.1.2.2
// (c)).
func (r *Rules) comparesMED(a, b *Route) bool {
	return r.AlwaysCompareMED || a.Attributes.FirstAS == b.Attributes.FirstAS
}

// Compare says which of two routes is better, below 0 if a is, and which step decides.
// Because MEDs are compared between routes of one neighbouring AS, of three routes
// each may be better than the next: the best of several is what [Rules.Best] says.
func (r *Rules) Compare(a, b *Route) (int, Step) { return r.compare(a, b, r.comparesMED(a, b)) }

func (r *Rules) compare(a, b *Route, med bool) (int, Step) {
	x, y := a.Attributes, b.Attributes
	// Most routes differ in what comes first, or in nothing up to the metric.
	if x != y || a.Unreachable != b.Unreachable || a.LongLived != b.LongLived || a.Weight != b.Weight || a.From.IsValid() != b.From.IsValid() {
		for s := StepReachable; s <= StepMED; s++ {
			if s == StepMED && !med {
				break
			}
			if c := cmp.Compare(r.key(s, a), r.key(s, b)); c != 0 {
				return c, s
			}
		}
	}
	for s := StepExternal; s < numSteps; s++ {
		c := 0
		if s == StepAddress {
			c = a.From.Compare(b.From)
		} else {
			c = cmp.Compare(r.key(s, a), r.key(s, b))
		}
		if c != 0 {
			return c, s
		}
	}
	return 0, Undecided
}

// Verdict is why a route is not the best: the step that decided against it, and the
// index of a route that was better there, -1 if there is none.
type Verdict struct {
	Step Step // Undecided: it is the best, or equal to it and behind it in the list
	By   int
}

// Best gives the index of the best of the routes, -1 if none is reachable; of equal ones
// it is the first. If why is not nil, it has the length of routes and gets the verdict
// on each.
//
// The order of routes that differ does not matter: MEDs are compared among all routes of
// a neighbouring AS (RFC 4271 §9.1.2.2 (c), "deterministic MED"). With SequentialMED each
// route is compared with the best of those before it in the list, which its owner has in
// the order from the newest to the oldest, as routers do whose switch it is.
func (r *Rules) Best(routes []Route, why []Verdict) int {
	var room [32]int
	winners := room[:0] // the best of each neighbouring AS
	best := -1
	for i := range routes {
		switch {
		case best < 0:
			best = i
		case r.SequentialMED:
			if c, _ := r.Compare(&routes[i], &routes[best]); c < 0 {
				best = i
			}
			continue
		}
		known := false
		for k, w := range winners {
			if known = r.comparesMED(&routes[i], &routes[w]); known {
				if c, _ := r.compare(&routes[i], &routes[w], true); c < 0 {
					winners[k] = i
				}
				break
			}
		}
		if !known {
			winners = append(winners, i)
		}
	}
	if !r.SequentialMED {
		for _, w := range winners {
			if c, _ := r.compare(&routes[w], &routes[best], false); w == winners[0] || c < 0 || c == 0 && w < best {
				best = w
			}
		}
	}
	if best >= 0 && routes[best].Unreachable {
		best = -1
	}
	r.explain(routes, winners, best, why)
	return best
}

// explain says why each route is not the best.
func (r *Rules) explain(routes []Route, winners []int, best int, why []Verdict) {
	for i := range why {
		why[i] = Verdict{By: -1}
		switch {
		case best < 0:
			why[i].Step = StepReachable
			continue
		case i == best:
			continue
		}
		if c, s := r.Compare(&routes[best], &routes[i]); c <= 0 {
			why[i] = Verdict{s, best}
			continue
		}
		// It is better than the best alone, and fell to another.
		for _, w := range winners {
			if c, s := r.Compare(&routes[w], &routes[i]); c < 0 {
				why[i] = Verdict{s, w}
			}
		}
		if why[i].By < 0 { // SequentialMED: to one that fell in its turn
			for j := range routes {
				if c, s := r.Compare(&routes[j], &routes[i]); c < 0 {
					why[i] = Verdict{s, j}
				}
			}
		}
	}
}

// Multipath appends to dst the indices of the routes that are used together with the
// best one, itself first: they are as good up to the metric of the next hop, of other
// next hops, and no more than the rules have for routes of its kind.
func (r *Rules) Multipath(routes []Route, best int, dst []int) []int {
	dst = append(dst, best)
	first, most := len(dst)-1, max(1, r.MultipathInternal)
	if routes[best].External {
		most = max(1, r.MultipathExternal)
	}
	if most == 1 {
		return dst
	}
	for i := range routes {
		if len(dst)-first >= most {
			break
		}
		if i == best || !r.joins(routes, best, i) {
			continue
		}
		other := true
		for _, j := range dst[first:] {
			other = other && routes[j].Attributes.octets.NextHop() != routes[i].Attributes.octets.NextHop()
		}
		if other {
			dst = append(dst, i)
		}
	}
	return dst
}

// joins reports whether route i may be used together with the best.
func (r *Rules) joins(routes []Route, best, i int) bool {
	a, b := &routes[best], &routes[i]
	if _, s := r.Compare(a, b); s != Undecided && s <= StepMetric || !a.From.IsValid() {
		return false
	}
	if !r.MultipathRelax {
		// Inside an AS the paths have to be the same, outside it the neighbouring AS.
		if a.External && a.Attributes.FirstAS != b.Attributes.FirstAS || !a.External && !samePath(a, b) {
			return false
		}
	}
	for j := range routes { // its MED may have lost within its own AS
		if c, s := r.Compare(&routes[j], b); c < 0 && s <= StepMED {
			return false
		}
	}
	return true
}

// samePath reports whether two routes have the same AS path.
func samePath(a, b *Route) bool {
	if a.Attributes == b.Attributes {
		return true
	}
	var x, y wire.Attributes
	a.Attributes.octets.Read(&x)
	b.Attributes.octets.Read(&y)
	return bytes.Equal(x.ASPath, y.ASPath)
}

// Words says why a route won against another at a step: "higher local preference 200
// over 100".
func (r *Rules) Words(s Step, won, lost *Route) string {
	values := func(a, b any) string { return fmt.Sprintf("%s %v over %v", steps[s].text, a, b) }
	switch s {
	case StepWeight:
		return values(won.Weight, lost.Weight)
	case StepLocalPref:
		return values(won.Attributes.LocalPref, lost.Attributes.LocalPref)
	case StepPathLength:
		return values(won.Attributes.PathLength, lost.Attributes.PathLength)
	case StepOrigin:
		return values(won.Attributes.Origin, lost.Attributes.Origin)
	case StepMED:
		return values(r.med(won), r.med(lost))
	case StepMetric:
		return values(won.Metric, lost.Metric)
	case StepRouterID:
		return values(won.id(), lost.id())
	case StepClusters:
		return values(won.Attributes.Clusters, lost.Attributes.Clusters)
	case StepAddress:
		return values(won.From, lost.From)
	case StepPathID:
		return values(won.PathID, lost.PathID)
	}
	if s >= numSteps {
		return "unknown"
	}
	return steps[s].text
}
