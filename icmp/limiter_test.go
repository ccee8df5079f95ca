package icmp

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestLimiter(t *testing.T) {
	l := NewLimiter(Config{ErrorRate: 10, ErrorBurst: 3})
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
		if got := l.Allow(epoch.Add(s.at)); got != s.want {
			t.Errorf("step %d, at %v: %v, want %v", i, s.at, got, s.want)
		}
	}
}

func TestLimiterEdges(t *testing.T) {
	for _, cfg := range []Config{{}, {ErrorBurst: 5}, {ErrorRate: -1, ErrorBurst: 5}} {
		l := NewLimiter(cfg)
		if l.Allow(epoch) || l.Allow(epoch.Add(time.Hour)) {
			t.Errorf("%+v allows an error", cfg)
		}
	}
	l := NewLimiter(Config{ErrorRate: 1})
	if !l.Allow(epoch) || l.Allow(epoch) {
		t.Error("a rate without a burst does not allow one at a time")
	}
	l = NewLimiter(Config{ErrorRate: 1, ErrorBurst: 2})
	if !l.Allow(epoch.Add(time.Hour)) || !l.Allow(epoch) || l.Allow(epoch) {
		t.Error("a clock that goes back by an hour does not leave the bucket as it was")
	}
	l = NewLimiter(Config{ErrorRate: 1, ErrorBurst: 1 << 62})
	for range 1000 {
		if !l.Allow(epoch) {
			t.Fatal("an enormous burst is used up")
		}
	}
	l = NewLimiter(Config{ErrorRate: 1 << 40, ErrorBurst: 1})
	if !l.Allow(epoch) || !l.Allow(epoch.Add(time.Nanosecond)) {
		t.Error("an enormous rate is not reached")
	}
}

// TestLimiterModel compares with a bucket of rational tokens.
func TestLimiterModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Rates that divide a second, so that both count exactly.
		rate := rapid.SampledFrom([]int{1, 10, 250, 1000}).Draw(t, "rate")
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		l := NewLimiter(Config{ErrorRate: rate, ErrorBurst: burst})
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
			if got := l.Allow(now); got != want {
				t.Fatalf("at %v: %v, want %v", now.Sub(epoch), got, want)
			}
		}
	})
}

func BenchmarkLimiter(b *testing.B) {
	l := NewLimiter(DefaultConfig)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		l.Allow(now)
	}
}
