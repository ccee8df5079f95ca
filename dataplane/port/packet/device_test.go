package packet

import (
	"errors"
	"testing"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// A device that is deleted and made anew with the same name and index is another
// one, and can be had as soon as the port of the first is closed.
func TestDeviceMadeAnew(t *testing.T) {
	w := wire{porttest.Namespace(t), porttest.Namespace(t)}
	lay := func() {
		porttest.IP(t, "-n", w.router, "link", "add", "name", "r0", "index", "77", "address", mac(routerMAC), "type", "veth",
			"peer", "name", "h0", "netns", w.host, "address", mac(hostMAC))
		porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "up")
		porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "up")
	}
	lay()
	// Another port of the namespace stays open meanwhile.
	porttest.IP(t, "-n", w.router, "link", "add", "name", "r9", "type", "veth", "peer", "name", "h9", "netns", w.host)
	openPort(t, Config{Name: "lan9", Netns: w.router, Device: "r9"})
	for range 3 {
		p := openPort(t, w.config())
		porttest.IP(t, "-n", w.router, "link", "del", "dev", "r0")
		lay()
		porttest.AwaitEvent(t, p, "that its device is gone", func(e port.Event) bool { return e.Gone })
		if err := p.Close(); err != nil {
			t.Errorf("closing the port of a device that is gone: %v", err)
		}
	}
	p := openPort(t, w.config())
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "down")
	porttest.AwaitEvent(t, p, "down", func(e port.Event) bool { return !e.Up && !e.Gone })
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "name", "r1")
	porttest.AwaitEvent(t, p, "that its device has another name", func(e port.Event) bool { return e.Gone })
}

func TestMissing(t *testing.T) {
	ns := porttest.Namespace(t)
	for what, cfg := range map[string]Config{
		"a namespace": {Name: "lan0", Netns: "rdpkt-no-such", Device: "r0"},
		"a device":    {Name: "lan0", Netns: ns, Device: "r0"},
	} {
		if _, err := Open(cfg); !errors.Is(err, device.ErrMissing) {
			t.Errorf("opening without %s: %v, want it to be missing", what, err)
		}
	}
}

// The kernel hurries with a lost carrier only where the ends of a veth pair have
// different indexes.
func TestLateCarrier(t *testing.T) {
	w := wire{porttest.Namespace(t), porttest.Namespace(t)}
	for _, peer := range []string{"77", "78"} {
		porttest.IP(t, "-n", w.router, "link", "add", "name", "r0", "index", "77", "type", "veth", "peer", "name", "h0", "index", peer, "netns", w.host)
		p := openPort(t, w.config())
		if late := peer == "77"; p.LateCarrier() != late {
			t.Errorf("indexes 77 and %s: late %v, want %v", peer, p.LateCarrier(), late)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		porttest.IP(t, "-n", w.router, "link", "del", "dev", "r0")
	}
}
