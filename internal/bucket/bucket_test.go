package bucket

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTake(t *testing.T) {
	b := New(10, 3)
	steps := []struct {
		at   time.Duration
		want bool
	}{
		{0, true},
		{0, true},
		{0, true},
		{0, false},
		{99 * time.Millisecond, false},
		{100 * time.Millisecond, true}, // a tenth of a second earns one
		{100 * time.Millisecond, false},
		{50 * time.Millisecond, false}, // a clock that goes back earns none
		{150 * time.Millisecond, false},
		{200 * time.Millisecond, true},
		{time.Hour, true}, // the burst again, and no more
		{time.Hour, true},
		{time.Hour, true},
		{time.Hour, false},
	}
	for i, s := range steps {
		if got := b.Take(epoch.Add(s.at)); got != s.want {
			t.Errorf("step %d, at %v: %v, want %v", i, s.at, got, s.want)
		}
	}
}

func TestEdges(t *testing.T) {
	for name, b := range map[string]Bucket{"the zero Bucket": {}, "a rate of 0": New(0, 5), "a rate of -1": New(-1, 5)} {
		if b.Take(epoch) || b.Take(epoch.Add(time.Hour)) {
			t.Errorf("%s gives a token", name)
		}
	}
	b := New(1, 0)
	if !b.Take(epoch) || b.Take(epoch) {
		t.Error("a rate without a burst does not allow one at a time")
	}
	b = New(1, 2)
	if !b.Take(epoch.Add(time.Hour)) || !b.Take(epoch) || b.Take(epoch) {
		t.Error("a clock that goes back by an hour does not leave the bucket as it was")
	}
	b = New(1, 1<<62)
	for range 1000 {
		if !b.Take(epoch) {
			t.Fatal("an enormous burst is used up")
		}
	}
	b = New(1<<40, 1)
	if !b.Take(epoch) || !b.Take(epoch.Add(time.Nanosecond)) {
		t.Error("an enormous rate is not reached")
	}
}

// A taker that has to leave a share to others stops there, and those go on.
func TestTakeAbove(t *testing.T) {
	b := New(10, 4)
	for n, want := range []bool{true, true, true, false, false} { // at 4, 3 and 2 of 4
		if got := b.TakeAbove(epoch, 0.5); got != want {
			t.Errorf("token %d above the half: %v, want %v", n, got, want)
		}
	}
	if !b.Take(epoch) || b.Take(epoch) {
		t.Error("of the lower half not one token is left to others")
	}
	if b.TakeAbove(epoch.Add(50*time.Millisecond), 0) {
		t.Error("half a token is taken")
	}
	if !b.TakeAbove(epoch.Add(100*time.Millisecond), 0) {
		t.Error("with no share to leave it does not take the last token")
	}
	var zero Bucket
	if zero.TakeAbove(epoch, 0) {
		t.Error("the zero Bucket gives a token")
	}
}

// TestModel compares with a bucket of rational tokens.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Rates that divide a second, so that both count exactly.
		rate := rapid.SampledFrom([]int{1, 10, 250, 1000}).Draw(t, "rate")
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		b := New(rate, burst)
		const token = int64(time.Second) // the model counts rate·nanoseconds
		tokens, now := int64(burst)*token, epoch
		for _, wait := range rapid.SliceOfN(rapid.IntRange(0, 3_000_000_000), 1, 60).Draw(t, "waits") {
			if wait%3 != 0 { // mostly short ones
				wait %= 20_000_000
			}
			now = now.Add(time.Duration(wait))
			tokens = min(tokens+int64(wait)*int64(rate), int64(burst)*token)
			want := tokens >= token
			if want {
				tokens -= token
			}
			if got := b.Take(now); got != want {
				t.Fatalf("at %v: %v, want %v", now.Sub(epoch), got, want)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	bucket := New(1000, 100)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		bucket.Take(now)
	}
}
