package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// serve starts a test's server and waits until its port is in use. stop ends it
// and waits for it.
func (l *Lab) serve(ctx context.Context, s *Serve) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var output bytes.Buffer
	cmd, err := l.start(ctx, s.Node, s.Run, &output)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("serve: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed at the end; a failure shows in the test
		close(ended)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	for {
		taken, err := listens(cmd.Process.Pid, s.Port)
		if taken {
			return stop, nil
		}
		select {
		case <-ended:
			if ctx.Err() != nil {
				continue // it was killed because its time was over
			}
			cancel()
			return nil, fmt.Errorf("serve: %q on %s ended before port %d was taken: %s", s.Run, s.Node, s.Port, bytes.TrimSpace(output.Bytes()))
		case <-ctx.Done():
			stop()
			return nil, errors.Join(fmt.Errorf("serve: %q on %s: port %d was not taken in time", s.Run, s.Node, s.Port), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// listens reports whether a TCP socket listens at the port, or a UDP socket has
// it, in the namespace of a process.
func listens(pid, port int) (bool, error) {
	const listening, unconnected = "0A", "07" // TCP_LISTEN, TCP_CLOSE
	for table, state := range map[string]string{
		"tcp": listening, "tcp6": listening, "udp": unconnected, "udp6": unconnected,
	} {
		f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "net", table))
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without that family, or a process that has ended
		}
		if err != nil {
			return false, err
		}
		found := holds(bufio.NewScanner(f), port, state)
		f.Close()
		if found {
			return true, nil
		}
	}
	return false, nil
}

// holds looks for a local port and a state in a table of the form of
// /proc/net/tcp: " 0: 00000000:1451 00000000:0000 0A ...".
func holds(lines *bufio.Scanner, port int, state string) bool {
	suffix := fmt.Sprintf(":%04X", port)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == state {
			return true
		}
	}
	return false
}
