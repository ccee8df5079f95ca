package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/events"
	"routerd/internal/protocols"
	"routerd/routing"
	"routerd/routing/protocol"
)

// teller has the events of the router. Its parts report what happened at the
// desk, without waiting; a goroutine of its own completes the reports, encodes
// them and puts them in the ring (events_publish.go).
type teller struct {
	d      *Daemon
	ring   *events.Ring
	desk   *events.Desk
	serve  *control.Events
	topic  topicIDs
	causes causes
	// heard is when somebody began to listen to what the sampler looks at.
	heard chan time.Time

	// For the loop alone. because is the report that the changes of routes follow
	// from until the table has settled.
	because    events.Token
	seen       []*dataplane.Interface // of the View whose interfaces were told
	interfaces map[string]toldInterface
	stale      bool // an interface has changed of which the View says nothing
	routes     gathering
}

// topicIDs are the numbers of the topics.
type topicIDs struct {
	iface, neighbor, route, nat, drop, config, log, traffic events.TopicID
	protocols                                               map[string]events.TopicID
}

// toldInterface is what of an interface is compared to find out whether it has
// changed.
type toldInterface struct {
	view       *dataplane.Interface
	state, why string
	lacks      []string
}

func newTeller(name string) *teller {
	ring := events.NewRing(uint32(systemRandom{}.Uint64()), control.EventTopics())
	id := func(name string) events.TopicID {
		t, _ := ring.Topic(name) // all are in control.EventTopics
		return t
	}
	t := &teller{
		ring: ring, desk: events.NewDesk(), serve: &control.Events{Ring: ring, Name: name}, interfaces: map[string]toldInterface{},
		topic: topicIDs{
			iface: id(control.TopicInterface), neighbor: id(control.TopicNeighbor), route: id(control.TopicRoute), nat: id(control.TopicNAT),
			drop: id(control.TopicDrop), config: id(control.TopicConfig), log: id(control.TopicLog),
			traffic: id(control.TopicTraffic), protocols: map[string]events.TopicID{},
		},
		causes: causes{at: map[any]cause{}},
		heard:  make(chan time.Time, 1),
	}
	for _, p := range protocols.All() {
		t.topic.protocols[p.Name] = id(p.Name)
	}
	ring.Begins = t.begin
	return t
}

// begin has the topic looked at, before a client that begins to listen to it has a
// position. The loop follows routes with all that is being settled; if that takes
// too long, the client is told what it has missed.
func (t *teller) begin(topic events.TopicID) {
	switch topic {
	case t.topic.route:
		t.beginRoutes()
	case t.topic.drop, t.topic.traffic:
		select {
		case t.heard <- time.Now():
		default: // somebody else has just begun
		}
	}
}

func (t *teller) beginRoutes() {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	for settled := false; !settled; {
		err := t.d.ask(ctx, func() {
			t.gather(time.Now())
			settled = !t.d.router.RIB().Settling()
		})
		if err != nil {
			return
		}
		if !settled {
			time.Sleep(time.Millisecond) // the loop settles in slices
		}
	}
}

// look tells what the step of the loop before has changed.
func (t *teller) look(now time.Time) {
	t.tellInterfaces(now)
	t.gather(now)
	if !t.d.router.RIB().Unsettled() {
		t.because = 0
	}
	t.tellRoutes(now)
}

// tellInterfaces reports the interfaces that are not what was told last.
func (t *teller) tellInterfaces(now time.Time) {
	view := t.d.router.View()
	if !t.stale && sameSlice(t.seen, view.Interfaces) {
		return
	}
	t.seen, t.stale = view.Interfaces, false
	there := map[string]bool{}
	for _, i := range view.Interfaces {
		if i == nil {
			continue
		}
		there[i.Name] = true
		is := toldInterface{view: i}
		is.state, is.why = t.d.stateOfInterface(i.Name, i.Up)
		if p := t.d.ports[i.Name]; p != nil {
			is.lacks = p.lacks
		}
		was, known := t.interfaces[i.Name]
		t.interfaces[i.Name] = is
		if known && was.same(&is) {
			continue
		}
		r := events.Report{
			Topic: t.topic.iface, Time: now, Action: events.Changed, Key: i.Name, Item: interfaceItem{t.d.interfaceOf(view, i)},
			Cause: t.because, Origin: t.d.place(i.Origin), Why: is.difference(&was),
		}
		if !known {
			r.Action, r.Why = events.Added, ""
		}
		token := t.desk.Report(r)
		t.causes.note(i.ID, token, now)
		t.because = token
	}
	for name, was := range t.interfaces {
		if !there[name] {
			delete(t.interfaces, name)
			token := t.desk.Report(events.Report{Topic: t.topic.iface, Time: now, Action: events.Removed, Key: name, Cause: t.because})
			t.causes.note(was.view.ID, token, now)
		}
	}
}

