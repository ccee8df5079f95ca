package memory_test

import (
	"testing"

	"routerd/dataplane/port/memory"
	"routerd/dataplane/port/porttest"
)

func station(t *testing.T) porttest.Station {
	p := memory.New("lan0", 1500)
	t.Cleanup(func() { p.Close() })
	return porttest.Station{
		Port: p, Up: p.SetUp, Carrier: p.SetUp, Remove: p.Remove,
		Send: func(packet []byte) { p.Inject(memory.Packet{Data: packet}) },
	}
}

func TestWaits(t *testing.T)  { porttest.Waits(t, station) }
func TestWorker(t *testing.T) { porttest.Worker(t, station(t)) }
