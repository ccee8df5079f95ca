package veth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"routerd/dataplane/port/device"
)

// Config describes a veth port. Router and Name identify it.
type Config struct {
	Router string // the router's name; the link addresses follow from it and Name
	Name   string // the interface it serves
	MTU    int    // bytes of an IP packet, of both ends
	Queues int    // sockets that share the router's end; 0 counts as 1
	// Netns and Device are where the router's end is: an existing namespace, as
	// in device.Host, and the name of the device that is made there.
	Netns, Device string
	// Host is the other end. Its device has another name than the router's end if
	// it is in the same namespace.
	Host device.Host
	// Bridge is an existing bridge in Host.Netns that the host's end becomes a
	// port of, and then has no addresses and routes; "" for none.
	Bridge string
	// Via are the router's own addresses on the link. The first of each family is
	// the next hop of Host.Routes.
	Via []netip.Addr
	// Will, if not nil, is called before the pair is made; an error forbids it.
	// Undo undoes it.
	Will func(kind, path, value string) error
}

// Limits of a Config.
const (
	minMTU    = 68    // RFC 791 §3.2
	maxMTU    = 65535 // what a veth takes
	maxQueues = 256   // what a packet port takes
)

// DeviceName is a name for the router's end of an interface that fits (IFNAMSIZ)
// and that no other interface of any router of the machine gets.
func DeviceName(router, name string) string {
	a := (&Config{Router: router, Name: name}).address()
	return "veth" + hex.EncodeToString(a[1:])
}

// check refuses a Config that no pair could have. The kernel would not refuse all
// of these.
func check(cfg Config) error {
	if err := errors.Join(device.CheckName(cfg.Device), device.CheckName(cfg.Host.Device)); err != nil {
		return err
	}
	near := device.Host{Netns: cfg.Netns, Device: cfg.Device}
	switch {
	case device.SamePlace(near, cfg.Host):
		return fmt.Errorf("both ends would be device %s of %s: two names or two namespaces are wanted", cfg.Device, device.DescribeNamespace(cfg.Netns))
	case cfg.MTU < minMTU || cfg.MTU > maxMTU:
		return fmt.Errorf("mtu %d: %d to %d is wanted", cfg.MTU, minMTU, maxMTU)
	case cfg.Queues < 0 || cfg.Queues > maxQueues:
		return fmt.Errorf("queues %d: 1 to %d is wanted", cfg.Queues, maxQueues)
	case cfg.Bridge != "" && len(cfg.Host.Addresses)+len(cfg.Host.Routes) > 0:
		return fmt.Errorf("device %s is a port of bridge %s and can have no addresses and routes: the bridge can", cfg.Host.Device, cfg.Bridge)
	}
	return cfg.side().Fits()
}

// side is the host's end.
func (cfg *Config) side() device.Side {
	return device.Side{
		MTU: cfg.MTU, Host: cfg.Host, Via: slices.Clone(cfg.Via), Bridge: cfg.Bridge,
		HardwareAddr: device.HardwareAddr("host", cfg.Router, cfg.Name),
	}
}

// address is the link address of the router's end.
func (cfg *Config) address() [6]byte { return device.HardwareAddr("router", cfg.Router, cfg.Name) }

// identity tells the pair from others: the name and link address of the router's
// end.
func (cfg *Config) identity() string {
	a := cfg.address()
	return cfg.Device + " " + net.HardwareAddr(a[:]).String()
}

// SamePort says whether Apply can change an open port of configuration a to b. It
// cannot if an end would be another device.
func SamePort(a, b Config) bool {
	return a.Router == b.Router && a.Name == b.Name && max(a.Queues, 1) == max(b.Queues, 1) && (a.Bridge == "") == (b.Bridge == "") &&
		device.SamePlace(a.Host, b.Host) &&
		device.SamePlace(device.Host{Netns: a.Netns, Device: a.Device}, device.Host{Netns: b.Netns, Device: b.Device})
}
