package acltest

import (
	"fmt"
	"strings"

	"routerd/acl"
	"routerd/internal/verdict"
)

// judge says in which way what became of a packet is not as wanted, "" if it is.
func (w *Want) judge(s *StepResult) string {
	switch got := outcome(s.Verdict); {
	case w.Verdict != verdict.None && s.Verdict != w.Verdict:
		return fmt.Sprintf("%s; want %s", s.Became(), w.Verdict)
	case w.Outcome != Any && got != w.Outcome:
		return fmt.Sprintf("%s; want %s", s.Became(), w.Outcome)
	}
	if w.Out != "" && s.Out != w.Out {
		return fmt.Sprintf("%s; want it to leave by %s", s.Became(), w.Out)
	}
	return w.judgeFilter(s)
}

// outcome is what a verdict means for the filter, Any where the packet was lost
// for another reason.
func outcome(v verdict.Verdict) Outcome {
	switch {
	case v == verdict.ACLRejected:
		return Reject
	case v == verdict.ACLDropped, v == verdict.ACLLimited, v == verdict.ZoneNoPolicy:
		return Drop
	case v.Class() == verdict.Dropped:
		return Any
	}
	return Accept
}

func (w *Want) judgeFilter(s *StepResult) string {
	if w.State == nil && w.List == "" && w.Rule == "" {
		return ""
	}
	if s.Filtered == nil {
		return s.Became() + ", and the filter was not asked about it"
	}
	if w.State != nil && s.Filtered.State != *w.State {
		return fmt.Sprintf("its state is %s; want %s", s.Filtered.State, *w.State)
	}
	if w.List == "" && w.Rule == "" {
		return ""
	}
	for _, p := range s.Deciders() {
		if p.List != "" && (w.List == "" || p.List == w.List) && (w.Rule == "" || ruleName(p) == w.Rule) {
			return ""
		}
	}
	want := "a rule"
	if w.Rule != "" {
		want = "rule " + w.Rule
	}
	if w.List != "" {
		want += " of acl " + w.List
	}
	return fmt.Sprintf("%s; want %s to have decided", s.Became(), want)
}

func ruleName(p acl.Place) string {
	if p.Rule == "" {
		return DefaultAction
	}
	return p.Rule
}

// Deciders are the rules that made the packet what it became: the one that
// dropped it, or all those that accepted it or let its session begin.
func (s *StepResult) Deciders() []acl.Place {
	if s.Filtered == nil {
		return nil
	}
	list := s.Filtered.Rules
	if o := outcome(s.Verdict); len(list) > 0 && (o == Drop || o == Reject) {
		list = list[len(list)-1:]
	}
	return list
}

// Became says in a few words what became of the packet, and by which rules.
func (s *StepResult) Became() string {
	var words []string
	for _, p := range s.Deciders() {
		words = append(words, describe(p))
	}
	rules := strings.Join(words, " and ")
	switch outcome(s.Verdict) {
	case Any:
		return fmt.Sprintf("dropped, and not by the filter: %s (%s)", s.Verdict.Sentence(), s.Verdict)
	case Drop:
		switch s.Verdict {
		case verdict.ZoneNoPolicy:
			return "dropped: " + rules
		case verdict.ACLLimited:
			return "dropped: over a limit of " + rules
		}
		return "dropped by " + rules
	case Reject:
		return "rejected by " + rules
	}
	text := "accepted"
	switch {
	case s.Filtered != nil && s.Filtered.State == acl.Established && rules == "":
		text += " as of a session"
	case s.Filtered != nil && s.Filtered.State == acl.Established:
		text += " as of a session that began by " + rules
	case rules != "":
		text += " by " + rules
	}
	if s.Out != "" {
		return text + ", leaves by " + s.Out
	}
	return text + ": " + s.Verdict.Sentence()
}

// describe names a rule.
func describe(p acl.Place) string {
	switch {
	case p.List == "" && p.From == "":
		return "no policy from an interface in no zone to the zone " + p.To
	case p.List == "" && p.To == "":
		return fmt.Sprintf("no policy from the zone %s to an interface in no zone", p.From)
	case p.List == "":
		return fmt.Sprintf("no policy from the zone %s to the zone %s", p.From, p.To)
	case p.Rule == "":
		return "the default action of acl " + p.List
	}
	return fmt.Sprintf("rule %s of acl %s", p.Rule, p.List)
}
