package daemon

import (
	"errors"
	"fmt"
	"testing"

	"routerd/config"
	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

// What happens to a port that is to stay, while a reload is prepared beside the
// loop, is no reason to refuse the reload; what its host does not take is.
func TestPortThatGoesWhileAReloadIsPrepared(t *testing.T) {
	for _, c := range []struct {
		name    string
		checked error
		refused bool
	}{
		{"it stays", nil, false},
		{"the loop has closed it", fmt.Errorf("changing TAP port lan2: %w", port.ErrClosed), false},
		{"its device has gone", device.Missing(errors.New("device eth0 was deleted")), false},
		{"its host has a route in the way", errors.New("another route stands there"), true},
	} {
		d := &Daemon{}
		change := &change{cfg: &config.Config{}, kept: []staying{{
			port: &openPort{}, spec: portSpec{name: "lan2", check: func(port.Port) error { return c.checked }},
		}}}
		if err := d.prepare(change); (err != nil) != c.refused {
			t.Errorf("%s: %v, wanted that it is refused: %v", c.name, err, c.refused)
		}
	}
}
