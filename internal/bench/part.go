package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// partArgument is the first argument of a bench binary that is started as one
// part of a measurement; the order for it follows as JSON.
const partArgument = "bench-part"

// The parts.
const (
	roleTCPSink    = "tcp-sink"
	roleTCPSource  = "tcp-source"
	roleUDPSink    = "udp-sink"
	roleUDPSource  = "udp-source"
	roleFlowSource = "flow-source"
	roleManySource = "many-source"
	roleEcho       = "echo"
	roleAsker      = "asker"
	roleBare       = "bare-loop"
	roleWireguard  = "wireguard-loop"
)

// order tells a part what to do.
type order struct {
	Role    string
	Address netip.AddrPort // a sink listens there, a source sends there
	Traffic Traffic
	Ends    [2]tunEnd // the TUNs of a forwarding loop
	To      string    // a file with the addresses that many flows go to; "" where they all go to Address
}

// reply is a line that a part prints: once when it is ready, and then the
// counters whenever it reads a line.
type reply struct {
	Port    uint16 // of a sink, when it is ready
	At      int64  // monotonic clock, ns; comparable within one part only
	Bytes   uint64 // payload sent or received so far
	Packets uint64 // datagrams sent or received so far; 0 for TCP
	Echo    int64  // of an asker, the median of the round trips since it was asked before, ns
}

// part is what runs inside a process of its own until its context ends.
type part interface {
	// start does what can fail, leaves the work running, and returns the
	// port to be told. A failure of the work itself ends up in fail.
	start(ctx context.Context, fail func(error)) (port uint16, err error)
	// count returns bytes and packets so far.
	count() (bytes, packets uint64)
}

// RunPart does the work of a part when args (without the program's name) ask
// for one; isPart is false when they do not. The main package, and TestMain of
// every test binary that measures, call it before anything else.
func RunPart(args []string) (code int, isPart bool) {
	if len(args) != 2 || args[0] != partArgument {
		return 0, false
	}
	var o order
	err := json.Unmarshal([]byte(args[1]), &o)
	if err == nil {
		err = o.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func (o order) part() (part, error) {
	switch o.Role {
	case roleTCPSink:
		return &tcpSink{address: o.Address}, nil
	case roleTCPSource:
		return &tcpSource{address: o.Address, streams: o.Traffic.Streams}, nil
	case roleUDPSink:
		return &udpSink{address: o.Address, traffic: o.Traffic}, nil
	case roleUDPSource:
		return &udpSource{address: o.Address, traffic: o.Traffic}, nil
	case roleFlowSource:
		return &flowSource{address: o.Address, traffic: o.Traffic}, nil
	case roleManySource:
		return &manySource{address: o.Address, traffic: o.Traffic, file: o.To}, nil
	case roleEcho:
		return &echo{address: o.Address}, nil
	case roleAsker:
		return &asker{address: o.Address, traffic: o.Traffic}, nil
	case roleBare, roleWireguard:
		return &forwarder{role: o.Role, ends: o.Ends}, nil
	}
	return nil, fmt.Errorf("run part of the bench: no part is called %q", o.Role)
}

// run works until stdin closes or a signal comes.
func (o order) run() error {
	p, err := o.part()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	failed := make(chan error, 1)
	port, err := p.start(ctx, func(err error) {
		select {
		case failed <- err:
		default: // the first failure is the one to tell
		}
	})
	if err != nil {
		return err
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			asked <- struct{}{}
		}
	}()
	r := reply{Port: port}
	say := json.NewEncoder(os.Stdout)
	for {
		r.Bytes, r.Packets = p.count()
		if a, ok := p.(*asker); ok {
			r.Echo = a.median()
		}
		r.At = monotonic()
		if err := say.Encode(r); err != nil {
			return fmt.Errorf("answer the bench: %w", err)
		}
		select {
		case _, more := <-asked:
			if !more {
				return nil
			}
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		}
	}
}

var started = time.Now()

// monotonic is the time since the process started, in ns.
func monotonic() int64 { return int64(time.Since(started)) }
