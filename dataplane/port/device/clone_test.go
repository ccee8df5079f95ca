package device

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestErrorsNameWhatIsMissing(t *testing.T) {
	host := Host{Netns: "h1", Device: "lan0"}
	for _, tt := range []struct {
		err  error
		says string
	}{
		{openError(ClonePath, unix.ENOENT), "modprobe tun"},
		{openError(ClonePath, unix.EACCES), "may not be opened"},
		{openError(ClonePath, unix.ENODEV), "lacks the tun module"},
		{openError(ClonePath, unix.EMFILE), "too many open files"},
		{makeError(host, unix.EPERM), "lacks CAP_NET_ADMIN"},
		{makeError(host, unix.EBUSY), `in network namespace "h1"`},
		{makeError(Host{Device: "lan0"}, unix.EINVAL), "in routerd's own network namespace"},
	} {
		if !strings.Contains(tt.err.Error(), tt.says) {
			t.Errorf("%v\nwant it to say %q", tt.err, tt.says)
		}
	}
	if _, _, err := makeQueue(t.TempDir()+"/tun", host, TUN, false, true, nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("makeQueue without a clone device: %v", err)
	}
	if _, _, err := makeQueue("/dev/null", host, TUN, false, true, nil); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("makeQueue on something else: %v", err)
	}
}
