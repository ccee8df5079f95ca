package daemon

import (
	"context"
	"net/netip"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/protocols/running"
	"routerd/routing/fib"
	"routerd/routing/rib"
)

func (a api) Routes(ctx context.Context, q control.RouteQuery) (page control.RoutePage, err error) {
	if q.Prefix.IsValid() || q.For.IsValid() {
		err = a.on(ctx, func() {
			r := a.d.router.RIB()
			if q.Prefix.IsValid() {
				a.d.addRoutes(&page, q, r.Get(q.Prefix))
			} else {
				a.d.addRoutes(&page, q, r.Lookup(q.For))
			}
		})
		return page, err
	}
	page.Next = q.After
	limit := running.Limit(q.Limit)
	err = a.inPieces(ctx, limit, func(most int) bool {
		r := a.d.router.RIB()
		if page.Routes == nil && q.Source == "" && q.Family == 0 {
			v4, v6 := r.Len()
			page.Routes = make([]control.Route, 0, min(limit, v4+v6))
		}
		list := r.AppendWalk(a.d.walked[:0], page.Next, most)
		defer clear(list)               // the next hops are garbage now
		if len(list) <= 8*pieceOfPage { // a prefix may have the routes of many neighbours
			a.d.walked = list
		}
		a.d.addRoutes(&page, q, list)
		if prefixes(list) < most {
			page.Next = netip.Prefix{}
			return false
		}
		page.Next = list[len(list)-1].Prefix
		return true
	})
	return page, err
}

// pieceOfPage is how many prefixes of a page the owner looks at in one step: others
// who ask wait for no more of it.
const pieceOfPage = 128

// inPieces runs f on the loop, piece by piece of a page of so many prefixes, until it
// says that there are no more.
func (a api) inPieces(ctx context.Context, limit int, f func(most int) (more bool)) error {
	for more := true; more && limit > 0; limit -= pieceOfPage {
		if err := a.on(ctx, func() { more = f(min(limit, pieceOfPage)) }); err != nil {
			return err
		}
	}
	return nil
}

// addRoutes adds those of the candidates to a page that the query selects.
func (d *Daemon) addRoutes(page *control.RoutePage, q control.RouteQuery, list []rib.Candidate) {
	view := d.router.View()
	for i := range list {
		c := &list[i]
		if q.Source != "" && c.Source.String() != string(q.Source) || !q.Family.Has(c.Prefix.Addr()) {
			continue
		}
		page.Routes = append(page.Routes, d.route(view, c))
	}
}

// prefixes counts the different prefixes in a page, which is in their order.
func prefixes(list []rib.Candidate) int {
	n := 0
	for i := range list {
		if i == 0 || list[i].Prefix != list[i-1].Prefix {
			n++
		}
	}
	return n
}

func (d *Daemon) route(view *dataplane.View, c *rib.Candidate) control.Route {
	r := control.Route{
		Prefix: c.Prefix, Source: c.Source.String(), Action: c.Action.String(), Distance: int(c.Distance),
		Metric: c.Metric, Tag: c.Tag, Interface: interfaceName(view, c.Interface), NextHops: make([]control.NextHop, 0, len(c.NextHops)),
		Selected: c.Selected, Stale: c.Stale, Installed: c.Installed, WhyNot: c.WhyNot, Origin: d.place(c.Origin), Since: c.Since.UTC(),
	}
	for _, h := range c.NextHops {
		r.NextHops = append(r.NextHops, control.NextHop{
			Address: h.Address, Interface: interfaceName(view, h.Interface), Weight: max(int(h.Weight), 1),
			Backup: h.Backup, Usable: h.Usable, WhyNot: h.WhyNot, Via: h.Via, Resolved: hopsOf(view, h.Resolved),
		})
	}
	return r
}

func hopsOf(view *dataplane.View, hops []fib.NextHop) []control.Hop {
	list := make([]control.Hop, 0, len(hops))
	for _, h := range hops {
		list = append(list, control.Hop{Address: h.Address, Interface: interfaceName(view, h.Interface), Weight: max(int(h.Weight), 1), Backup: h.Backup})
	}
	return list
}

func (a api) FIB(ctx context.Context, q control.FIBQuery) (page control.FIBPage, err error) {
	add := func(find func(*fib.FIB) []*fib.Entry) (list []*fib.Entry) {
		f, view := a.d.router.FIB(), a.d.router.View()
		page.Generation, page.IPv4, page.IPv6 = view.Generation, f.Len4(), f.Len6()
		list = find(f)
		for _, e := range list {
			if e != nil && q.Family.Has(e.Prefix.Addr()) {
				page.Entries = append(page.Entries, a.d.entry(view, e))
			}
		}
		return list
	}
	switch {
	case q.Prefix.IsValid():
		err = a.on(ctx, func() { add(func(f *fib.FIB) []*fib.Entry { return []*fib.Entry{f.Get(q.Prefix)} }) })
	case q.For.IsValid():
		err = a.on(ctx, func() { add(func(f *fib.FIB) []*fib.Entry { return []*fib.Entry{f.Lookup(q.For)} }) })
	default:
		page.Next = q.After
		err = a.inPieces(ctx, running.Limit(q.Limit), func(most int) bool {
			list := add(func(f *fib.FIB) []*fib.Entry { return f.Walk(page.Next, most) })
			if len(list) < most {
				page.Next = netip.Prefix{}
				return false
			}
			page.Next = list[len(list)-1].Prefix
			return true
		})
	}
	return page, err
}

func (d *Daemon) entry(view *dataplane.View, e *fib.Entry) control.FIBEntry {
	c := control.FIBEntry{
		Prefix: e.Prefix, Action: e.Action.String(), Source: e.Source.String(), Distance: int(e.Distance),
		Metric: e.Metric, Interface: interfaceName(view, e.Interface), NextHops: []control.Hop{}, Origin: d.place(e.Origin),
	}
	if e.Group != nil {
		c.NextHops = append(hopsOf(view, e.Group.Hops()), hopsOf(view, e.Group.Backups())...)
		for i := range c.NextHops {
			for _, cause := range e.Group.Dead(i) {
				c.NextHops[i].Dead = append(c.NextHops[i].Dead, cause.String())
			}
		}
	}
	return c
}
