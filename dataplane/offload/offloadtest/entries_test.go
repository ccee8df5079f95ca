package offloadtest

import (
	"errors"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"routerd/dataplane/offload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entries is what both have.
type entries interface {
	Put(offload.Key, offload.Decision, ...offload.Ref) (offload.Flow, error)
	Remove(offload.Flow) error
	End(offload.Cause)
	Ref(offload.Cause) offload.Ref
	Stands(offload.Flow) bool
	Counters(offload.Flow) offload.Counters
	Walk(func(offload.Flow, offload.Key, offload.Counters) bool)
	Reap(func(offload.Flow, offload.Key, offload.Counters)) error
	Lost() uint64
}

// small gives both with place for two flows, the cache where there is one.
func small(t *testing.T) map[string]entries {
	cfg := offload.Config{Flows: 2, Causes: 4}
	all := map[string]entries{"model": New(cfg, func() int64 { return 1 })}
	c, err := offload.New(cfg)
	if err != nil {
		t.Logf("only the model: %v", err)
		return all
	}
	t.Cleanup(func() { c.Close() })
	all["cache"] = c
	return all
}

func some(port uint16) (offload.Key, offload.Decision) {
	src, dst := netip.AddrPortFrom(netip.MustParseAddr("198.18.0.2"), port), netip.MustParseAddrPort("198.18.1.2:80")
	return offload.Key{Ingress: 3, Proto: protoTCP, Src: src, Dst: dst}, offload.Decision{Src: src, Dst: dst, Egress: 4, MTU: 1500}
}

func TestEntries(t *testing.T) {
	for name, e := range small(t) {
		t.Run(name, func(t *testing.T) {
			k, d := some(1)
			first, err := e.Put(k, d, e.Ref(1), e.Ref(2))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Put(k, d, e.Ref(1)); !errors.Is(err, offload.ErrExists) {
				t.Errorf("putting it again: %v, want ErrExists", err)
			}
			other, d2 := some(2)
			before := e.Ref(3)
			e.End(3)
			second, err := e.Put(other, d2, before)
			if err != nil {
				t.Fatal(err)
			}
			if !e.Stands(first) || e.Stands(second) {
				t.Errorf("the first stands %v, the second, whose cause came about before Put, %v: want true, false", e.Stands(first), e.Stands(second))
			}
			third, d3 := some(3)
			if _, err := e.Put(third, d3, e.Ref(1)); !errors.Is(err, offload.ErrFull) {
				t.Errorf("a third: %v, want ErrFull", err)
			}
			e.End(2)
			if e.Stands(first) {
				t.Error("it stands after one of its causes")
			}
			walked := 0
			e.Walk(func(f offload.Flow, of offload.Key, _ offload.Counters) bool {
				if walked++; f == first && of != k {
					t.Errorf("flow %d is %+v, want %+v", f, of, k)
				}
				return true
			})
			if err := e.Remove(first); err != nil || walked != 2 {
				t.Errorf("removing it: %v; there were %d, want 2", err, walked)
			}
			if e.Remove(first) == nil {
				t.Error("it is removed twice")
			}
			told := 0
			if err := e.Reap(func(f offload.Flow, of offload.Key, n offload.Counters) {
				if told++; f != first || of != k || n != (offload.Counters{}) || n != e.Counters(f) {
					t.Errorf("told of flow %d, %+v, %+v: want %d, %+v", f, of, n, first, k)
				}
			}); err != nil || told != 1 {
				t.Errorf("told of %d ends, want 1: %v", told, err)
			}
			if _, err := e.Put(third, d3, e.Ref(1)); err != nil || e.Lost() != 0 {
				t.Errorf("in its place: %v; %d lost", err, e.Lost())
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for name, e := range small(t) {
		t.Run(name, func(t *testing.T) {
			k, d := some(1)
			six := netip.MustParseAddrPort("[2001:db8::1]:1")
			for what, change := range map[string]func(*offload.Key, *offload.Decision){
				"ICMP":             func(k *offload.Key, _ *offload.Decision) { k.Proto = 1 },
				"no end":           func(k *offload.Key, _ *offload.Decision) { k.Dst = netip.AddrPort{} },
				"no end leaving":   func(_ *offload.Key, d *offload.Decision) { d.Dst = netip.AddrPort{} },
				"both families":    func(k *offload.Key, _ *offload.Decision) { k.Dst = six },
				"translated to v6": func(_ *offload.Key, d *offload.Decision) { d.Dst = six },
				"IPv6, translated": func(k *offload.Key, d *offload.Decision) {
					k.Src, k.Dst, d.Src, d.Dst = six, six, six, netip.AddrPortFrom(six.Addr(), 9)
				},
				"no MTU":    func(_ *offload.Key, d *offload.Decision) { d.MTU = 0 },
				"large MTU": func(_ *offload.Key, d *offload.Decision) { d.MTU = 65536 },
			} {
				k, d := k, d
				if change(&k, &d); put(e, k, d, 1) == nil {
					t.Errorf("%s: it is taken", what)
				}
			}
			if put(e, k, d, 0) == nil || put(e, k, d, 5) == nil {
				t.Error("no cause, or five, are taken")
			}
		})
	}
}

func put(e entries, k offload.Key, d offload.Decision, causes int) error {
	var until []offload.Ref
	for range causes {
		until = append(until, e.Ref(0))
	}
	_, err := e.Put(k, d, until...)
	return err
}

// A flow is carried once what came before it is through user space, and not
// sooner.
func TestHandOver(t *testing.T) {
	m := New(offload.Config{Flows: 1, Causes: 1}, func() int64 { return 1 })
	f := Flow{Station: macR0, Host: macH0, Proto: protoUDP, Src: netip.MustParseAddrPort("198.18.0.2:1"), Dst: netip.MustParseAddrPort("198.18.1.2:2")}
	arrives := func(want bool) {
		t.Helper()
		if _, by, carried := m.Receive(3, f.Frame(Shape{Payload: []byte("x")})); carried != want || carried && by != (Egress{4, true}) {
			t.Errorf("carried %v by %+v, want %v", carried, by, want)
		}
	}
	arrives(false)
	if _, err := m.Put(offload.Key{Ingress: 3, Proto: protoUDP, Src: f.Src, Dst: f.Dst},
		offload.Decision{Src: f.Src, Dst: f.Dst, Station: macR0, Egress: 4, Peer: true, MTU: 1500}, m.Ref(0)); err != nil {
		t.Fatal(err)
	}
	arrives(false)
	m.Finish(3, 1)
	arrives(false) // the second is still on its way
	if n := m.Passed(3); n != 3 {
		t.Errorf("%d passed, want 3", n)
	}
	m.Finish(3, 3)
	arrives(true)
	m.End(0)
	arrives(false)
}
