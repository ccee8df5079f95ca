package router

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/corpus"
	"routerd/internal/machine"
	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// threadTime is the processor time that the calling thread has used: what other
// processes do on the same machine does not count, what the collector has the
// thread do does.
func threadTime(b *testing.B) time.Duration {
	const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID of clock_gettime(2)
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		b.Fatal(e)
	}
	return time.Duration(t.Nano())
}

const stepLinks = 64

// stepBench is a router on stepLinks links whose owner's steps are measured.
type stepBench struct {
	*testing.B
	router *Router
	cfg    Config
	slots  *routing.Slots
	post   *post
	now    time.Time
	steps  []time.Duration // of what is measured
}

func newStepBench(b *testing.B) *stepBench {
	s := &stepBench{B: b, router: New(rand.NewPCG(1, 1)), slots: &routing.Slots{}, now: now}
	s.cfg = Config{Name: "r1", Dataplane: dataplane.Config{ICMP: icmp.DefaultConfig, Reassembly: reassembly.Default}}
	for i := range stepLinks {
		s.cfg.Dataplane.Interfaces = append(s.cfg.Dataplane.Interfaces,
			interfaceConfig(stepLink(i), dataplane.KindTUN, fmt.Sprintf("10.255.%d.1/24", i)))
	}
	if err := s.router.Commit(s.cfg, now); err != nil {
		b.Fatal(err)
	}
	for i := range stepLinks {
		p := memory.New(stepLink(i), 1500)
		b.Cleanup(func() { p.Close() })
		if _, err := s.router.Attach(stepLink(i), p, now); err != nil {
			b.Fatal(err)
		}
	}
	s.post = newPost(s.router.mail, routing.SourceBGP, s.slots)
	s.router.protocols = append(s.router.protocols, &Protocol{post: s.post, Inbox: machine.New[protocol.Input](1 << 14)}) // nobody reads it
	s.settle()
	return s
}

func stepLink(i int) string { return fmt.Sprintf("core%d", i) }

// step measures one step of the owner.
func (s *stepBench) step(do func() error) {
	begun := threadTime(s.B)
	err := do()
	s.steps = append(s.steps, threadTime(s.B)-begun)
	if err != nil {
		s.Fatal(err)
	}
}

// settle polls until there is nothing to do, and measures each poll.
func (s *stepBench) settle() {
	for n := 0; ; n++ {
		worked := false
		s.step(func() (err error) { worked, err = s.router.Poll(s.now); return err })
		if !worked && !s.router.rib.Unsettled() && !s.router.mail.waiting() {
			return
		}
		s.now = s.now.Add(time.Second) // what is gathered is due
		if n > 50_000 {
			s.Fatal("the polls do not come to an end")
		}
	}
}

