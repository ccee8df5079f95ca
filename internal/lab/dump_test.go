package lab

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
)

// A list that changes while the kernel gives it is asked for again, and not for
// ever; another error is one.
func TestListsThatChangeAreAskedForAgain(t *testing.T) {
	other := errors.New("not allowed")
	for _, tt := range []struct {
		name  string
		fails int
		err   error
		want  error
		tries int
	}{
		{"at once", 0, nil, nil, 1},
		{"after two changes", 2, netlink.ErrDumpInterrupted, nil, 3},
		{"never", 1000, netlink.ErrDumpInterrupted, netlink.ErrDumpInterrupted, dumpTries},
		{"another error", 1000, other, other, 1},
	} {
		tries := 0
		list, err := dumped(func() ([]int, error) {
			if tries++; tries <= tt.fails {
				return nil, tt.err
			}
			return []int{7}, nil
		})
		if !errors.Is(err, tt.want) || tries != tt.tries || tt.want == nil && len(list) != 1 {
			t.Errorf("%s: %v and %v after %d tries, want %v after %d", tt.name, list, err, tries, tt.want, tt.tries)
		}
	}
}
