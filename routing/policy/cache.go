package policy

// Cache is a chain that caches its verdicts by a key that is the same for
// routes that are alike: BGP has many prefixes with the same attributes. One
// goroutine uses it. Its size is bounded: when it is full it is emptied.
type Cache[K comparable] struct {
	chain    Chain
	depends  Depends
	most     int
	verdicts map[cacheKey[K]]verdict
}

// cacheKey includes the family if a verdict depends on it, so that the caller's
// key need not.
type cacheKey[K comparable] struct {
	key K
	is4 bool
}

type verdict struct {
	route    Route // the values that were set, as its flags say
	accepted bool
}

// NewCache makes a Cache of at most so many verdicts.
func NewCache[K comparable](chain Chain, most int) *Cache[K] {
	return &Cache[K]{chain: chain, depends: chain.Depends(), most: most, verdicts: map[cacheKey[K]]verdict{}}
}

// Cacheable reports whether verdicts are cached: not if they depend on the
// prefix, which no two routes share.
func (c *Cache[K]) Cacheable() bool { return len(c.chain) > 0 && c.depends&OnPrefix == 0 }

// Accepts is Chain.Accepts. Routes with the same key have to be equal in all
// that Chain.Depends names except OnFamily, and have no flags set. A rejected
// route is not changed if its verdict is cached. It allocates nothing for a
// cached key.
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

// decide decides about r and caches the verdict.
func (c *Cache[K]) decide(k cacheKey[K], r *Route) *verdict {
	v := &verdict{route: *r}
	v.accepted = c.chain.Accepts(&v.route)
	if len(c.verdicts) >= c.most {
		clear(c.verdicts)
	}
	c.verdicts[k] = *v
	return v
}

// giveTo copies to to what has been set in r.
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
