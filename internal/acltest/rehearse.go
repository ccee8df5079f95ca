package acltest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/flow"
	"routerd/internal/router"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/rib"
)

// Router is a router that packets are rehearsed with.
type Router struct {
	router *router.Router
	now    time.Time
}

// DefaultMTU is the MTU of an interface whose configuration leaves it to the
// device, in bytes of an IP packet.
const DefaultMTU = 1500

// mostPolls bounds how often a router may have more to do about its routes:
// each time it does a thousandth of a second's work.
const mostPolls = 1_000_000

// New makes the router that cfg describes, with the routes more beside those of
// the configuration, at the time now.
func New(cfg router.Config, more []rib.StaticRoute, now time.Time) (*Router, error) {
	cfg.Protocols = nil
	cfg.RIB.Static = slices.Concat(cfg.RIB.Static, more)
	for i := range cfg.RIB.Static {
		unwatched(&cfg.RIB.Static[i])
	}
	cfg.ACL.Lists = slices.Clone(cfg.ACL.Lists)
	for i := range cfg.ACL.Lists {
		unpaced(&cfg.ACL.Lists[i])
	}
	r := &Router{router: router.New(rand.NewPCG(1, 2)), now: now} // nothing comes from outside that a secret would keep off
	if err := r.router.Commit(cfg, now); err != nil {
		return nil, fmt.Errorf("making the router: %w", err)
	}
	for _, i := range cfg.Dataplane.Interfaces {
		if i.Kind == dataplane.KindLoopback {
			continue
		}
		mtu := i.MTU
		if mtu == 0 {
			mtu = DefaultMTU
		}
		if _, err := r.router.Attach(i.Name, silentPort{i.Name, mtu}, now); err != nil {
			return nil, fmt.Errorf("making the router: %w", err)
		}
	}
	for range mostPolls {
		worked, err := r.router.Poll(now)
		if err != nil {
			return nil, fmt.Errorf("making the router: %w", err)
		}
		if !worked {
			return r, nil
		}
	}
	return nil, errors.New("making the router: it finds no end to what its routes come to")
}

// unwatched takes BFD off a route's next hops, since nobody answers it.
func unwatched(s *rib.StaticRoute) {
	s.NextHops = slices.Clone(s.NextHops)
	for i := range s.NextHops {
		s.NextHops[i].Watch = nil
	}
}

// unpaced takes the rates off a list's limits: time stands still, so that they would
// never allow anything again.
func unpaced(l *acl.List) {
	l.Rules = slices.Clone(l.Rules)
	for i := range l.Rules {
		r := &l.Rules[i]
		r.Limits.Every, r.HostLimits.Every = 0, 0
	}
}

// Result is what has become of the packets of a test, one Outcome for each step
// that was run: a step that is not as wanted is the last.
type Result struct {
	Steps []StepResult
	Wrong bool // the last of them is not as wanted
}

// StepResult is what has become of one packet.
type StepResult struct {
	Packet []byte // as it came in; nil of one that could not be made
	In     string // the interface that it came in by
	Out    string // the one that it left by; "" if it did not
	dataplane.Explanation
	// Wrong says in which way it is not as wanted; "" if it is.
	Wrong string
}

// Run runs the packets of a test, in a router without sessions.
func (r *Router) Run(t *Test) Result {
	v := r.router.View()
	if v.NAT != nil {
		v.NAT.Clear(nat.Filter{})
	}
	if v.Sessions6 != nil {
		v.Sessions6.Clear(func(*flow.Session) bool { return true }, nil)
	}
	stage := dataplane.NewRehearsal()
	var out Result
	for i := range t.Steps {
		var before *StepResult
		if i > 0 {
			before = &out.Steps[i-1]
		}
		s := r.step(stage, v, &t.Steps[i], before)
		out.Steps = append(out.Steps, s)
		if s.Wrong != "" {
			out.Wrong = true
			break
		}
	}
	return out
}

// step runs one packet.
func (r *Router) step(stage *dataplane.Rehearsal, v *dataplane.View, s *Step, before *StepResult) StepResult {
	out := StepResult{In: s.Packet.In}
	pieces, err := s.Packet.pieces(before)
	if err != nil {
		out.Wrong = err.Error()
		return out
	}
	if out.In == "" {
		out.In = before.Out
	}
	in := v.Named(out.In)
	if in == nil {
		out.Wrong = fmt.Sprintf("it comes in by %q, and the configuration has no such interface", out.In)
		return out
	}
	for _, piece := range pieces {
		out.Packet = piece
		out.Explanation = stage.Packet(v, in.ID, piece, r.now)
	}
	if i := v.Interface(out.Explanation.Out); out.Explanation.Out != routing.NoInterface && i != nil {
		out.Out = i.Name
	}
	out.Wrong = s.Want.judge(&out)
	return out
}

// pieces makes the packet, which may be an answer to what has become of the one
// before.
func (p *Packet) pieces(before *StepResult) ([][]byte, error) {
	if p.Answers == None {
		return p.build()
	}
	switch {
	case before == nil:
		return nil, errors.New("it is an answer, and no packet is before it")
	case before.Verdict.Class() == verdict.Local:
		return nil, errors.New("it is an answer to a packet for the router itself, and the filter does not look at what that sends")
	case before.Left == nil:
		return nil, errors.New("it is an answer to a packet that was dropped")
	}
	raw, err := p.Answers.answer(before.Left, p.Src)
	return [][]byte{raw}, err
}
