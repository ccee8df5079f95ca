package site

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"
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
	f := &Flow{end: end, sent: watched(ctx, l, from, flowing), arrived: watched(ctx, l, to, flowing)}
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

// flowing are the datagrams of a flow, in tcpdump's words.
const flowing = "udp dst port 9"

// watched gives what tcpdump has seen of such packets on a node when ctx has ended.
func watched(ctx context.Context, l *lab.Lab, node, which string) <-chan []byte {
	seen := make(chan []byte, 1)
	go func() {
		text, _ := l.Run(ctx, node, "exec tcpdump -n -tt -l --immediate-mode -i eth0 '"+which+"'")
		seen <- text
	}()
	return seen
}

// Packets watches packets that cross eth0 of a node, in tcpdump's words, until stop is
// called, which gives their times by the kernel's clock. It has to be called, once or
// more.
func Packets(ctx context.Context, l *lab.Lab, node, which string) (stop func() ([]time.Time, error)) {
	ctx, end := context.WithCancel(ctx)
	seen := watched(ctx, l, node, which)
	return sync.OnceValues(func() ([]time.Time, error) {
		end()
		return stamps(<-seen, 1)
	})
}

// Stop ends a flow.
func (f *Flow) Stop() { f.end() }

// Gap is the longest time since a cut in which datagrams were sent and none arrived.
type Gap struct {
	Length time.Duration
	Over   time.Time     // when one arrived again
	Before time.Duration // the longest before the cut, which the machine alone takes
}

// Gap ends the flow, once datagrams have had time to arrive again, and gives its gap.
func (f *Flow) Gap(ctx context.Context, cut time.Time) (g Gap, err error) {
	defer f.Stop()
	if err := Pause(ctx, after); err != nil {
		return g, err
	}
	end := time.Now()
	f.Stop()
	arrived, sent, err := f.seen()
	if err != nil {
		return g, err
	}
	before, err := gap(until(arrived, cut), until(sent, cut), time.Time{}, cut)
	if err != nil {
		return g, err
	}
	g, err = gap(arrived, sent, cut, end)
	g.Before = before.Length
	return g, err
}

// seen gives the times of all datagrams.
func (f *Flow) seen() (arrived, sent []time.Time, err error) {
	if arrived, err = stamps(<-f.arrived, 20); err == nil {
		sent, err = stamps(<-f.sent, 20)
	}
	return arrived, sent, err
}

// until gives the times before another.
func until(list []time.Time, end time.Time) []time.Time {
	n, _ := slices.BinarySearchFunc(list, end, time.Time.Compare)
	return list[:n]
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

// stamps gives the times of the lines of tcpdump's, of which there are so many at least.
func stamps(text []byte, least int) (list []time.Time, err error) {
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
	if len(list) < least {
		return nil, fmt.Errorf("tcpdump saw %d packets, want %d at least: %s", len(list), least, text)
	}
	return list, nil
}

// gap finds the longest time in which datagrams were sent and none arrived, by
// when they were sent and when they arrived: from the first one that was
// sent after an arrival to the next arrival, since while nothing is sent nothing
// is lost. What was over before the cut has nothing to do with it. From the last
// arrival it is up to the end, where that is longer than tcpdump may lag behind:
// then what was cut never flowed again.
func gap(arrived, sent []time.Time, cut, end time.Time) (longest Gap, err error) {
	var last time.Time
	n := 0
	since := func() (time.Time, bool) { // the first one sent after the last arrival
		for len(sent) > 0 && !sent[0].After(last) {
			sent = sent[1:]
		}
		return append(sent, end)[0], len(sent) > 0
	}
	for _, at := range arrived {
		if n++; n > 1 && at.After(cut) {
			if from, more := since(); more {
				longest = longest.or(from, at)
			}
		}
		last = at
	}
	from, more := since()
	if !more && end.Sub(last) > after/2 {
		return longest, fmt.Errorf("nothing was sent in the last %v: what became of the flow is not known", end.Sub(last))
	}
	if silent := end.Sub(from); silent > after/2 {
		longest = longest.or(from, end)
	}
	return longest, nil
}

// or gives the longer of g and another one.
func (g Gap) or(from, over time.Time) Gap {
	if d := over.Sub(from); d > g.Length {
		return Gap{Length: d, Over: over}
	}
	return g
}
