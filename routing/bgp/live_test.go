package bgp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// patience is how long a peer has for what it is expected to do.
const patience = 20 * time.Second

// live is a session over real TCP connections with another program, in a namespace of
// theirs. The test's goroutine steps the session; others only read and dial.
type live struct {
	t       *testing.T
	ns      string
	session *Session
	machine *Machine // instead of a session, if it is not nil
	alarms  Alarms
	inputs  chan func()
	conns   map[protocol.StreamID]net.Conn
	number  protocol.StreamID
	other   protocol.StreamID // of what is accepted

	ups, downs int
	table      map[string]string // prefix and path identifier: its attributes in words
	ended      []wire.Family
	refreshes  []wire.Refresh
	faults     []string
}

// newLive makes a namespace with the addresses 198.18.0.1 to .3, of which the first is
// the session's.
func newLive(t *testing.T, tools ...string) *live {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for another program")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	for _, tool := range append(tools, "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	l := &live{
		t: t, ns: fmt.Sprintf("rdbgp%d", os.Getpid()), inputs: make(chan func(), 100), conns: map[protocol.StreamID]net.Conn{},
		table: map[string]string{}, other: protocol.AcceptedStream,
	}
	l.run("ip", "netns", "add", l.ns)
	t.Cleanup(func() { l.run("ip", "netns", "del", l.ns) })
	l.run("ip", "-n", l.ns, "link", "set", "lo", "up")
	for i := range 3 {
		l.run("ip", "-n", l.ns, "address", "add", fmt.Sprintf("198.18.0.%d/32", i+1), "dev", "lo")
	}
	t.Cleanup(func() {
		for _, c := range l.conns {
			c.Close()
		}
	})
	return l
}

func (l *live) run(args ...string) string {
	l.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start makes the session, and a listener for the neighbour's connections.
func (l *live) start(c SessionConfig) {
	l.t.Helper()
	l.session = NewSession(c, l, &l.alarms, rand.New(rand.NewPCG(1, 1)), new(wire.Update))
	l.listens()
	l.do(l.session.Start(time.Now(), nil))
}

// listens accepts the neighbour's connections.
func (l *live) listens() {
	l.t.Helper()
	var listener net.Listener
	l.inside(func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "198.18.0.1:179")
		return err
	})
	l.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.inputs <- func() {
				l.other++
				l.conns[l.other] = conn
				l.input(connectedBy(l.other, 1, conn))
				l.reads(l.other, conn)
			}
		}
	}()
}

// connectedBy is what is said of a connection.
func connectedBy(id, listener protocol.StreamID, conn net.Conn) protocol.Connected {
	address := func(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }
	return protocol.Connected{
		ID: id, Listener: listener, Local: address(conn.LocalAddr()), Remote: address(conn.RemoteAddr()),
		Link: routing.NoInterface, Room: protocol.StreamRoom,
	}
}

// input gives the session, or the machine, an input.
func (l *live) input(in protocol.Input) {
	if l.machine != nil {
		l.step(in)
		return
	}
	if c, ok := in.(protocol.Connected); ok && c.Listener != 0 {
		l.do(l.session.Accept(time.Now(), c, nil))
		return
	}
	l.do(l.session.Input(time.Now(), in, nil))
}

// owns reports whether a connection that was dialled is still wanted.
func (l *live) owns(id protocol.StreamID) bool {
	if l.machine != nil {
		_, ok := l.machine.streams[id]
		return ok
	}
	return l.session.Owns(id)
}

// inside runs f on a thread that is in the namespace.
func (l *live) inside(f func() error) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		ns, err := netns.GetFromName(l.ns)
		if err == nil {
			err = netns.Set(ns)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.t.Fatal(err)
	}
}

// do carries out effects.
func (l *live) do(out []protocol.Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case protocol.Dial:
			go l.dial(e)
		case protocol.Write:
			if c := l.conns[e.ID]; c != nil {
				if _, err := c.Write(e.Data); err == nil {
					l.input(protocol.Written{ID: e.ID, Room: protocol.StreamRoom})
				}
			}
		case protocol.CloseStream:
			if c := l.conns[e.ID]; c != nil {
				c.Close()
			}
			delete(l.conns, e.ID)
		}
	}
}

func (l *live) dial(e protocol.Dial) {
	runtime.LockOSThread()
	var conn net.Conn
	ns, err := netns.GetFromName(l.ns)
	if err == nil {
		err = netns.Set(ns)
		ns.Close()
	}
	if err == nil {
		local := net.TCPAddrFromAddrPort(e.Local)
		conn, err = (&net.Dialer{LocalAddr: local, Timeout: 5 * time.Second}).Dial("tcp4", e.Remote.String())
	}
	l.inputs <- func() {
		switch {
		case err != nil:
			l.input(protocol.Closed{ID: e.ID, Err: err})
		case !l.owns(e.ID):
			conn.Close()
		default:
			l.conns[e.ID] = conn
			l.input(connectedBy(e.ID, 0, conn))
			l.reads(e.ID, conn)
		}
	}
}

