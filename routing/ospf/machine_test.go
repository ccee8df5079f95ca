package ospf

import (
	"fmt"
	"testing"
)

// Every entry of RFC 2328 §9.3, in its order; what is not in it changes nothing.
func TestInterfaceStates(t *testing.T) {
	type outcome struct {
		to InterfaceState
		do InterfaceAction
	}
	rows := []struct {
		name     string
		from     []InterfaceState
		event    InterfaceEvent
		networks []NetworkType
		eligible []bool
		want     outcome // Same: the state before
	}{
		{"up, on a network that does not elect", in(InterfaceDown), InterfaceUp, of(PointToPoint, PointToMultipoint, Virtual), both, outcome{InterfacePointToPoint, StartHello}},
		{"up, not eligible", in(InterfaceDown), InterfaceUp, of(Broadcast, NBMA), of(false), outcome{InterfaceDROther, StartHello}},
		{"up, broadcast", in(InterfaceDown), InterfaceUp, of(Broadcast), of(true), outcome{InterfaceWaiting, StartHello | StartWait}},
		{"up, NBMA", in(InterfaceDown), InterfaceUp, of(NBMA), of(true), outcome{InterfaceWaiting, StartHello | StartWait | StartEligible}},
		{"backup seen", in(InterfaceWaiting), BackupSeen, all, both, outcome{numInterfaceStates, RunElection}},
		{"waited", in(InterfaceWaiting), WaitTimer, all, both, outcome{numInterfaceStates, RunElection}},
		{"neighbours change", in(InterfaceDROther, InterfaceBackup, InterfaceDR), NeighborChange, all, both, outcome{numInterfaceStates, RunElection}},
		{"down", everyInterface(), InterfaceGone, all, both, outcome{InterfaceDown, Reset}},
		{"looped", everyInterface(), LoopInd, all, both, outcome{InterfaceLoopback, Reset}},
		{"unlooped", in(InterfaceLoopback), UnloopInd, all, both, outcome{InterfaceDown, 0}},
	}
	type input struct {
		from     InterfaceState
		event    InterfaceEvent
		network  NetworkType
		eligible bool
	}
	said := map[input]bool{}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			for _, from := range r.from {
				for _, n := range r.networks {
					for _, eligible := range r.eligible {
						want := r.want
						if want.to == numInterfaceStates {
							want.to = from
						}
						to, do := from.Next(r.event, n, eligible)
						if got := (outcome{to, do}); got != want {
							t.Errorf("%v on network %d: %+v, want %+v", from, n, got, want)
						}
						said[input{from, r.event, n, eligible}] = true
					}
				}
			}
		})
	}
	for _, from := range everyInterface() {
		for e := range numInterfaceEvents {
			for _, n := range all {
				for _, eligible := range both {
					if to, do := from.Next(e, n, eligible); !said[input{from, e, n, eligible}] && (to != from || do != 0) {
						t.Errorf("%v on event %d without an entry: %v, %b", from, e, to, do)
					}
				}
			}
		}
	}
	if n := len(interfaceRows); n != 7 {
		t.Errorf("%d entries, want the 7 of the RFC", n)
	}
}

var (
	both = []bool{false, true}
	all  = []NetworkType{Broadcast, NBMA, PointToPoint, PointToMultipoint, Virtual}
)

func in(s ...InterfaceState) []InterfaceState { return s }

func of[T any](x ...T) []T { return x }

func everyInterface() (list []InterfaceState) {
	for s := range numInterfaceStates {
		list = append(list, s)
	}
	return list
}

