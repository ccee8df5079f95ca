package daemon

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/internal/control"
	"routerd/internal/events"
	"routerd/routing"
)

// Items of reports that the teller completes when it publishes them.
type (
	// interfaceItem lacks what machines of its own know of the interface.
	interfaceItem struct{ control.Interface }
	// neighborItem is a neighbour on a link, to be looked at.
	neighborItem struct {
		link    routing.InterfaceID
		address netip.Addr
	}
	// sessionItem is what a protocol has with a neighbour, to be asked for.
	sessionItem struct {
		protocol string
		address  netip.Addr
		on       string // the interface; "" if that is not known
	}
)

// askTime bounds how long the teller waits for an answer.
const askTime = 5 * time.Second

// sampleEvery is how often drops are looked at, and trafficEvery how often traffic
// is measured, while somebody listens.
const (
	sampleEvery  = 200 * time.Millisecond
	trafficEvery = time.Second
)

// run publishes what is reported, until ctx is done.
func (t *teller) run(ctx context.Context) {
	s := newSampler(t)
	defer s.ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.desk.Waiting():
			t.publishAll(ctx)
		case at := <-t.heard:
			s.start(at)
		case now := <-s.ticker.C:
			s.look(ctx, now)
		}
	}
}

// publishAll publishes all reports that wait.
func (t *teller) publishAll(ctx context.Context) {
	list, missed := t.desk.Take()
	b := batch{teller: t, ctx: ctx, sessions: map[string]map[netip.Addr][]control.Session{}}
	for i := range list {
		b.publish(&list[i])
	}
	for topic, n := range missed {
		t.ring.Skip(topic, n, events.TooMany)
	}
}

// batch is the reports that are published together: each protocol is asked once.
type batch struct {
	*teller
	ctx      context.Context
	sessions map[string]map[netip.Addr][]control.Session // by protocol and address
}

// publish publishes one report.
func (b *batch) publish(r *events.Taken) {
	e := events.Event{
		Topic: r.Topic, Time: r.Time, Action: r.Action, Key: r.Key, Why: r.Why, Origin: r.Origin, Cause: b.desk.Number(r.Cause),
	}
	item, err := b.complete(r.Item, &e)
	if err == nil && item != nil {
		e.Item, err = control.EventItem(item)
	}
	if err != nil { // the router stops, or does not answer
		e.Item = nil
		if e.Why == "" {
			e.Why = "the object could not be read: " + err.Error()
		}
	}
	number := b.ring.Publish(e)
	b.desk.Became(r.Token, number)
	if e.Topic == b.topic.route {
		b.causes.noteRoute(e.Key, number, r.Time)
	}
}

// complete makes of an item the whole object, nil if there is none any more.
func (b *batch) complete(item any, e *events.Event) (any, error) {
	switch x := item.(type) {
	case interfaceItem:
		ctx, cancel := context.WithTimeout(b.ctx, askTime)
		defer cancel()
		list := []control.Interface{x.Interface}
		a := api{b.d}
		if err := a.addOwnAddresses(ctx, list); err != nil {
			return nil, err
		}
		err := a.addGroups(ctx, list)
		return list[0], err
	case neighborItem:
		return b.neighbor(x, e)
	case sessionItem:
		return b.session(x, e)
	case json.RawMessage, nil:
		return item, nil
	}
	return item, nil
}

func (b *batch) neighbor(x neighborItem, e *events.Event) (any, error) {
	ctx, cancel := context.WithTimeout(b.ctx, askTime)
	defer cancel()
	type answer struct {
		arp.Neighbor
		known bool
	}
	found := make(chan answer, 1)
	err := api{b.d}.askNeighbors(ctx, func(m *arp.Machine, now time.Time) {
		n, known := m.Find(x.link, x.address, now)
		found <- answer{n, known}
	})
	if err != nil {
		return nil, err
	}
	n := <-found
	if !n.known {
		e.Action = events.Removed
		return nil, nil
	}
	return shownNeighbor(b.d.router.View(), &n.Neighbor), nil
}

// session finds the row of the protocol's noun that a report is about.
func (b *batch) session(x sessionItem, e *events.Event) (any, error) {
	with, asked := b.sessions[x.protocol]
	if !asked {
		ctx, cancel := context.WithTimeout(b.ctx, askTime)
		defer cancel()
		list, err := control.SessionsOf(ctx, api{b.d}, x.protocol)
		if err != nil {
			return nil, err
		}
		with = map[netip.Addr][]control.Session{}
		for _, s := range list {
			with[s.Address] = append(with[s.Address], s)
		}
		b.sessions[x.protocol] = with
	}
	for _, s := range with[x.address] {
		if x.on == "" || s.Interface == "" || s.Interface == x.on {
			e.Key = s.Key
			return s.Row, nil
		}
	}
	e.Action = events.Removed
	return nil, nil
}
