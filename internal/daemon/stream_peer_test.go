package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// echoes is a core that says back what it hears, to whoever signs with the secret
// of its network.
type echoes struct {
	connected, closed *atomic.Int32
	steps             *atomic.Int32
	rest              map[protocol.StreamID][]byte
	room              map[protocol.StreamID]int
}

const echoSecret = "of the network"

func (e *echoes) Deadline() time.Time { return time.Time{} }

func (e *echoes) Step(_ time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	e.steps.Add(1)
	var id protocol.StreamID
	switch in := in.(type) {
	case protocol.Configure:
		return append(out, protocol.Listen{ID: 1, Local: netip.MustParseAddrPort("0.0.0.0:179"), Link: routing.NoInterface, Peers: []protocol.StreamPeer{
			{Remote: netip.MustParsePrefix("10.0.0.0/8"), StreamOptions: protocol.StreamOptions{Secret: echoSecret, DSCP: protocol.CS6}},
		}})
	case protocol.Connected:
		e.connected.Add(1)
		e.room[in.ID] = in.Room
	case protocol.Read:
		id = in.ID
		e.rest[id] = append(e.rest[id], in.Data...)
	case protocol.Written:
		id = in.ID
		e.room[id] = in.Room
	case protocol.Closed:
		e.closed.Add(1)
		delete(e.rest, in.ID)
	case protocol.Stop:
		return append(out, protocol.Stopped{})
	}
	if n := min(len(e.rest[id]), e.room[id]); n > 0 {
		out = append(out, protocol.Write{ID: id, Data: append([]byte(nil), e.rest[id][:n]...)})
		e.rest[id], e.room[id] = e.rest[id][n:], e.room[id]-n
	}
	return out
}

// signedDial connects from a host as any program on a kernel does that signs.
func (s *site) signedDial(host int, to, secret string, patience time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		sig := unix.TCPMD5Sig{Keylen: uint16(len(secret))}
		copy(sig.Key[:], secret)
		sig.Addr.Family = unix.AF_INET
		copy(sig.Addr.Data[2:], netip.MustParseAddrPort(to).Addr().AsSlice())
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptTCPMD5Sig(int(fd), unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
		})
		return errors.Join(err, failed)
	}}
	var c net.Conn
	err := device.InNamespace(s.hosts[host], func() (err error) {
		c, err = d.DialContext(s.t.Context(), "tcp", to)
		return err
	})
	if err == nil {
		err = c.SetDeadline(time.Now().Add(30 * time.Second))
	}
	return c, err
}

// Five hundred peers behind the router talk to a protocol of its own at once, each
// signed, while one of them never reads what it is told and others have no or a
// wrong secret.
func TestManyPeers(t *testing.T) {
	s, _ := stackSite(t, "rate = 1000000\n")
	var connected, closed, steps atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	o := s.options()
	o.more = []unlisted{{
		Kind: router.Kind{Name: "echoes", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core {
			return &echoes{connected: &connected, closed: &closed, steps: &steps, rest: map[protocol.StreamID][]byte{}, room: map[protocol.StreamID]int{}}
		}},
		config: func() router.ProtocolConfig { return router.ProtocolConfig{Config: true} },
	}}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	s.ready(done)
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the router ended with: %v", err)
		}
	}()
	const to = "10.0.1.1:179"
	// One that talks and never reads.
	var stuck net.Conn
	wait(t, "the listener", func() (err error) {
		stuck, err = s.signedDial(0, to, echoSecret, 5*time.Second)
		return err
	})
	defer stuck.Close()
	if _, err := stuck.Write(make([]byte, 8<<20)); err != nil { // far more than there is room for the answer
		t.Fatal(err)
	}
	for what, secret := range map[string]string{"a wrong secret": "wrong", "another network's": echoSecret + "!"} {
		if c, err := s.signedDial(0, to, secret, 500*time.Millisecond); err == nil {
			t.Errorf("%s: connected from %v", what, c.LocalAddr())
		}
	}
	const many = 500
	var peers sync.WaitGroup
	failed := make(chan error, many)
	begin := make(chan struct{})
	for i := range many {
		peers.Go(func() {
			if err := s.echoed(i, to, begin); err != nil {
				failed <- fmt.Errorf("peer %d: %w", i, err)
			}
		})
	}
	wait(t, "all to be connected", func() error {
		if n := connected.Load(); n != many+1 {
			return fmt.Errorf("%d of %d are connected", n-1, many)
		}
		return nil
	})
	close(begin)
	peers.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	wait(t, "the protocol to hear of all ends", func() error {
		if n := closed.Load(); n < many {
			return fmt.Errorf("it heard of %d", n)
		}
		return nil
	})
	t.Logf("%d peers at once took %d steps of the core", many, steps.Load())
}

// echoed is one peer: it connects, waits for the others, sends 64 KiB and reads
// them back.
func (s *site) echoed(i int, to string, begin <-chan struct{}) error {
	c, err := s.signedDial(0, to, echoSecret, 20*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	<-begin
	if err := c.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil { // 32 MiB, and others want the processor too
		return err
	}
	text := strings.Repeat(fmt.Sprintf("%07d ", i), 64<<10/8)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, text)
		sent <- err
	}()
	back := make([]byte, len(text))
	if _, err := io.ReadFull(c, back); err != nil {
		return err
	}
	if string(back) != text {
		return errors.New("what came back is not what was sent")
	}
	return <-sent
}