// Every entry of RFC 2328 §10.3, in its order; what is not in it changes nothing.
func TestNeighborStates(t *testing.T) {
	var (
		any_      = []Conditions{{}, {Adjacent: true}, {Requested: true}, {true, true}}
		adjacent  = []Conditions{{Adjacent: true}, {true, true}}
		apart     = []Conditions{{}, {Requested: true}}
		requested = []Conditions{{Requested: true}, {true, true}}
		nothing   = []Conditions{{}, {Adjacent: true}}
		from      = func(first, last NeighborState) (list []NeighborState) {
			for s := first; s <= last; s++ {
				list = append(list, s)
			}
			return list
		}
		only = func(s NeighborState) []NeighborState { return from(s, s) }
	)
	rows := []struct {
		from  []NeighborState
		event NeighborEvent
		when  []Conditions
		to    NeighborState // numNeighborStates: the state before
		do    NeighborAction
	}{
		{only(NeighborDown), Start, any_, NeighborAttempt, Greet | StartInactivity},
		{only(NeighborAttempt), HelloReceived, any_, NeighborInit, StartInactivity},
		{only(NeighborDown), HelloReceived, any_, NeighborInit, StartInactivity},
		{from(NeighborInit, NeighborFull), HelloReceived, any_, numNeighborStates, StartInactivity},
		{only(NeighborInit), TwoWayReceived, apart, NeighborTwoWay, 0},
		{only(NeighborInit), TwoWayReceived, adjacent, NeighborExStart, Negotiate},
		{only(NeighborExStart), NegotiationDone, any_, NeighborExchange, Summarize},
		{only(NeighborExchange), ExchangeDone, nothing, NeighborFull, 0},
		{only(NeighborExchange), ExchangeDone, requested, NeighborLoading, Request},
		{only(NeighborLoading), LoadingDone, any_, NeighborFull, 0},
		{only(NeighborTwoWay), AdjOK, apart, NeighborTwoWay, 0},
		{only(NeighborTwoWay), AdjOK, adjacent, NeighborExStart, Negotiate},
		{from(NeighborExStart, NeighborFull), AdjOK, adjacent, numNeighborStates, 0},
		{from(NeighborExStart, NeighborFull), AdjOK, apart, NeighborTwoWay, ClearLists},
		{from(NeighborExchange, NeighborFull), SeqNumberMismatch, any_, NeighborExStart, ClearLists | Negotiate},
		{from(NeighborExchange, NeighborFull), BadLSReq, any_, NeighborExStart, ClearLists | Negotiate},
		{from(NeighborDown, NeighborFull), KillNbr, any_, NeighborDown, ClearLists | StopInactivity},
		{from(NeighborDown, NeighborFull), LLDown, any_, NeighborDown, ClearLists | StopInactivity},
		{from(NeighborDown, NeighborFull), InactivityTimer, any_, NeighborDown, ClearLists},
		{from(NeighborTwoWay, NeighborFull), OneWayReceived, any_, NeighborInit, ClearLists},
		{from(NeighborTwoWay, NeighborFull), TwoWayReceived, any_, numNeighborStates, 0},
		{only(NeighborInit), OneWayReceived, any_, numNeighborStates, 0},
	}
	type input struct {
		from  NeighborState
		event NeighborEvent
		when  Conditions
	}
	said := map[input]bool{}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%v to %v on %v, to %v", r.from[0], r.from[len(r.from)-1], r.event, r.to), func(t *testing.T) {
			for _, s := range r.from {
				for _, c := range r.when {
					want := r.to
					if want == numNeighborStates {
						want = s
					}
					if to, do, ok := s.Next(r.event, c); to != want || do != r.do || !ok {
						t.Errorf("%v, %+v: %v, %b, %v; want %v, %b", s, c, to, do, ok, want, r.do)
					}
					said[input{s, r.event, c}] = true
				}
			}
		})
	}
	for s := range numNeighborStates {
		for e := range numNeighborEvents {
			for _, c := range any_ {
				if to, do, ok := s.Next(e, c); !said[input{s, e, c}] && (to != s || do != 0 || ok) {
					t.Errorf("%v on %v without an entry: %v, %b", s, e, to, do)
				}
			}
			if to, _, _ := s.Next(e, Conditions{}); s.Changes(to) != (s < NeighborTwoWay && to >= NeighborTwoWay || to < NeighborTwoWay && s >= NeighborTwoWay) {
				t.Errorf("%v to %v: a change for the interface %v", s, to, s.Changes(to))
			}
		}
	}
	if n := len(neighborRows); n != 18 {
		t.Errorf("%d entries, want the 18 of the RFC", n)
	}
}

func TestAdjacent(t *testing.T) {
	neighbor := Candidate{Router: 7, Name: 70}
	for _, tt := range []struct {
		name    string
		network NetworkType
		elected Elected
		want    bool
	}{
		{"point-to-point", PointToPoint, Elected{}, true},
		{"point-to-multipoint", PointToMultipoint, Elected{}, true},
		{"virtual link", Virtual, Elected{}, true},
		{"the router is DR", Broadcast, Elected{10, 20, InterfaceDR}, true},
		{"the router is BDR", NBMA, Elected{10, 20, InterfaceBackup}, true},
		{"the neighbour is DR", Broadcast, Elected{70, 20, InterfaceDROther}, true},
		{"the neighbour is BDR", NBMA, Elected{10, 70, InterfaceDROther}, true},
		{"neither", Broadcast, Elected{10, 20, InterfaceDROther}, false},
		{"its router ID is no name", Broadcast, Elected{7, 20, InterfaceDROther}, false},
		{"still waiting", Broadcast, Elected{0, 0, InterfaceWaiting}, false},
	} {
		if got := Adjacent(tt.network, tt.elected, neighbor); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestStateWords(t *testing.T) {
	seen := map[string]bool{}
	add := func(word string, want bool) {
		if (word != "unknown") != want || want && seen[word] {
			t.Errorf("word %q", word)
		}
		seen[word] = true
	}
	for s := range numInterfaceStates + 1 {
		add("interface "+s.String(), true)
	}
	for s := range numNeighborStates + 1 {
		add("neighbour "+s.String(), true)
	}
	for e := range numNeighborEvents + 1 {
		add("event "+e.String(), true)
	}
	add(numInterfaceStates.String(), false)
	add(numNeighborStates.String(), false)
	add(numNeighborEvents.String(), false)
}
