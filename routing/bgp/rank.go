package bgp

// rank is what routes are compared by before MEDs, in two numbers: the lower ones are the
// better route.
//
//	first   unreachable 1, stale 1, 2^32-1 less the weight 32, the upper 30 of 2^32-1 less
//	        the local preference
//	second  the lower 2 of it, not the router's own 1, path length 16, origin 8
type rank struct{ first, second uint64 }

func (r *Rules) rank(x *Route) rank {
	a := x.Attributes
	preference := uint64(^a.LocalPref)
	k := rank{
		first:  bit(x.Unreachable)<<63 | bit(a.Stale || x.LongLived)<<62 | uint64(^x.Weight)<<30 | preference>>2,
		second: preference&3<<62 | bit(x.From.IsValid())<<61 | uint64(a.Origin),
	}
	if !r.IgnorePathLength {
		k.second |= uint64(a.PathLength) << 8
	}
	return k
}

// before reports whether the route a is better than b, whose ranks are given, where MEDs do
// not count.
func (r *Rules) before(a *Route, of rank, b *Route, than rank) bool {
	switch {
	case of.first != than.first:
		return of.first < than.first
	case of.second != than.second:
		return of.second < than.second
	}
	if x, y := !a.External && a.From.IsValid(), !b.External && b.From.IsValid(); x != y {
		return y
	}
	if !r.IgnoreMetric && a.Metric != b.Metric {
		return a.Metric < b.Metric
	}
	if r.PreferOldest {
		if x, y := r.key(StepOldest, a), r.key(StepOldest, b); x != y {
			return x < y
		}
	}
	if x, y := a.id(), b.id(); x != y {
		return x < y
	}
	if x, y := a.Attributes.Clusters, b.Attributes.Clusters; x != y {
		return x < y
	}
	if c := a.From.Compare(b.From); c != 0 {
		return c < 0
	}
	return a.PathID < b.PathID
}

// firstTwo gives the index of the best route, as [Rules.Best] does, and of the best one of
// the others, -1 where there is none that can be reached. It is not ok where MEDs differ:
// then the order of routes depends on which others there are.
func (r *Rules) firstTwo(routes []Route) (best, second int, ok bool) {
	if len(routes) == 0 {
		return -1, -1, true
	}
	best, second = 0, -1
	first, next := r.rank(&routes[0]), rank{}
	med := r.med(&routes[0])
	for i := 1; i < len(routes); i++ {
		x := &routes[i]
		if r.med(x) != med {
			return 0, 0, false
		}
		switch k := r.rank(x); {
		case r.before(x, k, &routes[best], first):
			best, second, first, next = i, best, k, first
		case second < 0 || r.before(x, k, &routes[second], next):
			second, next = i, k
		}
	}
	if routes[best].Unreachable {
		return -1, -1, true
	}
	if second >= 0 && routes[second].Unreachable {
		second = -1
	}
	return best, second, true
}
