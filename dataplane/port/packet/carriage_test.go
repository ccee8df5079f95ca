package packet

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

// ledger is a flow cache, and its attachment to a device, that write down what is
// done with them.
type ledger struct {
	device  string
	index   int
	done    []string
	refused map[string]error
	watched bool
	closing func() // what Close looks at
}

func (l *ledger) did(what string) error {
	l.done = append(l.done, what)
	return l.refused[what]
}

func (l *ledger) Attach(device string, index int) (port.Attachment, error) {
	l.device, l.index = device, index
	if err := l.did("attach"); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *ledger) Judge(int) (*port.HandOver, error) {
	return &port.HandOver{Passed: new(atomic.Uint64), Finished: new(atomic.Uint64)}, l.did("judge")
}
func (l *ledger) Release(int) error    { return l.did("release") }
func (l *ledger) Check() (bool, error) { return l.watched, l.did("check") }
func (l *ledger) Close() error {
	if l.closing != nil {
		l.closing()
	}
	return l.did("close")
}

// took gives what was done since the last call.
func (l *ledger) took() (done []string) {
	done, l.done = l.done, nil
	return done
}

func wantDone(t *testing.T, l *ledger, when string, want ...string) {
	t.Helper()
	if done := l.took(); !slices.Equal(done, want) {
		t.Errorf("%s: %q was done, want %q", when, done, want)
	}
}

