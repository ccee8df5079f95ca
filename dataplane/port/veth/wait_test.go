package veth

import (
	"testing"

	"routerd/dataplane/port/porttest"
)

func station(t *testing.T) porttest.Station {
	cfg := newConfig(t)
	p := openPort(t, cfg)
	return porttest.Station{
		Port:    p,
		Send:    porttest.Sender(t, cfg.Host.Netns, "lan0", porttest.Ethernet(p.HardwareAddr(), hostMAC(), porttest.EtherIPv4)),
		Up:      porttest.SetUp(t, cfg.Netns, "r0"),
		Carrier: porttest.SetUp(t, cfg.Host.Netns, "lan0"),
		Remove:  func() { porttest.IP(t, "-n", cfg.Host.Netns, "link", "del", "lan0") },
	}
}

func TestWaits(t *testing.T)  { porttest.Waits(t, station) }
func TestWorker(t *testing.T) { porttest.Worker(t, station(t)) }
