package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"routerd/internal/events"
	"routerd/internal/protocols"
	"routerd/internal/show"
)

// PrefixRoutes is the object of an event about routes: all that is offered for a
// prefix, as /v1/route has it.
type PrefixRoutes struct {
	Prefix netip.Prefix `json:"prefix"`
	Routes []Route      `json:"routes"`
}

// EventItem encodes an object as the API does.
func EventItem(object any) (json.RawMessage, error) { return json.Marshal(tidy(object)) }

// NeighborKey is the key of the events of a neighbour, also of a protocol's.
func NeighborKey(address netip.Addr, iface string) string {
	if iface == "" {
		return address.String()
	}
	return address.String() + " on " + iface
}

// prefixesAtOnce is how many prefixes a page of a snapshot of routes looks at.
const prefixesAtOnce = 500

// page asks the router for a page of a topic's objects.
func (f *follower) page(ctx context.Context, w events.Walk) (events.Page, error) {
	switch w.Topic {
	case TopicInterface:
		list, err := f.router.Interfaces(ctx)
		return pageOf(list, err, func(i *Interface) string { return i.Name })
	case TopicNeighbor:
		list, err := f.router.Neighbors(ctx, NeighborQuery{})
		return pageOf(list.Neighbors, err, func(n *Neighbor) string { return NeighborKey(n.Address, n.Interface) })
	case TopicRoute:
		return f.routePage(ctx, w.After)
	}
	list, err := SessionsOf(ctx, f.router, w.Topic)
	return pageOf(list, err, func(s *Session) string { return s.Key })
}

func pageOf[T any](list []T, err error, key func(*T) string) (p events.Page, _ error) {
	if err != nil {
		return p, err
	}
	for i := range list {
		var object any = list[i]
		if s, ok := object.(Session); ok {
			object = s.Row
		}
		item, err := EventItem(object)
		if err != nil {
			return p, err
		}
		p.Keys, p.Items = append(p.Keys, key(&list[i])), append(p.Items, item)
	}
	return p, nil
}

func (f *follower) routePage(ctx context.Context, after string) (p events.Page, err error) {
	q := RouteQuery{Limit: prefixesAtOnce}
	if after != "" {
		if q.After, err = netip.ParsePrefix(after); err != nil {
			return p, err
		}
	}
	found, err := f.router.Routes(ctx, q)
	if err != nil {
		return p, err
	}
	var list []PrefixRoutes
	for _, r := range found.Routes {
		if n := len(list); n == 0 || list[n-1].Prefix != r.Prefix {
			list = append(list, PrefixRoutes{Prefix: r.Prefix})
		}
		last := &list[len(list)-1]
		last.Routes = append(last.Routes, r)
	}
	p, err = pageOf(list, nil, func(r *PrefixRoutes) string { return r.Prefix.String() })
	if found.Next.IsValid() {
		p.Next = found.Next.String()
	}
	return p, err
}

// Session is a row of the noun that a protocol's events are about.
type Session struct {
	Key       string
	Address   netip.Addr
	Interface string
	Row       any
}

// SessionsOf asks a protocol for the objects of its topic; none if it is not
// configured.
func SessionsOf(ctx context.Context, r Router, protocol string) (list []Session, err error) {
	for _, p := range protocols.All() {
		if p.Name != protocol {
			continue
		}
		n := nounAt(Nouns(), p.Sessions)
		if n == nil {
			return nil, fmt.Errorf("%s has no noun %q", protocol, p.Sessions)
		}
		answer, err := n.Ask(ctx, r, n.NewQuery())
		var s *show.Error
		if errors.As(err, &s) && s.Status == http.StatusNotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, row := range show.RowsOf(answer) {
			x := Session{Row: row}
			if err := x.identify(); err != nil {
				return nil, err
			}
			list = append(list, x)
		}
	}
	return list, nil
}

// identify reads from a row who the session is with.
func (s *Session) identify() error {
	raw, err := json.Marshal(s.Row)
	if err != nil {
		return err
	}
	var with struct {
		Address   netip.Addr `json:"address"`
		Peer      netip.Addr `json:"peer"`
		Interface string     `json:"interface"`
	}
	if err := json.Unmarshal(raw, &with); err != nil {
		return fmt.Errorf("finding out who %s is about: %w", raw, err)
	}
	if s.Address = with.Address; with.Peer.IsValid() {
		s.Address = with.Peer
	}
	s.Address, s.Interface = s.Address.WithZone(""), with.Interface
	s.Key = NeighborKey(s.Address, s.Interface)
	return nil
}
