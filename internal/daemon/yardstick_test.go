package daemon

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is a yardstick where the environment says so.
const (
	relayVariable  = "ROUTERD_TEST_RELAY"  // it relays datagrams to this port of its host
	pausesVariable = "ROUTERD_TEST_PAUSES" // it writes its longest pauses to this file; without a configuration it does nothing else
	relayPort      = 19873
	// it gives every question at this socket the same answer
	answersVariable = "ROUTERD_TEST_ANSWERS"
)

// yardstick runs the test binary as one until the test ends, behind the words of
// another command.
func (s *site) yardstick(variable string, command ...string) {
	s.t.Helper()
	command = append(command, "/proc/self/exe")
	if len(command) > 1 { // the other command's own self
		self, err := os.Executable()
		if err != nil {
			s.t.Fatal(err)
		}
		command[len(command)-1] = self
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Stderr = os.Stderr
	// It ends when this end of the pipe does.
	end, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = end.Close(); _ = cmd.Wait() })
}

// beYardstick does what the environment asks for, and does not return then.
func beYardstick() {
	relay, pauses, answers := os.Getenv(relayVariable), os.Getenv(pausesVariable), os.Getenv(answersVariable)
	if target := os.Getenv(loadVariable); target != "" {
		if err := beAPILoad(target); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if relay == "" && pauses == "" && answers == "" {
		return
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	if pauses != "" {
		go writePauses(pauses)
		for {
			time.Sleep(25 * time.Millisecond) // about as often as a router that loads a table
			runtime.GC()
		}
	}
	err := error(nil)
	if answers != "" {
		err = answerAt(answers)
	} else {
		err = relayTo(relay)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// answerAt answers at a socket.
func answerAt(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}")) // the client notices
	}))
}

// relayTo relays what arrives at relayPort, on a thread of its own.
func relayTo(port string) error {
	runtime.LockOSThread()
	to := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if _, err := fmt.Sscan(port, &to.Port); err != nil {
		return fmt.Errorf("reading the port %q: %w", port, err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making a socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: relayPort, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("binding a socket to port %d: %w", relayPort, err)
	}
	var data [64]byte
	for {
		n, _, err := unix.Recvfrom(fd, data[:], 0)
		if err == nil {
			err = unix.Sendto(fd, data[:n], 0, to)
		}
		if err != nil && err != syscall.EINTR && err != syscall.ECONNREFUSED {
			return fmt.Errorf("relaying: %w", err)
		}
	}
}

// writePauses writes to a file, again and again, the longest pause for the collector
// so far and the longest time until all had stopped, in ms.
func writePauses(path string) {
	samples := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/pauses/stopping/gc:seconds"}}
	for {
		metrics.Read(samples)
		var longest [2]float64
		for i, s := range samples {
			h := s.Value.Float64Histogram()
			for k, n := range h.Counts {
				if n > 0 {
					longest[i] = h.Buckets[k+1]
					if math.IsInf(longest[i], 1) {
						longest[i] = h.Buckets[k]
					}
				}
			}
		}
		text := fmt.Sprintf("%g %g\n", longest[0]*1e3, longest[1]*1e3)
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err == nil {
			_ = os.Rename(path+".new", path)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
