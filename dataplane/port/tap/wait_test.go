package tap

import (
	"testing"

	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func station(t *testing.T) porttest.Station {
	porttest.NeedTUN(t)
	ns := porttest.Namespace(t)
	p := openPort(t, lanConfig(ns))
	return porttest.Station{
		Port:    p,
		Send:    porttest.Sender(t, ns, "lan0", porttest.Ethernet(p.HardwareAddr(), device.HardwareAddr("host", "r1", "lan0"), porttest.EtherIPv4)),
		Up:      porttest.SetUp(t, ns, "lan0"),
		Carrier: porttest.SetCarrier(t, ns, "lan0"),
		Remove:  func() { porttest.IP(t, "-n", ns, "link", "del", "lan0") },
	}
}

func TestWaits(t *testing.T)  { porttest.Waits(t, station) }
func TestWorker(t *testing.T) { porttest.Worker(t, station(t)) }
