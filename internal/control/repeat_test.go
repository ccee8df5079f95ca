package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// again asks for a change whose answer is text, and says whether it was made.
func again(t *testing.T, r *repeats, key, what, text string, now time.Time) (got string, made bool) {
	t.Helper()
	a, err := r.do(t.Context(), repeatKey{"uid 0", key}, what, now, func() (reply, bool) {
		made = true
		return reply{status: 200, body: []byte(text)}, true
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(a.body), made
}

func TestRepeats(t *testing.T) {
	var r repeats
	for _, c := range []struct {
		after      time.Duration
		key, text  string
		want       string
		wantIsMade bool
	}{
		{0, "a", "1", "1", true},
		{time.Minute, "a", "2", "1", false},
		{time.Minute, "b", "3", "3", true},
		{repeatFor - 1, "a", "4", "1", false},
		{repeatFor, "a", "5", "5", true}, // an hour later it is a new change
		{repeatFor, "b", "6", "3", false},
	} {
		if got, made := again(t, &r, c.key, "reload", c.text, noon.Add(c.after)); got != c.want || made != c.wantIsMade {
			t.Errorf("key %s after %v: %s, made %t; want %s, made %t", c.key, c.after, got, made, c.want, c.wantIsMade)
		}
	}
	var e *Error
	if _, err := r.do(t.Context(), repeatKey{"uid 0", "b"}, "clear", noon.Add(repeatFor), nil); !errors.As(err, &e) || e.Status != http.StatusUnprocessableEntity {
		t.Errorf("the key of another change: %v", err)
	}
}

// What was not made may be tried again, also where making it panics.
func TestRepeatsOfFailures(t *testing.T) {
	var r repeats
	key := repeatKey{"uid 0", "a"}
	a, err := r.do(t.Context(), key, "reload", noon, func() (reply, bool) { return reply{status: 503}, false })
	if err != nil || a.status != 503 {
		t.Errorf("%+v, %v", a, err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		r.do(t.Context(), key, "reload", noon, func() (reply, bool) { panic("a fault") })
	}()
	if got, made := again(t, &r, "a", "reload", "1", noon); got != "1" || !made {
		t.Errorf("after failures: %s, made %t", got, made)
	}
}

// While a change is under way its repeats wait for it, and get its answer; who
// gives up waiting does.
func TestRepeatsAtOnce(t *testing.T) {
	var r repeats
	begun, finish := make(chan struct{}), make(chan struct{})
	key := repeatKey{"uid 0", "a"}
	var made atomic.Int32
	change := func() (reply, bool) {
		made.Add(1)
		close(begun)
		<-finish
		return reply{status: 200, body: []byte("done")}, true
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if a, err := r.do(t.Context(), key, "reload", noon, change); err != nil || string(a.body) != "done" {
			t.Errorf("the first: %s, %v", a.body, err)
		}
	})
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.do(gone, key, "reload", noon, change); !errors.Is(err, context.Canceled) {
		t.Errorf("one who gave up: %v", err)
	}
	for range 10 {
		wg.Go(func() {
			if a, err := r.do(t.Context(), key, "reload", noon, change); err != nil || string(a.body) != "done" {
				t.Errorf("a repeat: %s, %v", a.body, err)
			}
		})
	}
	close(finish)
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("the change was made %d times", n)
	}
}

// However many changes are made, what is remembered of them is bounded, and the
// latest are.
func TestRepeatsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int
		least int // remembered
	}{{"many", 1, maxRepeats / 2}, {"large ones", maxRepeatSize / 10, 5}} {
		var r repeats
		const n = 3 * maxRepeats
		for i := range n {
			again(t, &r, fmt.Sprint(i), "reload", fmt.Sprintf("%*d", c.bytes, i), noon)
			if len(r.by) > maxRepeats || len(r.old) > maxRepeats || r.size > maxRepeatSize+c.bytes {
				t.Fatalf("%s: after %d changes %d of %d bytes are remembered", c.name, i+1, len(r.by), r.size)
			}
		}
		for i := n - c.least; i < n; i++ {
			if _, made := again(t, &r, fmt.Sprint(i), "reload", "", noon); made {
				t.Errorf("%s: change %d of %d is forgotten", c.name, i, n)
			}
		}
	}
}
