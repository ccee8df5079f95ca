package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"routerd/config"
	"routerd/internal/acltest"
	"routerd/internal/control"
	"routerd/internal/origin"
	"routerd/internal/show"
)

// filterView runs tests and words their results.
type filterView struct {
	cfg    *config.Config
	config string // as it was given
	router *acltest.Router
}

func (v *filterView) test(t *acltest.Test) filterTest {
	result := v.router.Run(t)
	out := filterTest{Name: t.Name, Origin: t.Steps[0].Place.String(), Passed: !result.Wrong, Packets: []filterPacket{}}
	for i := range result.Steps {
		out.Packets = append(out.Packets, v.packet(&t.Steps[i], &result.Steps[i]))
	}
	return out
}

func (v *filterView) packet(s *acltest.Step, r *acltest.StepResult) filterPacket {
	p := filterPacket{Origin: s.Place.String(), In: r.In, Out: r.Out, Unwanted: r.Wrong, Rules: []filterRule{}, Steps: []control.Step{}}
	if r.Packet == nil {
		p.Verdict, p.Summary = r.Verdict.Label(), "it could not be made"
		return p
	}
	p.Packet, p.Verdict, p.Summary = control.Describe(r.Packet, len(r.Packet)), r.Verdict.Label(), r.Became()
	if r.Filtered != nil {
		p.State = r.Filtered.State.String()
	}
	for _, rule := range r.Deciders() {
		p.Rules = append(p.Rules, filterRule{rule.List, rule.Rule, rule.Action.String(), v.place(rule.Origin)})
	}
	for _, step := range r.Steps {
		x := control.Step{Stage: step.Stage, Text: step.Text, Answer: step.Made}
		if step.Origin != origin.None {
			x.Origin = v.place(step.Origin)
		}
		p.Steps = append(p.Steps, x)
	}
	return p
}

// place names a place in the configuration, whose file it calls as it was
// called on the command line.
func (v *filterView) place(id origin.ID) string {
	p := v.cfg.Origins.Place(id)
	if whole, err := filepath.Abs(v.config); err == nil && p.File == whole {
		p.File = v.config
	}
	return p.String()
}

// drawFilterTest prints a line for a test, with the way of the packet that did
// not fare as wanted below it.
func drawFilterTest(p *show.Screen, t *filterTest) {
	last := &t.Packets[len(t.Packets)-1]
	if t.Passed {
		fmt.Fprintf(p, "%s %s: %s%s\n", p.Paint("✔", show.Good), t.Name, last.Summary, p.Paint(places(last.Rules), show.Faint))
		return
	}
	fmt.Fprintf(p, "%s %s: %s\n", p.Paint("✘", show.Bad), t.Name, last.Unwanted)
	which := ""
	if n := len(t.Packets); n > 1 {
		which = fmt.Sprintf(", packet %d of the test", n)
	}
	fmt.Fprintf(p, "    %s%s\n", last.Origin, which)
	if last.Packet != "" {
		fmt.Fprintf(p, "    %s, comes in by %s\n", last.Packet, last.In)
	}
	var way strings.Builder
	inner := *p
	inner.Writer = &way
	drawSteps(&inner, last.Steps)
	for line := range strings.Lines(way.String()) {
		fmt.Fprint(p, "      "+line)
	}
}

// places are those of the rules that decided.
func places(rules []filterRule) string {
	var list []string
	for _, r := range rules {
		list = append(list, r.Origin)
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}
