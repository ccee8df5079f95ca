package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// congestionFile lists the congestion controls that a namespace other than the
// machine's own may choose, root or not.
const congestionFile = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"

// preferredCongestion are congestion controls without pacing, best first. With
// pacing (bbr) the figures would show its timers and not the path.
var preferredCongestion = []string{"cubic", "reno"}

// congestion is the congestion control that all hosts of a run have.
func congestion() (string, error) {
	text, err := os.ReadFile(congestionFile)
	if err != nil {
		return "", fmt.Errorf("look for the congestion controls that hosts may choose: %w", err)
	}
	return chooseCongestion(string(text))
}

// chooseCongestion picks the control from the kernel's list of those allowed.
func chooseCongestion(allowed string) (string, error) {
	names := strings.Fields(allowed)
	for _, name := range preferredCongestion {
		if slices.Contains(names, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("choose a congestion control: %s allows %q, wanted %s in it",
		congestionFile, strings.TrimSpace(allowed), strings.Join(preferredCongestion, " or "))
}
