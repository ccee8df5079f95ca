package router

import (
	"testing"

	"routerd/dataplane"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// TestProbeAnsweredBeforeItsFateIsKnown: a probe that waited for its next hop may be answered by
// way of one worker before another has told that it left. There is more to wait for until both
// are known.
func TestProbeAnsweredBeforeItsFateIsKnown(t *testing.T) {
	answer := dataplane.Received{Packet: []byte{4 << 4}, Protocol: packet.ProtoICMP}
	left := dataplane.ProbeFate{Verdict: verdict.Originated}
	waits := dataplane.ProbeFate{Verdict: verdict.Resolving}
	for name, told := range map[string][]func(*Flight){
		"after it left":             {func(f *Flight) { f.left(left) }, func(f *Flight) { f.ProbeAnswered(&answer) }},
		"before Send has its fate":  {func(f *Flight) { f.ProbeAnswered(&answer) }, func(f *Flight) { f.left(left) }},
		"after its wait has ended":  {func(f *Flight) { f.left(waits) }, func(f *Flight) { f.ProbeEnded(left) }, func(f *Flight) { f.ProbeAnswered(&answer) }},
		"before its wait has ended": {func(f *Flight) { f.left(waits) }, func(f *Flight) { f.ProbeAnswered(&answer) }, func(f *Flight) { f.ProbeEnded(left) }},
		"before all else":           {func(f *Flight) { f.ProbeAnswered(&answer) }, func(f *Flight) { f.ProbeEnded(left) }, func(f *Flight) { f.left(waits) }},
	} {
		f := newFlight()
		for _, tell := range told {
			select {
			case <-f.Done:
				if fate, a := f.Result(); fate != left || a == nil {
					t.Errorf("answered %s: it is done, and was %s, with the answer %v", name, fate.Verdict, a)
				}
			default:
			}
			tell(f)
		}
		select {
		case <-f.Done:
		default:
			t.Errorf("answered %s: all is known, and there is more to wait for", name)
		}
		if fate, a := f.Result(); fate != left || a == nil {
			t.Errorf("answered %s: it was %s, with the answer %v", name, fate.Verdict, a)
		}
	}
}

// TestProbeThatIsDropped: no answer is waited for.
func TestProbeThatIsDropped(t *testing.T) {
	f := newFlight()
	f.left(dataplane.ProbeFate{Verdict: verdict.NoRoute})
	select {
	case <-f.Done:
	default:
		t.Error("it has no route, and there is more to wait for")
	}
}