// sameSlice reports whether a and b are one slice: a View that only has other
// routes has the same.
func sameSlice(a, b []*dataplane.Interface) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// same reports whether two looks at an interface show the same.
func (x *toldInterface) same(y *toldInterface) bool {
	a, b := x.view, y.view
	return a.Up == b.Up && a.MTU == b.MTU && a.Kind == b.Kind && a.URPF == b.URPF && a.MSS == b.MSS && a.Table == b.Table &&
		a.Origin == b.Origin && a.ID == b.ID && x.state == y.state && x.why == y.why &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(x.lacks, y.lacks)
}

// difference says in words what has become of an interface.
func (x *toldInterface) difference(was *toldInterface) string {
	switch {
	case was.view == nil:
		return ""
	case x.why != "":
		return x.why
	case x.state != was.state:
		return "it is " + x.state
	case x.view.MTU != was.view.MTU:
		return "its MTU is another"
	case !slices.Equal(x.view.Addresses, was.view.Addresses):
		return "its addresses are others"
	case !slices.Equal(x.lacks, was.lacks):
		return "its device lacks something, or has it again"
	}
	return ""
}

// addressChanged reports an interface of which an address of the router's own is
// usable now, or turned out to be another's.
func (t *teller) addressChanged(link routing.InterfaceID, why string, now time.Time) {
	view := t.d.router.View()
	i := view.Interface(link)
	if i == nil {
		return
	}
	token := t.desk.Report(events.Report{
		Topic: t.topic.iface, Time: now, Action: events.Changed, Key: i.Name, Item: interfaceItem{t.d.interfaceOf(view, i)},
		Why: why, Origin: t.d.place(i.Origin), Cause: t.causes.of(now, link),
	})
	t.because = token
}

// neighborChanged reports a neighbour on a link, on the neighbour machine's
// goroutine.
func (t *teller) neighborChanged(link routing.InterfaceID, address netip.Addr) {
	now := time.Now()
	if !t.ring.Wanted(t.topic.neighbor, now) {
		t.ring.Unheard(t.topic.neighbor, 1)
		return
	}
	token := t.desk.Report(events.Report{
		Topic: t.topic.neighbor, Time: now, Action: events.Changed, Item: neighborItem{link, address}, Cause: t.causes.of(now, link),
		Key: control.NeighborKey(address, interfaceName(t.d.router.View(), link)),
	})
	t.causes.note(path{link, address}, token, now)
}

// protocolEvent reports what has become of a neighbour of a protocol, on the
// protocol's goroutine.
func (t *teller) protocolEvent(name string, e protocol.Event) {
	topic, known := t.topic.protocols[name]
	if !known || !e.Neighbor.IsValid() || e.Level < slog.LevelInfo {
		return
	}
	now := time.Now()
	on := ""
	if e.Link != routing.NoInterface {
		on = interfaceName(t.d.router.View(), e.Link)
	}
	why := e.What
	if e.Err != nil {
		why += ": " + e.Err.Error()
	}
	token := t.desk.Report(events.Report{
		Topic: topic, Time: now, Action: events.Changed, Key: control.NeighborKey(e.Neighbor, on), Why: why,
		Item:  sessionItem{protocol: name, address: e.Neighbor, on: on},
		Cause: t.causes.of(now, path{e.Link, e.Neighbor}, path{routing.NoInterface, e.Neighbor}, e.Link),
	})
	t.causes.note(path{e.Link, e.Neighbor}, token, now)
	t.causes.note(path{routing.NoInterface, e.Neighbor}, token, now)
	t.causes.note(name, token, now)
}

