package daemon

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port/memory"
)

// slowPort closes when enough others are being closed too.
type slowPort struct {
	*memory.Port
	closing *atomic.Int32
	enough  int32
	met     chan struct{} // closed when enough are
	err     error
}

func (p slowPort) Close() error {
	if p.closing.Add(1) == p.enough {
		close(p.met)
	}
	select {
	case <-p.met:
		return errors.Join(p.Port.Close(), p.err)
	case <-time.After(10 * time.Second):
		return errors.New("closed alone")
	}
}

// Ports are closed at the same time, all of them, and what went wrong with one
// is told.
func TestPortsAreClosedAtOnce(t *testing.T) {
	var closing atomic.Int32
	met := make(chan struct{})
	var ports []*openPort
	for range 3 * closersAtOnce {
		ports = append(ports, &openPort{spec: portSpec{name: "lan0"}, done: make(chan struct{}), port: slowPort{memory.New("lan0", 1500), &closing, closersAtOnce, met, nil}})
	}
	last := len(ports) - 1
	bad := ports[last].port.(slowPort)
	bad.err = errors.New("it is stuck")
	ports[last].port = bad
	err := closePorts(ports)
	if err == nil || !strings.Contains(err.Error(), "it is stuck") || strings.Contains(err.Error(), "alone") {
		t.Errorf("closing: %v, want that one is stuck", err)
	}
	if n := closing.Load(); int(n) != len(ports) {
		t.Errorf("%d of %d ports were closed", n, len(ports))
	}
	if err := closePorts(nil); err != nil {
		t.Errorf("closing no ports: %v", err)
	}
}
