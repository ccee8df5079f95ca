package acltest

import (
	"time"

	"routerd/dataplane/port"
)

// silentPort is the port of an interface in a rehearsal: it is up, takes
// super-packets and nothing ever comes in by it.
type silentPort struct {
	name string
	mtu  int
}

var _ port.Port = silentPort{}

func (p silentPort) Name() string            { return p.name }
func (silentPort) Kind() string              { return "silent" }
func (silentPort) Queues() []port.Queue      { return []port.Queue{silentQueue{}} }
func (silentPort) LinkHeader() int           { return 0 }
func (silentPort) Offloads() port.Offloads   { return port.OffloadAll }
func (p silentPort) MTU() int                { return p.mtu }
func (silentPort) Up() bool                  { return true }
func (silentPort) Events() <-chan port.Event { return nil }
func (silentPort) Close() error              { return nil }

type silentQueue struct{}

func (silentQueue) Read([]port.Frame) (int, error)          { return 0, port.ErrClosed }
func (silentQueue) Write(frames []*port.Frame) (int, error) { return len(frames), nil }
func (silentQueue) SetReadDeadline(time.Time) error         { return nil }
