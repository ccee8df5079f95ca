package tun

import (
	"testing"

	"routerd/dataplane/port/porttest"
)

func station(t *testing.T) porttest.Station {
	porttest.NeedTUN(t)
	ns := porttest.Namespace(t)
	return porttest.Station{
		Port:    openPort(t, lanConfig(ns)),
		Send:    porttest.Sender(t, ns, "lan0", nil),
		Up:      porttest.SetUp(t, ns, "lan0"),
		Carrier: porttest.SetCarrier(t, ns, "lan0"),
		Remove:  func() { porttest.IP(t, "-n", ns, "link", "del", "lan0") },
	}
}

func TestWaits(t *testing.T)  { porttest.Waits(t, station) }
func TestWorker(t *testing.T) { porttest.Worker(t, station(t)) }
