package flow

import (
	"bytes"
	"sync"
	"testing"

	"routerd/internal/siphash"
)

// trafficOfOne is what the session with the number is said to have carried.
func trafficOfOne(t *testing.T, tab *Table, number uint32) Traffic {
	t.Helper()
	s, ok := tab.Session(number)
	if !ok {
		t.Fatalf("session %d is gone", number)
	}
	return s.Traffic
}

// What a session has carried is exact, also where it is more than the word
// beside its record holds, and while many count at once.
func TestTraffic(t *testing.T) {
	tab := New(Config{MaxSessions: 10})
	forward, reply := keys(protoUDP, 1, 4000, 5000)
	number := mustInsert(t, tab, forward, reply, host(1), nil, 0)
	if got := trafficOfOne(t, tab, number); got != (Traffic{}) {
		t.Fatalf("a new session has carried %+v", got)
	}
	const workers, each = 4, 1 << 10
	const packets, size = 1 << 16, 1<<32 - 1 // so that both halves run full: 2^28 packets, 2^44 bytes
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				tab.Count(number, packets, size)
			}
		})
	}
	all.Wait()
	want := Traffic{workers * each * packets, workers * each * size}
	if got := trafficOfOne(t, tab, number); got != want {
		t.Errorf("%d workers have counted %+v, want %+v", workers, got, want)
	}
	if len(tab.carried) != 1 {
		t.Errorf("%d sessions are noted as large ones, want 1: nothing has been carried over", len(tab.carried))
	}

	var dump bytes.Buffer
	if err := tab.Dump(&dump, 0); err != nil {
		t.Fatal(err)
	}
	after := New(Config{MaxSessions: 10, Key: siphash.Key{9}})
	if err := after.Load(&dump, 0, nil); err != nil {
		t.Fatal(err)
	}
	if got := trafficOfOne(t, after, number); got != want {
		t.Errorf("loaded from a dump the session has carried %+v, want %+v", got, want)
	}

	tab.Delete(number, func(s *Session) {
		if s.Traffic != want {
			t.Errorf("the session that ends has carried %+v, want %+v", s.Traffic, want)
		}
	})
	tab.Count(number, 1<<23, 1) // by who has found it just before: lost, and no more
	if len(tab.carried) != 0 {
		t.Errorf("what ended sessions have carried is kept: %v", tab.carried)
	}
	if again := mustInsert(t, tab, forward, reply, host(1), nil, 0); again != number {
		t.Fatalf("the next session has the number %d, want %d again", again, number)
	}
	if got := trafficOfOne(t, tab, number); got != (Traffic{}) {
		t.Errorf("a session in the place of an ended one has carried %+v from the start", got)
	}
}

// What a Tally holds is counted for the session that it was gathered for, once,
// when another session's packets come or when it is settled.
func TestTally(t *testing.T) {
	tab := New(Config{MaxSessions: 10})
	var numbers [2]uint32
	for i := range numbers {
		forward, reply := keys(protoUDP, 1, uint16(4000+i), uint16(5000+i))
		numbers[i] = mustInsert(t, tab, forward, reply, host(1), nil, 0)
	}
	var y Tally
	tab.Settle(&y)
	for _, i := range []int{0, 0, 1, 0} {
		tab.Tally(&y, numbers[i], 1, 100)
	}
	tab.Settle(&y)
	tab.Settle(&y)
	for i, want := range []Traffic{{3, 300}, {1, 100}} {
		if got := trafficOfOne(t, tab, numbers[i]); got != want {
			t.Errorf("session %d has carried %+v, want %+v", i, got, want)
		}
	}
}
