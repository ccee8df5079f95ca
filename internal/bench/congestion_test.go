package bench

import (
	"strings"
	"testing"
)

func TestChooseCongestion(t *testing.T) {
	for _, c := range []struct{ allowed, want string }{
		{"reno cubic\n", "cubic"},
		{"cubic\n", "cubic"},
		{"reno bbr\n", "reno"},
		{"reno\n", "reno"},
		{"bbr\n", ""},
		{"cubically\n", ""},
		{"", ""},
	} {
		got, err := chooseCongestion(c.allowed)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("of %q: %q, %v, wanted %q", c.allowed, got, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), "cubic or reno") {
			t.Errorf("of %q: %v, wanted it to say what it wants", c.allowed, err)
		}
	}
}
