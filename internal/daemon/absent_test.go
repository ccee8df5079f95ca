package daemon

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/memory"
	"routerd/internal/control"
	"routerd/internal/localstack"
	"routerd/internal/router"
)

// broken is a port whose queue can be read no more.
type broken struct{ *memory.Port }

func (b broken) Queues() []port.Queue { return []port.Queue{brokenQueue{b.Port.Queues()[0]}} }

type brokenQueue struct{ port.Queue }

var errBroken = errors.New("the device speaks nonsense")

func (brokenQueue) Read([]port.Frame) (int, error) { return 0, errBroken }

// lone is a daemon without a loop, with one interface, lan0.
func lone(t *testing.T) *Daemon {
	t.Helper()
	undo, err := openUndo(t.TempDir(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{
		teller: newTeller("r1"),
		log:    slog.New(slog.DiscardHandler), undo: undo, router: router.New(rand.NewPCG(1, 0)), watch: device.NewWatch(),
		ports: map[string]*openPort{}, absent: map[string]*absent{}, events: make(chan portEvent, 1),
	}
	d.streams = localstack.NewStreams(d.router.LinkLocal())
	t.Cleanup(d.streams.Close)
	t.Cleanup(d.watch.Close)
	lan0 := dataplane.InterfaceConfig{Name: "lan0", Kind: dataplane.KindTUN, MTU: 1500}
	if err := d.router.Commit(router.Config{Dataplane: dataplane.Config{Interfaces: []dataplane.InterfaceConfig{lan0}}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return d
}

// A port that cannot be read costs the router that interface, for a while, and
// not its life.
func TestWorkerThatFails(t *testing.T) {
	d, now := lone(t), time.Now()
	opened := 0
	spec := portSpec{name: "lan0", open: func(*steps) (port.Port, error) {
		if opened++; opened == 1 {
			return broken{memory.New("lan0", 1500)}, nil
		}
		return memory.New("lan0", 1500), nil
	}}
	p, err := d.open(spec)
	if err == nil {
		err = d.attach(p, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-d.events:
		d.portChanged(e)
	case <-time.After(20 * time.Second):
		t.Fatal("nobody said that the worker had ended")
	}
	if state, why := d.stateOfInterface("lan0", false); state != control.StateWaiting || !strings.Contains(why, errBroken.Error()) {
		t.Errorf("lan0 is %s: %s; want it waiting, with the worker's error", state, why)
	}
	if text := d.whyNoInput("lan0", false); !strings.Contains(text, "no packet comes in") {
		t.Errorf("explained as %q", text)
	}
	d.tryAbsent(d.due())
	again := d.ports["lan0"]
	if state, _ := d.stateOfInterface("lan0", true); state != control.StateUp || again == nil || len(d.absent) != 0 {
		t.Fatalf("lan0 is %s after it was tried again", state)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}

// What is lost again and again is made again less and less often, and what was
// steady at once.
func TestPaceOfWhatIsLost(t *testing.T) {
	d, now := lone(t), time.Now()
	spec := portSpec{name: "lan0", open: func(*steps) (port.Port, error) { return memory.New("lan0", 1500), nil }}
	gone := device.Missing(errors.New("it was deleted"))
	p, err := d.open(spec)
	if err == nil {
		err = d.attach(p, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	var paces []time.Duration
	for i := range 8 {
		lived := time.Second
		if i == 0 || i == 7 {
			lived = steady
		}
		now = now.Add(lived)
		d.lost(d.ports["lan0"], gone, now)
		d.absent["lan0"].hint = true // as the watch would have it
		paces = append(paces, d.due().Sub(now))
		now = d.due()
		d.tryOne(d.absent["lan0"], now)
	}
	for i := 1; i < 7; i++ {
		if want := min(2*paces[i-1], lastPace); paces[i] != want {
			t.Errorf("made again after %v when it had lived for a second, want %v: %v", paces[i], want, paces)
		}
	}
	if paces[0] != firstPace || paces[7] != firstPace {
		t.Errorf("made again after %v and %v when it had lived for %v, want %v", paces[0], paces[7], steady, firstPace)
	}
	if err := d.ports["lan0"].close(); err != nil {
		t.Error(err)
	}
}
