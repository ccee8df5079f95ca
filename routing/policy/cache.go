package policy

// Cache is a chain that remembers its verdicts by a key that stands for routes
// which are alike: BGP has many prefixes with the same attributes. One goroutine
// uses it. The memory is bounded: a full one is emptied.
type Cache[K comparable] struct {
	chain    Chain
	depends  Depends
	most     int
	verdicts map[cacheKey[K]]verdict
}

// cacheKey has the family in it as far as a verdict depends on that, so that no
// caller's key need have it.
type cacheKey[K comparable] struct {
	key K
	is4 bool
}

type verdict struct {
	route    Route // what it was given; its flags say what of it counts
	accepted bool
}

// NewCache makes a Cache that remembers at most so many verdicts.
func NewCache[K comparable](chain Chain, most int) *Cache[K] {
	return &Cache[K]{chain: chain, depends: chain.Depends(), most: most, verdicts: map[cacheKey[K]]verdict{}}
}

// Cacheable reports whether verdicts are remembered: not where they depend on
// the prefix, which no two routes share.
func (c *Cache[K]) Cacheable() bool { return len(c.chain) > 0 && c.depends&OnPrefix == 0 }

// Accepts is Chain.Accepts. Routes with the same key have to be alike in all
// that Chain.Depends names but OnFamily, and nothing of them set. A rejected
// route is left as it came if its verdict is remembered. It allocates nothing for
// a key that it remembers.
func (c *Cache[K]) Accepts(key K, r *Route) bool {
	if !c.Cacheable() {
		return c.chain.Accepts(r)
	}
	k := cacheKey[K]{key: key, is4: c.depends&OnFamily != 0 && r.Prefix.Addr().Is4()}
	v, ok := c.verdicts[k]
	if !ok {
		v = *c.decide(k, r)
	}
	if v.accepted {
		v.route.giveTo(r)
	}
	return v.accepted
}

// decide decides about r and remembers that.
func (c *Cache[K]) decide(k cacheKey[K], r *Route) *verdict {
	v := &verdict{route: *r}
	v.accepted = c.chain.Accepts(&v.route)
	if len(c.verdicts) >= c.most {
		clear(c.verdicts)
	}
	c.verdicts[k] = *v
	return v
}

// giveTo gives to what has been set of r.
func (r *Route) giveTo(to *Route) {
	if r.MetricSet {
		to.Metric, to.MetricSet = r.Metric, true
	}
	if r.TagSet {
		to.Tag, to.TagSet = r.Tag, true
	}
	if r.NextHopSet {
		to.NextHop, to.NextHopSet = r.NextHop, true
	}
	if r.AttributesSet {
		to.Attributes, to.AttributesSet = r.Attributes, true
	}
}