// reads reads a connection to its end.
func (l *live) reads(id protocol.StreamID, conn net.Conn) {
	go func() {
		for {
			buf := make([]byte, 8192)
			n, err := conn.Read(buf)
			taken := make(chan struct{})
			l.inputs <- func() {
				defer close(taken)
				if n > 0 {
					l.input(protocol.Read{ID: id, Data: buf[:n]})
				}
				if err != nil {
					if errors.Is(err, io.EOF) {
						err = protocol.ErrStreamEnd
					}
					conn.Close()
					delete(l.conns, id)
					l.input(protocol.Closed{ID: id, Err: err})
				}
			}
			<-taken
			if err != nil {
				return
			}
		}
	}()
}

// poll does what waits, for a short while.
func (l *live) poll() {
	select {
	case f := <-l.inputs:
		f()
	case <-time.After(5 * time.Millisecond):
	}
	now := time.Now()
	if l.machine != nil {
		if at := l.machine.Deadline(); !at.IsZero() && !at.After(now) {
			l.step(protocol.Tick{})
		}
		return
	}
	for a := l.alarms.Due(now); a != nil; a = l.alarms.Due(now) {
		l.do(a.Of.Due(now, nil))
	}
}

// until polls until a condition holds.
func (l *live) until(what string, holds func() bool, seen func() string) {
	l.t.Helper()
	for end := time.Now().Add(patience); !holds(); l.poll() {
		if time.Now().After(end) {
			if l.machine != nil {
				l.t.Fatalf("after %v no %s; neighbours %+v; %v; seen: %s", patience, what, l.machine.Neighbors(), l.faults, seen())
			}
			l.t.Fatalf("after %v no %s; the session is %v, %+v; %v; seen: %s", patience, what, l.session.State(), l.session.Last(), l.faults, seen())
		}
	}
}

func (l *live) NextStream() protocol.StreamID { l.number++; return l.number }
func (l *live) Established(*Session)          { l.ups++ }

func (l *live) Ended(*Session, bool) {
	l.downs++
	clear(l.table)
	l.ended, l.refreshes = nil, nil
}

func (l *live) Refresh(_ *Session, r wire.Refresh) { l.refreshes = append(l.refreshes, r) }

func (l *live) Update(_ *Session, u *wire.Update) {
	for i := range u.Faults {
		l.faults = append(l.faults, u.Faults[i].String())
	}
	if f, ok := u.EndOfRIB(); ok {
		l.ended = append(l.ended, f)
	}
	key := func(path uint32, p netip.Prefix) string { return fmt.Sprintf("%v#%d", p, path) }
	for i := range u.Reach {
		for path, p := range u.Withdrawn[i].All {
			delete(l.table, key(path, p))
		}
		r := &u.Reach[i]
		for path, p := range r.All {
			l.table[key(path, p)] = inWords(&u.Attributes, r.NextHop)
		}
	}
}

// inWords writes attributes.
func inWords(a *wire.Attributes, h wire.NextHop) string {
	list := []string{fmt.Sprintf("%v via %v %v", a.Origin, h.Address, a.ASPath)}
	add := func(code wire.Attribute, format string, args ...any) {
		if a.Has(code) {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(wire.AttrMED, "med %d", a.MED)
	add(wire.AttrLocalPref, "local-pref %d", a.LocalPref)
	add(wire.AttrCommunities, "[%s]", words(a.Communities.Len(), a.Communities.At))
	add(wire.AttrExtended, "[%s]", words(a.Extended.Len(), a.Extended.At))
	add(wire.AttrLarge, "[%s]", words(a.Large.Len(), a.Large.At))
	add(wire.AttrOTC, "otc %d", a.OTC)
	return strings.Join(list, ", ")
}

// daemon runs a program in the namespace until the test ends.
func (l *live) daemon(args ...string) {
	l.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.ns}, args...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		if l.t.Failed() {
			l.t.Logf("%s said:\n%s", args[0], log.String())
		}
	})
}

// bird runs BIRD, and gives what asks it.
func (l *live) bird(text string) func(words ...string) string {
	l.t.Helper()
	dir := l.t.TempDir()
	conf, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.daemon("bird", "-f", "-c", conf, "-s", socket)
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(end) {
			l.t.Fatal("BIRD does not start")
		}
	}
	return func(words ...string) string {
		out, err := exec.Command("birdc", append([]string{"-s", socket}, words...)...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("birdc: %v: %s", err, out)
		}
		return string(out)
	}
}
