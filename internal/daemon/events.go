package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
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
	// measured is what the interfaces carried, as the sampler has told it last.
	measured atomic.Pointer[measurement]

	// For the loop alone. because is the report that the changes of routes follow
	// from until the table has settled.
	because    events.Token
	seen       []*dataplane.Interface // of the View whose interfaces were told
	interfaces map[string]toldInterface
	stale      bool // an interface has changed of which the View says nothing
	held       map[routing.InterfaceID]heldPlace
	routes     gathering
}

// topicIDs are the numbers of the topics.
type topicIDs struct {
	iface, neighbor, route, nat, acl, drop, config, log, traffic events.TopicID
	protocols                                                    map[string]events.TopicID
}

// toldInterface is what of an interface is compared to find out whether it has
// changed.
type toldInterface struct {
	view       *dataplane.Interface
	state, why string
	lacks      []string
	offload    string
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
			acl: id(control.TopicACL), drop: id(control.TopicDrop), config: id(control.TopicConfig), log: id(control.TopicLog),
			traffic: id(control.TopicTraffic), protocols: map[string]events.TopicID{},
		},
		causes: causes{at: map[any]cause{}},
		held:   map[routing.InterfaceID]heldPlace{},
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
	t.dropHeld()
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
		is.offload = t.d.offloadWords(i)
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
		token := t.reportLink(i.ID, r)
		t.causes.note(i.ID, token, now)
		t.because = token
	}
	for name, was := range t.interfaces {
		if !there[name] {
			delete(t.interfaces, name)
			token := t.reportLink(was.view.ID, events.Report{Topic: t.topic.iface, Time: now, Action: events.Removed, Key: name, Cause: t.because})
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
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(x.lacks, y.lacks) && x.offload == y.offload
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
	case x.offload != was.offload:
		return x.offload
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

// aclLogged reports packets that a rule of the packet filter logs.
func (t *teller) aclLogged(at time.Time, x *aclLogItem, origin string) {
	why := "the rule logs what it matches"
	if x.Header == "" {
		why = "the rule has matched more packets than are told one by one"
	}
	t.desk.Report(events.Report{
		Topic: t.topic.acl, Time: at, Action: events.Added, Key: strings.TrimSpace(x.List + " " + x.Rule), Item: x, Why: why, Origin: origin,
	})
}
