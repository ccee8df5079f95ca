package bgp

import (
	"reflect"

	"routerd/routing/bgp/wire"
)

// contrast is what sets another configuration of a neighbour apart from its own.
type contrast struct {
	session bool // its session has to begin again
	leaving bool // RFC 8326's community comes or goes
	in      wire.Families
	out     bool // it has to be sent all routes again
	terms   Terms
}

// contrast compares the configuration c of a neighbour, of the router's configuration
// all, with its own, of before.
func (n *neighbor) contrast(c *NeighborConfig, all, before *Config) (d contrast) {
	was := &n.cfg
	d.terms = c.terms(all)
	d.terms.LongLived = n.terms.LongLived
	if c.AnyExternal && was.AnyExternal {
		d.terms.AS = n.terms.AS
	}
	d.leaving = d.terms.leaving != n.terms.leaving
	own := n.terms
	own.leaving = d.terms.leaving
	d.session = was.Shutdown != c.Shutdown || d.terms != own || was.RoleRequired != c.RoleRequired ||
		was.NextHopSelf != c.NextHopSelf || was.NextHopSelfReflected != c.NextHopSelfReflected ||
		was.NextHopUnchanged != c.NextHopUnchanged || was.Multihop != c.Multihop ||
		!reflect.DeepEqual(was.session(before), c.session(all))
	d.out = d.leaving
	for f := range wire.Family(wire.NumFamilies) {
		x, y := &was.Families[f], &c.Families[f]
		// What was rejected before is not known.
		if y.LimitReceived && y.MaximumPrefixes > 0 && (!x.LimitReceived || x.MaximumPrefixes == 0) || !x.Import.same(&y.Import) {
			d.in |= wire.Of(f)
		}
		d.out = d.out || !x.Export.same(&y.Export) || x.SendPaths != y.SendPaths || x.Default.Enabled != y.Default.Enabled
		// RFC 8326 §4.2: both ways. A neighbour that cannot send routes again need not lose its session.
		if d.leaving && n.source != nil && (n.source.whole[f] || n.session.Agreed().RouteRefresh) {
			d.in |= wire.Of(f)
		}
	}
	return d
}

// Consequence is what another configuration does to a neighbour.
type Consequence struct {
	Neighbor NeighborConfig // as it will be; as it is, if Ends
	// Begins and Ends are that its session does, both that it begins again.
	Begins, Ends bool
	// Asked are the families of which it is asked for its routes again, Judged those of
	// which the routes that were kept as they came are decided about again.
	Asked, Judged wire.Families
	// SentAgain: it is sent all routes again, as far as policies let them pass. It has Sent
	// prefixes now.
	SentAgain bool
	Sent      int
}

// Preview says what the machine would do with another configuration, of those neighbours
// to which it does anything. It changes nothing.
func (m *Machine) Preview(c Config) (list []Consequence) {
	m.adopt(&c)
	wanted := map[neighborKey]bool{}
	for i := range c.Neighbors {
		y := &c.Neighbors[i]
		wanted[y.key()] = true
		n := m.neighbors[y.key()]
		if n == nil {
			if !y.Shutdown {
				list = append(list, Consequence{Neighbor: *y, Begins: true})
			}
			continue
		}
		x := Consequence{Neighbor: *y}
		switch d := n.contrast(y, &c, &m.cfg); {
		case d.session:
			x.Begins, x.Ends = !y.Shutdown, !n.cfg.Shutdown
		case n.source != nil:
			n.preview(&d, &x)
		}
		if x.Begins || x.Ends || x.Asked|x.Judged != 0 || x.SentAgain {
			list = append(list, x)
		}
	}
	for _, n := range m.order {
		if !wanted[n.cfg.key()] && !n.dynamic.IsValid() && !n.cfg.Shutdown {
			list = append(list, Consequence{Neighbor: n.cfg, Ends: true})
		}
	}
	return list
}

// preview says what becomes of the routes of a session that goes on.
func (n *neighbor) preview(d *contrast, x *Consequence) {
	agreed := n.session.Agreed()
	for f := range wire.Family(wire.NumFamilies) {
		switch {
		case !d.in.Has(f) || !agreed.Families.Has(f):
		case n.source.whole[f]:
			x.Judged |= wire.Of(f)
		case agreed.RouteRefresh:
			x.Asked |= wire.Of(f)
		default:
			x.Begins, x.Ends = true, true
		}
		if d.out && n.out[f].open() {
			x.SentAgain = true
			x.Sent += n.out[f].count()
		}
	}
	if x.Ends {
		x.Asked, x.Judged, x.SentAgain, x.Sent = 0, 0, false, 0
	}
}