// BenchmarkOwnerSteps is how long the steps of the router's owner take while the
// public table comes and goes: the longest, and how many take more than 2 ms, in
// processor time of its thread. Each row is one event.
func BenchmarkOwnerSteps(b *testing.B) {
	table := corpus.Table(b)
	s := newStepBench(b)
	var hops [stepLinks][]routing.NextHop
	for i := range hops {
		hops[i] = []routing.NextHop{{Address: netip.AddrFrom4([4]byte{10, 255, byte(i), 2}), Interface: routing.NoInterface}}
	}
	offer := func(metric uint32) {
		for i, p := range table {
			id := routing.SlotID(i)
			if i == s.slots.Len() {
				id = s.slots.Take(p)
			}
			slot := s.slots.At(id)
			slot.NextHops, slot.Metric = hops[i*7919%stepLinks], metric
			s.slots.Offer(id)
		}
		s.slots.Publish()
	}
	withdraw := func() {
		var all routing.SlotSet
		for i := range table {
			all.Add(routing.SlotID(i))
		}
		s.slots.WithdrawAll(all)
		s.slots.Publish()
	}
	list := func(metric uint32) *rib.RouteList {
		var l rib.ListBuilder
		for i := range stepLinks {
			l.Way(rib.StaticRoute{NextHops: []rib.StaticNextHop{{Address: netip.AddrFrom4([4]byte{10, 255, byte(i), 2})}}, Metric: metric})
		}
		for i, p := range table {
			l.Add(p, i*31%stepLinks, i+1)
		}
		made, _ := l.List((&origin.Table{}).AddLines("routes.txt", len(table)))
		return made
	}
	static := func(n int, metric uint32) {
		s.cfg.RIB.Static = nil
		for i, p := range table[:n] {
			s.cfg.RIB.Static = append(s.cfg.RIB.Static, rib.StaticRoute{
				Prefix: p, Metric: metric, NextHops: []rib.StaticNextHop{{Interface: stepLink(i % stepLinks)}},
			})
		}
	}
	commit := func() { s.step(func() error { return s.router.Commit(s.cfg, now) }) }
	link := func(up bool) {
		s.step(func() error { return s.router.PortChanged(stepLink(3), port.Event{Up: up}, now) })
	}
	for _, event := range []struct {
		name    string
		prepare func()
		do      func()
	}{
		{"load", func() { offer(1) }, func() {}},
		{"other-metric", func() { offer(2) }, func() {}},
		{"link-down", nil, func() { link(false) }},
		{"link-up", nil, func() { link(true) }},
		{"other-distance", nil, func() { s.cfg.RIB.Distance[routing.SourceEBGP] = 30; commit() }},
		{"route-file", func() { s.cfg.RIB.List = list(1) }, commit},
		{"other-route-file", func() { s.cfg.RIB.List = list(2) }, commit},
		{"same-reload", nil, commit},
		{"no-route-file", func() { s.cfg.RIB.List = nil }, commit},
		{"static-50000", func() { static(50_000, 1) }, commit},
		{"other-static", func() { static(50_000, 2) }, commit},
		{"new-interface", func() {
			s.cfg.Dataplane.Interfaces = append(s.cfg.Dataplane.Interfaces, interfaceConfig("late0", dataplane.KindTUN, "10.254.0.1/24"))
		}, commit},
		{"no-static", func() { static(0, 0) }, commit},
		{"redistributed", nil, func() {
			s.step(func() error {
				return s.router.rib.Step(now, rib.Subscribe{Name: "nobody", Redistribute: []rib.Redistribution{{Source: routing.SourceEBGP}}})
			})
		}},
		{"no-longer", nil, func() { s.step(func() error { return s.router.rib.Step(now, rib.Unsubscribe{Name: "nobody"}) }) }},
		{"restart", nil, func() {
			s.step(func() error { return s.router.rib.Step(now, rib.Stale{Source: routing.SourceBGP}) })
			s.step(func() error { return s.router.rib.Step(now, rib.Sweep{Source: routing.SourceBGP}) })
		}},
		{"load-again", func() { offer(3) }, func() {}},
		{"withdrawal", withdraw, func() {}},
	} {
		b.Run(event.name, func(b *testing.B) {
			if b.N > 1 {
				b.Fatal("an event is measured once: want -benchtime 1x")
			}
			runtime.LockOSThread() // whose time it is
			defer runtime.UnlockOSThread()
			s.B = b
			if event.prepare != nil {
				event.prepare()
			}
			runtime.GC()
			s.steps = s.steps[:0]
			begun := threadTime(b)
			event.do()
			s.settle()
			all := threadTime(b) - begun
			longest, long := slices.Max(s.steps), 0
			at := slices.Index(s.steps, longest)
			for _, t := range s.steps {
				if t > 2*time.Millisecond {
					long++
				}
			}
			b.ReportMetric(longest.Seconds()*1e3, "ms/longest")
			b.ReportMetric(float64(at), "which")
			b.ReportMetric(float64(long), "over-2ms")
			b.ReportMetric(float64(len(s.steps)), "steps")
			b.ReportMetric(all.Seconds()*1e3, "ms/all")
			b.ReportMetric(0, "ns/op")
		})
	}
}
