package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Sample is what one measurement of one path yields.
type Sample struct {
	Seconds   float64 `json:"seconds"`      // of the sink's clock
	Bytes     uint64  `json:"bytes"`        // payload delivered
	Packets   uint64  `json:"packets"`      // datagrams delivered; of TCP, full segments that the bytes make
	Sent      uint64  `json:"sent"`         // datagrams sent; 0 for TCP
	Busy      int64   `json:"busy_ns"`      // of all CPUs, the whole machine
	Forwarder int64   `json:"forwarder_ns"` // CPU time of all forwarding processes; below of one process each
	Source    int64   `json:"source_ns"`
	Sink      int64   `json:"sink_ns"`
	Memory    uint64  `json:"memory,omitempty"` // bytes that sessions of fresh flows took
	Echo      int64   `json:"echo_ns,omitempty"`
}

// Gigabits is the payload delivered, in Gbit/s.
func (s Sample) Gigabits() float64 { return ratio(float64(s.Bytes)*8/1e9, s.Seconds) }

// PacketRate is the packets delivered a second.
func (s Sample) PacketRate() float64 { return ratio(float64(s.Packets), s.Seconds) }

// Loss is the share of what was sent that was not delivered, 0 to 1.
func (s Sample) Loss() float64 {
	if s.Sent == 0 {
		return 0
	}
	// More packets may have been in flight when the window opened than when it
	// closed.
	return max(0, 1-float64(s.Packets)/float64(s.Sent))
}

// RoundTrip is the median time that a datagram and its answer took, in µs.
func (s Sample) RoundTrip() float64 { return float64(s.Echo) / 1e3 }

// BusyPerPacket is the CPU time of the whole machine per packet delivered, in ns.
func (s Sample) BusyPerPacket() float64 { return ratio(float64(s.Busy), float64(s.Packets)) }

// ForwarderPerPacket is the CPU time of the forwarding process per packet
// delivered, in ns; 0 when there is none.
func (s Sample) ForwarderPerPacket() float64 {
	return ratio(float64(s.Forwarder), float64(s.Packets))
}

// CarryPerPacket is the CPU time of the source and of the forwarding process
// per packet, in nanoseconds.
func (s Sample) CarryPerPacket() float64 {
	return ratio(float64(s.Source+s.Forwarder), float64(s.Packets))
}

// MemoryPerPacket is the memory that sessions took per packet, in bytes.
func (s Sample) MemoryPerPacket() float64 { return ratio(float64(s.Memory), float64(s.Packets)) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// warmUp is how long traffic runs before the window opens, unless the window
// is shorter still: long enough for TCP to leave slow start and for buffers to
// find their size.
const warmUp = 300 * time.Millisecond

// manyWarmUp is the same for many flows: until each has sent several datagrams,
// so that all have their sessions and entries.
const manyWarmUp = 1500 * time.Millisecond

func (t Traffic) warmUp(window time.Duration) time.Duration {
	if t.Many > 0 && !t.Wide {
		return manyWarmUp
	}
	return min(warmUp, window)
}

// errNothing says that a window ended before the first packet arrived.
var errNothing = errors.New("nothing was delivered")

// measure sends traffic over a site for one window. It returns errNothing if
// nothing arrived in it.
func (s *Site) measure(ctx context.Context, m Metric, window time.Duration) (sample Sample, err error) {
	if m.Traffic.IPerf {
		return s.measureIPerf(ctx, m.Traffic, window)
	}
	if m.Traffic.Fresh > 0 {
		return s.measureFlows(ctx, m.Traffic)
	}
	sinkRole, sourceRole := m.Traffic.roles()
	address := s.host(1).Addr()
	at := netip.AddrPortFrom(address, 0)
	if m.Traffic.Wide {
		at = netip.AddrPortFrom(unspecified(s.host(1)), 0)
	}
	sink, ready, err := startPart(s.Hosts[1], order{Role: sinkRole, Address: at, Traffic: m.Traffic})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, sink.end()) }()
	source, _, err := startPart(s.Hosts[0], order{Role: sourceRole, Address: netip.AddrPortFrom(address, ready.Port), Traffic: m.Traffic, To: s.destinations})
	if err != nil {
		return Sample{}, err
	}
	// Runs before the sink is ended, so no stream is cut off.
	defer func() { err = errors.Join(err, source.end()) }()

	if err := sleep(ctx, m.Traffic.warmUp(window)); err != nil {
		return Sample{}, err
	}
	before, err := s.look(source, sink)
	if err != nil {
		return Sample{}, err
	}
	if err := sleep(ctx, window); err != nil {
		return Sample{}, err
	}
	after, err := s.look(source, sink)
	if err != nil {
		return Sample{}, err
	}
	if sample, err = after.since(before), nil; sample.Bytes == 0 {
		return Sample{}, errNothing
	}
	if m.Traffic.Streams > 0 {
		sample.Packets = sample.Bytes / uint64(s.segment())
	}
	return sample, nil
}