// A cache is attached before the first socket has the judge, and detached after
// the last one is rid of it; also where a step fails, where Check finds a fault,
// and by Close, once the sockets are closed.
func TestOrderOfCarriage(t *testing.T) {
	w := newWire(t)
	cfg := w.config()
	cfg.Queues = 2
	p := openPort(t, cfg)
	if err := errors.Join(p.Check(), p.Uncarry()); err != nil {
		t.Errorf("without a cache: %v", err)
	}
	fault := errors.New("a fault")
	for at, want := range map[string][]string{
		"attach": {"attach"},
		"check":  {"attach", "check", "release", "release", "close"},
		"judge":  {"attach", "check", "judge", "release", "release", "close"},
	} {
		l := &ledger{refused: map[string]error{at: fault}}
		if err := p.Carry(l); !errors.Is(err, fault) {
			t.Errorf("with a fault at %s: %v", at, err)
		}
		wantDone(t, l, "with a fault at "+at, want...)
		if _, ok := p.Carried(); ok {
			t.Errorf("with a fault at %s the port is carried", at)
		}
	}
	l := &ledger{}
	if err := p.Carry(l); err != nil {
		t.Fatal(err)
	}
	wantDone(t, l, "Carry", "attach", "check", "judge", "judge")
	if l.device != "r0" || l.index != p.link.Index {
		t.Errorf("attached to device %s, number %d", l.device, l.index)
	}
	if err := p.Carry(&ledger{}); err == nil || !strings.Contains(err.Error(), "it has one already") {
		t.Errorf("twice: %v", err)
	}
	l.refused = map[string]error{"release": fault}
	if err := p.Uncarry(); !errors.Is(err, fault) {
		t.Errorf("with a socket that keeps the judge: %v", err)
	}
	wantDone(t, l, "with a socket that keeps the judge", "release")
	l.refused = nil
	if err := p.Uncarry(); err != nil {
		t.Error(err)
	}
	wantDone(t, l, "Uncarry", "release", "release", "close")

	if err := p.Carry(l); err != nil {
		t.Fatal(err)
	}
	l.took()
	l.refused = map[string]error{"check": fault}
	if err := p.Check(); !errors.Is(err, fault) {
		t.Errorf("Check: %v", err)
	}
	wantDone(t, l, "Check with a fault", "check", "release", "release", "close")
	l.refused = nil
	if err := p.Carry(l); err != nil {
		t.Fatal(err)
	}
	l.took()
	l.closing = func() {
		if err := p.Sockets(func(int) error { return nil }); !errors.Is(err, port.ErrClosed) {
			t.Errorf("the cache is detached while a socket is open: %v", err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wantDone(t, l, "Close", "close")
	if err := p.Carry(&ledger{}); !errors.Is(err, port.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// carried waits for an event after which the port says so of its device.
func (w wire) carried(t *testing.T, p *Port, what string, want port.Carried) {
	t.Helper()
	porttest.AwaitEvent(t, p, fmt.Sprintf("after which %s: want %+v", what, want), func(e port.Event) bool {
		c, ok := p.Carried()
		return e.Up && ok && c == want
	})
}

// The other end of a veth is known while packets may be handed to it, whatever
// is done with it.
func TestOtherEnd(t *testing.T) {
	w, elsewhere := newWire(t), porttest.Namespace(t)
	p := openPort(t, w.config())
	l := &ledger{}
	if err := p.Carry(l); err != nil {
		t.Fatal(err)
	}
	index := p.link.Index
	with, without := port.Carried{Device: index, Peer: true, PeerMAC: hostMAC}, port.Carried{Device: index}
	checked := func(when string, want port.Carried) {
		t.Helper()
		if err := p.Check(); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if c, ok := p.Carried(); !ok || c != want {
			t.Errorf("%s: %v, %+v, want %+v", when, ok, c, want)
		}
	}
	if c, ok := p.Carried(); !ok || c != with {
		t.Fatalf("in the beginning: %v, %+v, want %+v", ok, c, with)
	}
	other := [6]byte{2, 0, 0, 0, 0, 9}
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "address", mac(other))
	checked("with another link address", port.Carried{Device: index, Peer: true, PeerMAC: other})
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "address", mac(hostMAC))
	checked("with its own again", with)

	l.watched = true
	checked("with a program at the egress", without)
	l.watched = false
	queue := func(change string, want port.Carried) {
		if out, err := exec.Command("tc", "-n", w.router, "qdisc", change, "dev", "r0", "root", "pfifo", "limit", "10").CombinedOutput(); err != nil {
			t.Logf("not tried with a queue of the device: %v: %s", err, out)
			return
		}
		checked("after the command to "+change+" a queue", want)
	}
	queue("add", without)
	queue("del", with)

	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "down")
	porttest.AwaitEvent(t, p, "that the other end is down", func(e port.Event) bool { return !e.Up })
	checked("with the other end down", without)
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "netns", elsewhere)
	porttest.IP(t, "-n", elsewhere, "link", "set", "dev", "h0", "up")
	w.carried(t, p, "the other end is elsewhere", with)
	porttest.IP(t, "-n", elsewhere, "link", "set", "dev", "h0", "netns", w.router)
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "h0", "up")
	w.carried(t, p, "the other end is in the router's namespace", without)
	porttest.IP(t, "-n", w.router, "link", "del", "dev", "h0")
	porttest.AwaitEvent(t, p, "that the device is gone", func(e port.Event) bool { return e.Gone })
	if err := p.Check(); err == nil || !strings.Contains(err.Error(), "looking at device r0") {
		t.Errorf("Check without a device: %v", err)
	}
	if _, ok := p.Carried(); ok {
		t.Error("carried without a device")
	}
}

// Only a veth's other end is one.
func TestNoOtherEnd(t *testing.T) {
	ns := porttest.Namespace(t)
	if out, err := exec.Command("ip", "-n", ns, "link", "add", "name", "d0", "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("making a bridge: %v: %s", err, out)
	}
	p := openPort(t, Config{Name: "lan0", Netns: ns, Device: "d0"})
	if err := p.Carry(&ledger{}); err != nil {
		t.Fatal(err)
	}
	if c, ok := p.Carried(); !ok || c != (port.Carried{Device: p.link.Index}) {
		t.Errorf("of a bridge: %v, %+v", ok, c)
	}
}
