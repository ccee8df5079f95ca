package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// What an apiLoad is made of.
const (
	loadClients = 1000                  // of events, by WebSocket over TLS
	loadEvery   = 50 * time.Millisecond // an event for each of them
	loadWalkers = 4
	loadNice    = 10 // of the process, more than that of the benchmark
)

// loadVariable has the test binary be an apiLoad; it says whom it asks, see loadTarget.
const loadVariable = "ROUTERD_TEST_LOAD"

// loadTarget is whom an apiLoad asks.
type loadTarget struct{ Web, Token, Socket string }

// apiLoad is clients that load the API of a router: some follow events, some walk the
// whole table, and one looks up routes. They are a process of their own, which has of
// the processors what others leave: the router's work for them competes with packets,
// their own work does not.
type apiLoad struct {
	b       *testing.B
	pid     int
	orders  io.WriteCloser
	answers *bufio.Reader
}

// newAPILoad starts the process, and returns when its clients follow events.
func newAPILoad(b *testing.B, target loadTarget) *apiLoad {
	b.Helper()
	text, err := json.Marshal(target)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), loadVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = orders.Close(); _ = cmd.Wait() }) // it ends when its input does
	l := &apiLoad{b, cmd.Process.Pid, orders, bufio.NewReader(answers)}
	l.heard("following events")
	return l
}

// begin begins what is not only following, and end ends it.
func (l *apiLoad) begin() { l.order("begin") }
func (l *apiLoad) end()   { l.order("end") }

func (l *apiLoad) order(word string) {
	l.b.Helper()
	if _, err := fmt.Fprintln(l.orders, word); err != nil {
		l.b.Fatalf("the load is told to %s: %v", word, err)
	}
	l.heard(word)
}

// heard waits until the process says that it has done something.
func (l *apiLoad) heard(what string) {
	l.b.Helper()
	if line, err := l.answers.ReadString('\n'); err != nil || line != "done\n" {
		l.b.Fatalf("%s: the load says %q, %v; wanted done", what, line, err)
	}
}

// beAPILoad is the process.
func beAPILoad(text string) error {
	var target loadTarget
	if err := json.Unmarshal([]byte(text), &target); err != nil {
		return fmt.Errorf("reading %s: %w", loadVariable, err)
	}
	// Threads that there are keep their priority; new ones have that of who makes them.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err
	}
	nice := 20 - own + loadNice // the system call gives 20 less the priority
	for _, t := range threads {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("giving way to others: %w", err)
		}
	}
	for range loadClients {
		if err := followEvents(target); err != nil {
			return err
		}
	}
	fmt.Println("done")
	ease := func() {}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if orders.Text() == "begin" {
			ease = target.load()
		} else {
			ease()
		}
		fmt.Println("done")
	}
	return orders.Err()
}

// followEvents opens a WebSocket that follows the audit, and throws away what comes.
func followEvents(target loadTarget) error {
	c, err := tls.Dial("tcp", target.Web, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return fmt.Errorf("following events: %w", err)
	}
	fmt.Fprintf(c, "GET /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.Web, target.Token)
	r := bufio.NewReaderSize(c, 1<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("following events: %v, %w", resp, err)
	}
	ask := `{"op":"subscribe","id":1,"topics":["audit"]}`
	frame := append([]byte{0x81, 0x80 | byte(len(ask)), 0, 0, 0, 0}, ask...) // RFC 6455 §5.2, masked with zeros
	if _, err := c.Write(frame); err != nil {
		return fmt.Errorf("following events: %w", err)
	}
	go io.Copy(io.Discard, r)
	return nil
}

// load begins the rest of the load, and returns what ends it.
func (target loadTarget) load() (ease func()) {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	again := func(what string, each time.Duration, f func() error) {
		working.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
					fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
					os.Exit(1)
				}
				time.Sleep(each)
			}
		})
	}
	for range loadWalkers {
		w := newWalker(target.Socket)
		again("walking", 0, func() error { _, err := w.page(ctx); return err })
	}
	client, random := control.Dial(target.Socket), rand.New(rand.NewPCG(1, 2))
	again("looking up", 2*time.Millisecond, func() error {
		_, err := client.Routes(ctx, control.RouteQuery{For: someRoute(random)})
		return err
	})
	changing := control.Dial(target.Socket)
	again("making an event", loadEvery, func() error {
		_, err := changing.ClearNeighbors(ctx, control.NeighborQuery{})
		return err
	})
	return func() { stop(); working.Wait(); client.Close(); changing.Close() }
}
