package access

import (
	"net/netip"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFailures(t *testing.T) {
	var f Failures
	a := netip.MustParseAddr
	for i := range failureBurst {
		if wait := f.Failed(a("192.0.2.1"), now); wait != 0 {
			t.Fatalf("failure %d has to wait %v", i+1, wait)
		}
	}
	for _, c := range []struct {
		from string
		at   time.Duration
		want time.Duration
	}{
		{"192.0.2.1", 0, failureInterval},
		{"::ffff:192.0.2.1", time.Second, failureInterval - time.Second}, // what is refused does not count
		{"192.0.2.2", time.Second, 0},                                    // others are not kept waiting
		{"192.0.2.1", failureInterval, 0},
		{"192.0.2.1", failureInterval, failureInterval},
		{"192.0.2.1", time.Hour, 0},
	} {
		if got := f.Failed(a(c.from), now.Add(c.at)); got != c.want {
			t.Errorf("%s after %v waits %v, want %v", c.from, c.at, got, c.want)
		}
	}
	// A host has all addresses of a /64.
	for i := range failureBurst + 1 {
		from := a("2001:db8::1").As16()
		from[15] = byte(i)
		if wait := f.Failed(netip.AddrFrom16(from), now); (wait > 0) != (i == failureBurst) {
			t.Errorf("failure %d of a /64 waits %v", i+1, wait)
		}
	}
	if wait := f.Failed(a("2001:db8:0:1::1"), now); wait != 0 {
		t.Errorf("another /64 waits %v", wait)
	}
}

// However many addresses fail, what is remembered is bounded, and those who fail
// most are remembered longest.
func TestFailuresAreBounded(t *testing.T) {
	var f Failures
	worst := netip.MustParseAddr("192.0.2.1")
	for f.Failed(worst, now) == 0 {
	}
	for i := range uint32(3 * maxFailing) {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if wait := f.Failed(from, now); wait != 0 {
			t.Fatalf("the first failure of %v waits %v", from, wait)
		}
		if len(f.at) > maxFailing {
			t.Fatalf("%d addresses are remembered, want at most %d", len(f.at), maxFailing)
		}
	}
	if f.Failed(worst, now) == 0 {
		t.Error("the one who failed most is forgotten")
	}
}
