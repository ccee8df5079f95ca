package offload

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func flowTo(port uint16) (Key, Decision) {
	src := netip.MustParseAddrPort("198.18.0.2:4000")
	dst := netip.AddrPortFrom(netip.MustParseAddr("198.18.1.2"), port)
	return Key{1, unix.IPPROTO_UDP, src, dst}, Decision{Src: src, Dst: dst, Egress: 2, MTU: 1500}
}

func TestPutRefuses(t *testing.T) {
	c := newCache(t)
	six := netip.MustParseAddrPort("[2001:db8::1]:1")
	for want, change := range map[string]func(*Key, *Decision){
		"protocol 1:":      func(k *Key, _ *Decision) { k.Proto = unix.IPPROTO_ICMP },
		"without an addr":  func(_ *Key, d *Decision) { d.Dst = netip.AddrPort{} },
		"of both families": func(_ *Key, d *Decision) { d.Dst = six },
		"only IPv4 is": func(k *Key, d *Decision) {
			k.Src, k.Dst, d.Src, d.Dst = six, six, six, netip.MustParseAddrPort("[2001:db8::2]:1")
		},
		"MTU 0: 1 to 65535": func(_ *Key, d *Decision) { d.MTU = 0 },
	} {
		k, d := flowTo(1)
		change(&k, &d)
		if _, err := c.Put(k, d, c.Ref(0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	k, d := flowTo(1)
	for _, refs := range [][]Ref{nil, make([]Ref, maxCauses+1)} {
		if _, err := c.Put(k, d, refs...); err == nil || !strings.Contains(err.Error(), "1 to 4 are wanted") {
			t.Errorf("%d causes: %v", len(refs), err)
		}
	}
	if err := c.Remove(3); err == nil {
		t.Error("a flow that is not there was removed")
	}
	if n := c.made - Flow(len(c.free)); n != 0 {
		t.Errorf("%d slots are taken by what was refused", n)
	}
	if _, err := New(Config{Flows: 0, Causes: 1}); err == nil {
		t.Error("a cache of no flows was made")
	}
}

// A slot is used again when its end has been told, and not before.
func TestSlots(t *testing.T) {
	c := newCache(t)
	want := map[uint16]Flow{} // by port
	put := func(port uint16) error {
		k, d := flowTo(port)
		f, err := c.Put(k, d, c.Ref(0))
		if err == nil {
			want[port] = f
		}
		return err
	}
	for port := range uint16(1024) {
		if err := put(port); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(5000); !errors.Is(err, ErrFull) {
		t.Fatalf("one more than there is room for: %v", err)
	}
	for port := uint16(0); port < 100; port++ {
		if err := c.Remove(want[port]); err != nil {
			t.Fatal(err)
		}
		delete(want, port)
	}
	if err := put(5000); !errors.Is(err, ErrFull) {
		t.Fatalf("before Reap: %v", err)
	}
	told := 0
	if err := c.Reap(func(_ Flow, k Key, n Counters) {
		told++
		if k.Dst.Port() >= 100 || n != (Counters{}) {
			t.Errorf("told of %v, %+v", k, n)
		}
	}); err != nil || told != 100 {
		t.Fatalf("Reap: %v, told of %d flows, want 100", err, told)
	}
	for port := uint16(5000); port < 5100; port++ {
		if err := put(port); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[uint16]Flow{}
	c.Walk(func(f Flow, k Key, _ Counters) bool {
		seen[k.Dst.Port()] = f
		return true
	})
	if !maps.Equal(seen, want) {
		t.Errorf("a walk gives %d flows, want %d, the same", len(seen), len(want))
	}
	n := 0
	c.Walk(func(Flow, Key, Counters) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("a walk that was ended gave %d flows", n)
	}
}

// A cause that comes about between the Ref and Put has ended the decision.
func TestRefBefore(t *testing.T) {
	c := newCache(t)
	all, one := c.Ref(0), c.Ref(7)
	for i, ends := range []bool{false, true} {
		if ends {
			c.End(7)
		}
		k, d := flowTo(uint16(i))
		f, err := c.Put(k, d, all, one)
		if err != nil {
			t.Fatal(err)
		}
		if c.Stands(f) == ends {
			t.Errorf("ended %v, stands %v", ends, !ends)
		}
	}
}
