package device

import (
	"os"
	"testing"
)

func TestSpeedOf(t *testing.T) {
	for _, c := range []struct {
		low, high uint16
		want      uint64
	}{
		{10, 0, 10e6},
		{1000, 0, 1e9},
		{100_000 & 0xffff, 100_000 >> 16, 100e9},
		{65535, 1, 131_071e6},
		{0xffff, 0xffff, 0},
		{0xffff, 0, 0},
		{0, 0, 0},
	} {
		if got := speedOf(c.low, c.high); got != c.want {
			t.Errorf("%#x and %#x are %d bit/s, want %d", c.low, c.high, got, c.want)
		}
	}
}

// A device that has no speed, one that is not there, and a link that is not open.
func TestSpeedNotKnown(t *testing.T) {
	if got := NewLink("", "lo").Speed(); got != 0 {
		t.Errorf("a link that is not open has %d bit/s", got)
	}
	if os.Getuid() != 0 {
		t.Skip("a netlink socket with room takes root")
	}
	for _, name := range []string{"lo", "none-such"} {
		l := NewLink("", name)
		if err := l.Open(); err != nil {
			t.Fatal(err)
		}
		if got := l.Speed(); got != 0 {
			t.Errorf("%s has %d bit/s, want it not to know", name, got)
		}
		l.Close()
	}
}
