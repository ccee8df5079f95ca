package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// iperf3 as its users run it, in addition to the bench's own source and sink:
// the same streams by an independent program.

const (
	iperfProgram = "iperf3"
	iperfPort    = 5201 // every site has namespaces of its own
	// iperfInterval is how often the server notes what it has received: the
	// shortest that it accepts.
	iperfInterval = 100 * time.Millisecond
)

// missing returns an error if a program that the metric needs is not installed,
// or it is not of the family.
func (m Metric) missing(o Options) error {
	if m.Traffic.Many > 0 && o.IPv6 {
		return errOnlyIPv4
	}
	if !m.Traffic.IPerf {
		return nil
	}
	if _, err := exec.LookPath(iperfProgram); err != nil {
		return fmt.Errorf("%w: %s is not installed", ErrSkip, iperfProgram)
	}
	return nil
}

// measureIPerf has iperf3 send over a site for one window. What its server
// received counts, by its own intervals; CPU time is taken over the same
// window by the bench's clock.
func (s *Site) measureIPerf(ctx context.Context, t Traffic, window time.Duration) (sample Sample, err error) {
	address, port := s.host(1).Addr().String(), strconv.Itoa(iperfPort)
	warm := min(warmUp, window)
	server, err := startProcess(iperfProgram+" -s", s.Hosts[1], iperfProgram,
		"-s", "-1", "-J", "-B", address, "-p", port, "-i", strconv.FormatFloat(iperfInterval.Seconds(), 'f', -1, 64))
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, server.end()) }()
	if err := server.awaitListening(ctx, iperfPort); err != nil {
		return Sample{}, err
	}
	// It knows whole seconds only. Both have to be there when the window ends.
	length := int(math.Ceil((warm + window + 2*iperfInterval).Seconds()))
	client, err := startProcess(iperfProgram+" -c", s.Hosts[0], iperfProgram,
		"-c", address, "-p", port, "-P", strconv.Itoa(t.Streams), "-t", strconv.Itoa(length), "-J", "-i", "0")
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, client.end()) }()

	if err := sleep(ctx, warm); err != nil {
		return Sample{}, err
	}
	before, err := s.times(client, server)
	if err != nil {
		return Sample{}, err
	}
	if err := sleep(ctx, window); err != nil {
		return Sample{}, err
	}
	after, err := s.times(client, server)
	if err != nil {
		return Sample{}, err
	}
	text, err := server.rest(time.Duration(length)*time.Second + patience)
	if err != nil {
		return Sample{}, err
	}
	sample = after.since(before)
	if sample.Bytes, sample.Seconds, err = iperfReceived(text, warm, window); err != nil {
		return Sample{}, server.failure(err)
	}
	sample.Packets = sample.Bytes / uint64(s.segment())
	return sample, nil
}

// iperfReport is as much of iperf3's JSON as is needed.
type iperfReport struct {
	Intervals []struct {
		Sum struct {
			Start   float64 `json:"start"` // seconds since the test began
			End     float64 `json:"end"`
			Seconds float64 `json:"seconds"`
			Bytes   uint64  `json:"bytes"`
		} `json:"sum"`
	} `json:"intervals"`
	Error string `json:"error"`
}

// iperfReceived adds up the intervals of a server's report whose middle lies in
// the window that opens after warm.
func iperfReceived(text []byte, warm, window time.Duration) (bytes uint64, seconds float64, err error) {
	var r iperfReport
	if err := json.Unmarshal(text, &r); err != nil {
		return 0, 0, fmt.Errorf("read the report of %s: %w", iperfProgram, err)
	}
	for _, i := range r.Intervals {
		if middle := (i.Sum.Start + i.Sum.End) / 2; middle >= warm.Seconds() && middle < (warm+window).Seconds() {
			bytes += i.Sum.Bytes
			seconds += i.Sum.Seconds
		}
	}
	switch {
	case bytes > 0:
		return bytes, seconds, nil
	case r.Error != "":
		return 0, 0, fmt.Errorf("%s says: %s", iperfProgram, r.Error)
	}
	return 0, 0, errNothing
}

// awaitListening waits until somebody in the process's namespace listens at a
// TCP port. It does not dial, since the server would take that for its client.
func (p *process) awaitListening(ctx context.Context, port uint16) error {
	for deadline := time.Now().Add(patience); ; {
		for _, table := range []string{"tcp", "tcp6"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.cmd.Process.Pid, table))
			if err == nil && listens(string(text), port) {
				return nil
			}
		}
		if gone := p.gone(); gone != nil {
			return gone
		}
		if time.Now().After(deadline) {
			return p.failure(fmt.Errorf("wait for it to listen at port %d: it does not after %s", port, patience))
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// listens looks for a listening socket in the text of /proc/net/tcp: its
// second field is address:port in hexadecimal, its fourth the state.
func listens(table string, port uint16) bool {
	const listen = "0A" // TCP_LISTEN
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == listen {
			return true
		}
	}
	return false
}
