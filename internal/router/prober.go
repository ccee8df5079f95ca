package router

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"routerd/dataplane"
	"routerd/internal/bucket"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// The limits of probes, all users' together.
const (
	probesAtOnce    = 4
	probesPerSecond = 5
	probeBurst      = 10
)

// The ports that probes come from unless they say which: below those of the router's
// own stack and of address translation.
const (
	firstProbePort = 16384
	probePorts     = 16384
)

// Prober sends packets of the router's own and watches what becomes of them. It belongs
// to the router's owner; the Flights that it returns may be used by any goroutine.
type Prober struct {
	Counters *dataplane.Counters
	Drops    *dataplane.DropRing

	live   *dataplane.Live
	random *rand.Rand
	probes *dataplane.Probes
	batch  *dataplane.Batch
	limit  bucket.Bucket
	flying int
}

// ProbeLimitError is the error of a probe beyond the limits.
type ProbeLimitError struct{ limit string }

func (e *ProbeLimitError) Error() string { return "sending a probe: " + e.limit }

func newProber(r *Router) *Prober {
	p := &Prober{
		Counters: &dataplane.Counters{}, Drops: &dataplane.DropRing{}, live: &r.live, random: rand.New(r.random),
		probes: &dataplane.Probes{}, limit: bucket.New(probesPerSecond, probeBurst),
	}
	p.batch = dataplane.NewUnread(1, p.Counters, p.Drops)
	p.batch.Punts(r.neighbors)
	p.batch.Stream = firstProtocolStream + uint32(len(r.protocols)) + 1
	return p
}

// Prober returns what sends the router's probes.
func (r *Router) Prober() *Prober { return r.prober }

// Flight is a probe on its way.
type Flight struct {
	Probe     dataplane.Probe       // as it was sent
	Packet    []byte                // likewise
	Predicted dataplane.Explanation // by the tables that it was sent by
	View      *dataplane.View       // these tables
	Sent      time.Time
	Done      chan struct{} // closed when there is nothing more to wait for

	mu     sync.Mutex
	fate   dataplane.ProbeFate
	answer *ProbeAnswer
	done   bool
	stop   func()
}

// newFlight is a probe of whose fate nothing is known.
func newFlight() *Flight {
	return &Flight{Done: make(chan struct{}), fate: dataplane.ProbeFate{Verdict: verdict.Resolving}}
}

// ProbeAnswer is a packet that answers a probe.
type ProbeAnswer struct {
	In        routing.InterfaceID
	Packet    []byte // from the IP header on
	Protocol  uint8
	Transport int // offset in Packet of what is behind the IP header
	At        time.Time
}

// Send sends a probe. An invalid source is chosen, as is the source port of TCP and UDP
// if it is 0. End has to follow. The error says what is wrong with the probe, or is a
// ProbeLimitError.
func (p *Prober) Send(x dataplane.Probe, now time.Time) (*Flight, error) {
	v := p.live.Load()
	if err := p.complete(v, &x); err != nil {
		return nil, err
	}
	raw, err := x.Build()
	if err != nil {
		return nil, err
	}
	switch {
	case p.flying >= probesAtOnce:
		return nil, &ProbeLimitError{fmt.Sprintf("%d are on their way already, and no more may be at once", p.flying)}
	case !p.limit.Take(now):
		return nil, &ProbeLimitError{fmt.Sprintf("at most %d may be sent in a second", probesPerSecond)}
	}
	p.flying++
	f := newFlight()
	f.Probe, f.Packet, f.View, f.Sent = x, raw, v, now
	f.Predicted = dataplane.ExplainProbe(v, raw, now)
	fate, stop := dataplane.SendProbe(v, p.batch, raw, f, now)
	f.stop = stop
	f.left(fate)
	return f, nil
}

// complete checks a probe and fills in what it leaves open.
func (p *Prober) complete(v *dataplane.View, x *dataplane.Probe) error {
	if !v.ProbeDestination(x.Dst) {
		return fmt.Errorf("sending a probe to %s: wanted the address of one host beyond the router, and none that is valid on one link alone", x.Dst)
	}
	if !x.Src.IsValid() {
		src, ok := v.ProbeSource(x.Dst)
		if !ok {
			return fmt.Errorf("sending a probe to %s: the router has no address that it could come from", x.Dst)
		}
		x.Src = src
	}
	if !v.MayProbeFrom(x.Src) {
		return fmt.Errorf("sending a probe from %s: wanted an address of the router that is valid beyond one link", x.Src)
	}
	x.Ident, x.Sequence = uint16(p.random.Uint32()), p.random.Uint32()
	if x.SrcPort == 0 && (x.Proto == packet.ProtoTCP || x.Proto == packet.ProtoUDP) {
		x.SrcPort = firstProbePort + uint16(p.random.UintN(probePorts))
	}
	return nil
}

// End has the router forget a probe, and reset the connection that it has begun.
func (p *Prober) End(f *Flight, now time.Time) {
	f.stop()
	p.flying--
	_, a := f.Result()
	if a == nil || a.Protocol != packet.ProtoTCP || packet.TCP(a.Packet[a.Transport:]).Flags()&packet.TCPSyn == 0 {
		return
	}
	if reset := dataplane.ResetFor(a.Packet, a.Transport); reset != nil {
		dataplane.SendOwn(p.live.Load(), p.batch, []dataplane.OwnPacket{{Out: routing.NoInterface, Packet: reset}}, now)
		p.batch.Transmit(now)
	}
}

// Result returns what has become of the probe by now, and its first answer or nil.
func (f *Flight) Result() (dataplane.ProbeFate, *ProbeAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fate, f.answer
}

// left takes what became of the probe when it was sent, unless more is known already.
func (f *Flight) left(fate dataplane.ProbeFate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fate.Verdict != verdict.Resolving { // its next hop was found meanwhile
		return
	}
	f.settle(fate)
}

// settle takes the fate. The lock is held.
func (f *Flight) settle(fate dataplane.ProbeFate) {
	f.fate = fate
	f.finish()
}

// finish ends the wait when nothing more is to come: the probe was dropped, or it has left
// and was answered. The answer may be here first: a probe that waited for its next hop is
// sent before ProbeEnded says so, and another worker reads what comes back. The lock is held.
func (f *Flight) finish() {
	dropped := f.fate.Verdict.Class() == verdict.Dropped
	answered := f.answer != nil && f.fate.Verdict != verdict.Resolving
	if !f.done && (dropped || answered) {
		f.done = true
		close(f.Done)
	}
}

// ProbeEnded implements dataplane.ProbeWatcher.
func (f *Flight) ProbeEnded(fate dataplane.ProbeFate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(fate)
}

// ProbeAnswered implements dataplane.ProbeWatcher.
func (f *Flight) ProbeAnswered(r *dataplane.Received) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answer != nil {
		return
	}
	f.answer = &ProbeAnswer{In: r.In, Packet: append([]byte(nil), r.Packet...), Protocol: r.Protocol, Transport: r.Transport, At: r.At}
	f.finish()
}