// reloaded reports, on the loop, that a configuration is applied, before that is
// done: what it changes follows from it.
func (t *teller) reloaded(item control.ReloadResult) {
	t.because = t.desk.Report(events.Report{
		Topic: t.topic.config, Time: time.Now(), Action: events.Added, Key: "applied", Item: item, Why: "a reload applies the configuration",
	})
}

// refused reports that a configuration was refused.
func (t *teller) refused(err error) {
	t.desk.Report(events.Report{
		Topic: t.topic.config, Time: time.Now(), Action: events.Added, Key: "refused", Item: refusal(err), Why: "a reload was refused: " + reason(err),
	})
}

// natLimit reports that a limit of address translation was hit.
func (t *teller) natLimit(x natRefusal) {
	key := x.Limit
	if x.Pool != "" {
		key += " " + x.Pool
	}
	t.desk.Report(events.Report{Topic: t.topic.nat, Time: time.Now(), Action: events.Added, Key: key, Item: x, Why: "new flows are refused"})
}

// path is a neighbour as the key of a cause.
type path struct {
	link    routing.InterfaceID
	address netip.Addr
}

// causeTime is how long a report can be the cause of another of which nobody has
// said what it follows from.
const causeTime = 2 * time.Second

// causes are the latest reports about a link (routing.InterfaceID), a neighbour
// (path), or of a protocol (its name). It is safe for concurrent use.
type causes struct {
	mu     sync.Mutex
	at     map[any]cause
	routes [64]routeCause // the latest events about routes, a circle
	next   int
}

// routeCause is an event about the routes for a prefix.
type routeCause struct {
	prefix netip.Prefix
	number uint64
	time   time.Time
}

// routeTime is how long a change of routes is taken for the cause of packets that
// are dropped.
const routeTime = 10 * time.Second

// noteRoute notes the number of an event about the routes for a prefix.
func (c *causes) noteRoute(prefix string, number uint64, now time.Time) {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return // the key of such an event is a prefix
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[c.next%len(c.routes)] = routeCause{p, number, now}
	c.next++
}

// routeFor returns the number of the latest event about routes for an address, 0
// for none.
func (c *causes) routeFor(a netip.Addr, now time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i <= min(c.next, len(c.routes)); i++ {
		r := &c.routes[(c.next-i)%len(c.routes)]
		if now.Sub(r.time) > routeTime {
			return 0
		}
		if r.prefix.Contains(a) {
			return r.number
		}
	}
	return 0
}

type cause struct {
	token events.Token
	time  time.Time
}

// mostCauses bounds what is remembered, most of which is too old soon.
const mostCauses = 4096

func (c *causes) note(about any, token events.Token, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.at) >= mostCauses {
		clear(c.at)
	}
	c.at[about] = cause{token, now}
}

// of returns the latest report about the first of these that has any.
func (c *causes) of(now time.Time, about ...any) events.Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range about {
		if x, ok := c.at[a]; ok && now.Sub(x.time) <= causeTime {
			return x.token
		}
	}
	return 0
}

// tellingHandler writes records to a log, and reports them.
type tellingHandler struct {
	slog.Handler
	t     *teller
	attrs []slog.Attr
}

// Handle implements slog.Handler.
func (h tellingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		line := logLine{Level: r.Level.String(), Message: r.Message, Attributes: map[string]string{}}
		add := func(a slog.Attr) bool {
			line.Attributes[a.Key] = a.Value.String()
			return true
		}
		for _, a := range h.attrs {
			add(a)
		}
		r.Attrs(add)
		h.t.desk.Report(events.Report{Topic: h.t.topic.log, Time: r.Time, Action: events.Added, Key: line.Level, Item: line})
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h tellingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler, h.attrs = h.Handler.WithAttrs(attrs), append(slices.Clip(h.attrs), attrs...)
	return h
}

// WithGroup implements slog.Handler.
func (h tellingHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// logLine is a line of the log as the object of an event.
type logLine struct {
	Level      string            `json:"level"`
	Message    string            `json:"message"`
	Attributes map[string]string `json:"attributes"`
}