// roles are the parts that take and send the traffic.
func (t Traffic) roles() (sink, source string) {
	switch {
	case t.Echo:
		return roleEcho, roleAsker
	case t.Many > 0:
		return roleUDPSink, roleManySource
	case t.Streams > 0:
		return roleTCPSink, roleTCPSource
	}
	return roleUDPSink, roleUDPSource
}

// segment is the payload of a full TCP segment with timestamps, in bytes.
func (s *Site) segment() int {
	const tcp, timestamps = 20, 12
	header := 20
	if s.Options.IPv6 {
		header = 40
	}
	return s.Options.MTU - header - tcp - timestamps
}

// view is all counters at one moment, or nearly so.
type view struct {
	cpu          cpuReading
	times        [3]time.Duration // of the forwarders together, source and sink
	source, sink reply
}

func (s *Site) look(source, sink *process) (v view, err error) {
	if v, err = s.times(source, sink); err != nil {
		return v, err
	}
	if v.source, err = source.ask(); err != nil {
		return v, err
	}
	v.sink, err = sink.ask()
	return v, err
}

// times reads the CPU times of all processes.
func (s *Site) times(source, sink *process) (v view, err error) {
	if v.cpu, err = readCPU(); err != nil {
		return v, err
	}
	for _, p := range s.forwarders {
		if err = p.gone(); err != nil {
			return v, err
		}
		spent, err := ProcessTime(p.cmd.Process.Pid)
		if err != nil {
			return v, err
		}
		v.times[0] += spent
	}
	for i, p := range []*process{source, sink} {
		if v.times[i+1], err = ProcessTime(p.cmd.Process.Pid); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (v view) since(before view) Sample {
	return Sample{
		Seconds:   time.Duration(v.sink.At - before.sink.At).Seconds(),
		Bytes:     v.sink.Bytes - before.sink.Bytes,
		Packets:   v.sink.Packets - before.sink.Packets,
		Sent:      v.source.Packets - before.source.Packets,
		Busy:      int64(v.cpu.busySince(before.cpu)),
		Forwarder: int64(v.times[0] - before.times[0]),
		Source:    int64(v.times[1] - before.times[1]),
		Sink:      int64(v.times[2] - before.times[2]),
		Echo:      v.source.Echo,
	}
}

// await waits until a TCP stream gets through the site.
func (s *Site) await(ctx context.Context) (failed error) {
	sink, ready, err := startPart(s.Hosts[1], order{Role: roleTCPSink, Address: netip.AddrPortFrom(s.host(1).Addr(), 0)})
	for deadline := time.Now().Add(patience); err != nil; {
		// An address that a forwarder has not configured yet cannot be bound.
		if gone := s.gone(); gone != nil {
			return gone
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s to be configured: %w", s.Hosts[1], err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		sink, ready, err = startPart(s.Hosts[1], order{Role: roleTCPSink, Address: netip.AddrPortFrom(s.host(1).Addr(), 0)})
	}
	defer func() { failed = errors.Join(failed, sink.end()) }()
	for deadline := time.Now().Add(patience); ; {
		// A router that has not resolved its neighbour yet answers unreachable.
		source, _, err := startPart(s.Hosts[0], order{Role: roleTCPSource, Address: netip.AddrPortFrom(s.host(1).Addr(), ready.Port), Traffic: Traffic{Streams: 1}})
		if err == nil {
			return source.end()
		}
		if gone := s.gone(); gone != nil {
			return gone
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for a stream from %s to %s: %w", s.Hosts[0], s.Hosts[1], err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// gone returns an error if a forwarder has ended by itself.
func (s *Site) gone() error {
	for _, p := range s.forwarders {
		if err := p.gone(); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
