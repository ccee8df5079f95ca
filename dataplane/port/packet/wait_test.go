package packet

import (
	"testing"

	"routerd/dataplane/port/porttest"
)

func station(t *testing.T) porttest.Station {
	w := newWire(t)
	return porttest.Station{
		Port:    openPort(t, w.config()),
		Send:    porttest.Sender(t, w.host, "h0", porttest.Ethernet(routerMAC, hostMAC, porttest.EtherIPv4)),
		Up:      porttest.SetUp(t, w.router, "r0"),
		Carrier: porttest.SetUp(t, w.host, "h0"),
		Remove:  func() { porttest.IP(t, "-n", w.router, "link", "del", "r0") },
	}
}

func TestWaits(t *testing.T)  { porttest.Waits(t, station) }
func TestWorker(t *testing.T) { porttest.Worker(t, station(t)) }
