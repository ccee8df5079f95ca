package router

import (
	"fmt"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/offload/offloadtest"
	"routerd/flow"
	"routerd/routing"
)

// same compares what has left.
func (t *twins) same(what string) {
	t.Helper()
	if t.plain.others != t.carried.others {
		t.Fatalf("%s: with the cache %v other packets left, without %v", what, t.carried.others, t.plain.others)
	}
	for _, f := range t.flows {
		if want := t.plain.left[f.id]; len(want) > 0 {
			last := want[len(want)-1]
			f.back, f.backIn = offloadtest.Source([]byte(last.data)), last.by
		}
		t.sameFlow(what, f, f.id)
		t.sameFlow(what, f, f.id+1)
	}
}

func (t *twins) sameFlow(what string, f *marked, id uint32) {
	t.Helper()
	have, want := t.carried.left[id], t.plain.left[id]
	for i := range max(len(have), len(want)) {
		switch {
		case i >= len(have):
			t.Fatalf("%s: %+v: with the cache %d packets left, without %d; lost: %s", what, f, len(have), len(want), want[i])
		case i >= len(want):
			t.Fatalf("%s: %+v: with the cache %d packets left, without %d; in excess: %s", what, f, len(have), len(want), have[i])
		case have[i] != want[i]:
			t.Fatalf("%s: %+v, packet %d: with the cache leaves %s; without %s", what, f, i, have[i], want[i])
		}
	}
	delete(t.carried.left, id)
	delete(t.plain.left, id)
}

// String is a frame up to its mark.
func (l left) String() string {
	return fmt.Sprintf("by lan%d %+v % x", l.by, l.offload, l.data[:min(len(l.data), 70)])
}

// counted compares the counters of interfaces and sessions.
func (t *twins) counted() {
	t.Helper()
	w := t.carried
	w.cache.Clear(flowcache.Filter{})
	for range 3 { // ended, taken out, told of
		t.advance(50 * time.Millisecond)
		_, err := w.cache.Step(t.now)
		t.must(err)
	}
	w.cache.Account(t.now)
	for lan := range lans {
		have, want := w.received(lan), t.plain.received(lan)
		have.Add(w.cache.Counters(routing.InterfaceID(lan)).Received())
		if have != want {
			t.Fatalf("lan%d: with the cache received %+v, without %+v", lan, have, want)
		}
		if have, want := w.sent(lan), t.plain.sent(lan); have != want {
			t.Fatalf("lan%d: with the cache sent %+v, without %+v", lan, have, want)
		}
	}
	have, want := w.sessions(), t.plain.sessions()
	for k, s := range want {
		if have[k] != s {
			t.Fatalf("session %+v: with the cache %+v, without %+v", k, have[k], s)
		}
	}
	if len(have) != len(want) {
		t.Fatalf("with the cache %d sessions, without %d", len(have), len(want))
	}
}

func (w *twin) received(lan int) dataplane.Traffic {
	n, aside := w.workers[lan].Counters.Received(), w.asides[lan]
	n.Add(w.before[lan].Received())
	n.Packets -= aside.Packets
	n.Bytes -= aside.Bytes
	return n
}

func (w *twin) sent(lan int) (n dataplane.Traffic) {
	for in := range lans {
		n.Add(w.workers[in].Counters.Sent(routing.InterfaceID(lan)))
		n.Add(w.before[in].Sent(routing.InterfaceID(lan)))
		if w.cache != nil {
			n.Add(w.cache.Counters(routing.InterfaceID(in)).Sent(routing.InterfaceID(lan)))
		}
	}
	n.Add(w.router.Neighbors().Counters.Sent(routing.InterfaceID(lan)))
	return n
}

// sessions are what each carried.
func (w *twin) sessions() map[ends]flow.Traffic {
	all := map[ends]flow.Traffic{}
	note := func(s *flow.Session) { all[ends{s.Forward, s.Reply, s.Wide}] = s.Traffic }
	if v := w.router.View(); v.NAT != nil {
		v.NAT.Each(note)
		if v.Sessions6 != nil {
			v.Sessions6.Each(note)
		}
	}
	return all
}

// ends tell a session from all others.
type ends struct {
	forward, reply flow.Key
	wide           flow.Wide
}
