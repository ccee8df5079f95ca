package site

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"time"

	"routerd/internal/bench"
	"routerd/internal/lab"
)

// Flow is datagrams from a host of a lab to the discard port of another, watched
// where they leave and where they arrive: by the kernel's clock, so that what the
// sender lacks of a processor is no gap.
type Flow struct {
	end           context.CancelFunc
	sent, arrived <-chan []byte // of tcpdump
}

// after is how long datagrams have to arrive again before the end.
const after = 500 * time.Millisecond

// Watch begins a flow of one datagram each spacing, which is how exactly a gap is
// known. The device of either node is eth0, and to has address.
func Watch(ctx context.Context, l *lab.Lab, from, to, address string, spacing time.Duration) (*Flow, error) {
	ctx, end := context.WithCancel(ctx)
	f := &Flow{end: end, sent: watched(ctx, l, from), arrived: watched(ctx, l, to)}
	if err := flow(ctx, l.Topology.Name+"-"+from, address, spacing); err != nil {
		f.Stop()
		return nil, err
	}
	// Time for tcpdump to start.
	if err := Pause(ctx, after); err != nil {
		f.Stop()
		return nil, err
	}
	return f, nil
}

// watched gives what tcpdump has seen on a node when ctx has ended.
func watched(ctx context.Context, l *lab.Lab, node string) <-chan []byte {
	seen := make(chan []byte, 1)
	go func() {
		text, _ := l.Run(ctx, node, "exec tcpdump -n -tt -l --immediate-mode -i eth0 'udp dst port 9'")
		seen <- text
	}()
	return seen
}

// Stop ends a flow.
func (f *Flow) Stop() { f.end() }

// Gap ends the flow, once datagrams have had time to arrive again, and gives the
// longest time since cut in which some were sent and none arrived.
func (f *Flow) Gap(ctx context.Context, cut time.Time) (time.Duration, error) {
	defer f.Stop()
	if err := Pause(ctx, after); err != nil {
		return 0, err
	}
	end := time.Now()
	f.Stop()
	arrived := <-f.arrived
	sent, err := stamps(<-f.sent)
	if err != nil {
		return 0, err
	}
	return gap(arrived, sent, cut, end)
}

// flow sends datagrams from a namespace until ctx ends.
func flow(ctx context.Context, namespace, address string, spacing time.Duration) error {
	var to net.Conn
	err := bench.InNamespace(namespace, func() (err error) {
		to, err = net.Dial("udp4", net.JoinHostPort(address, "9"))
		return err
	})
	if err != nil {
		return fmt.Errorf("sending to the far host: %w", err)
	}
	go func() {
		defer to.Close()
		tick := time.NewTicker(spacing)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = to.Write([]byte("one more")) // an error is of an earlier one, which was lost
			}
		}
	}()
	return nil
}

var stamp = regexp.MustCompile(`(?m)^(\d+)\.(\d{6}) IP `)

// stamps gives the times of the lines of tcpdump's.
func stamps(text []byte) (list []time.Time, err error) {
	for _, m := range stamp.FindAllSubmatch(text, -1) {
		seconds, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading tcpdump's times: %w", err)
		}
		micros, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading tcpdump's times: %w", err)
		}
		list = append(list, time.Unix(seconds, micros*1000))
	}
	return list, nil
}

// gap finds the longest time in which datagrams were sent and none arrived, by
// when they were sent and the lines of tcpdump's: from the first one that was
// sent after an arrival to the next arrival, since while nothing is sent nothing
// is lost. What was over before the cut has nothing to do with it. From the last
// arrival it is up to the end, where that is longer than tcpdump may lag behind:
// then what was cut never flowed again.
func gap(text []byte, sent []time.Time, cut, end time.Time) (longest time.Duration, err error) {
	var last time.Time
	n := 0
	since := func() (time.Time, bool) { // the first one sent after the last arrival
		for len(sent) > 0 && !sent[0].After(last) {
			sent = sent[1:]
		}
		return append(sent, end)[0], len(sent) > 0
	}
	arrived, err := stamps(text)
	if err != nil {
		return 0, err
	}
	for _, at := range arrived {
		if n++; n > 1 && at.After(cut) {
			if from, more := since(); more {
				longest = max(longest, at.Sub(from))
			}
		}
		last = at
	}
	if n < 20 {
		return 0, fmt.Errorf("tcpdump saw %d datagrams, want many: %s", n, text)
	}
	from, more := since()
	if !more && end.Sub(last) > after/2 {
		return 0, fmt.Errorf("nothing was sent in the last %v: what became of the flow is not known", end.Sub(last))
	}
	if silent := end.Sub(from); silent > after/2 {
		longest = max(longest, silent)
	}
	return longest, nil
}
