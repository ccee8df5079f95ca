package tun

import (
	"fmt"
	"runtime"
	"testing"

	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// An open port keeps little: nothing of the library that prepares its device.
func TestPortIsSmall(t *testing.T) {
	porttest.NeedTUN(t)
	ns := porttest.Namespace(t)
	const ports, most = 20, 64 << 10
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first found without a user, and its finalizers
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	held := make([]*Port, ports)
	for i := range held {
		name := fmt.Sprintf("small%d", i)
		p, err := Open(Config{Name: name, MTU: 1500, Host: device.Host{Netns: ns, Device: name}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		held[i] = p
	}
	if each := (int64(inUse()) - int64(before)) / ports; each > most {
		t.Errorf("an open port keeps %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(held)
}
