package localstack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/routing/protocol"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// echo has a peer's connection and one of the streams say something to each other.
func (p *pair) echo(id protocol.StreamID, far net.Conn) {
	p.t.Helper()
	if _, err := far.Write([]byte("ping")); err != nil {
		p.t.Fatal(err)
	}
	if got := p.read(id, 4); got != "ping" {
		p.t.Fatalf("read %q, want ping", got)
	}
	p.client.Carry(protocol.Write{ID: id, Data: []byte("pong")})
	b := make([]byte, 4)
	if _, err := io.ReadFull(far, b); err != nil || string(b) != "pong" {
		p.t.Fatalf("the peer read %q (%v), want pong", b, err)
	}
}

// Both families, both directions; ends are what they are called.
func TestStreamsDialAndListen(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct{ any, own, far string }{
		{"0.0.0.0:179", "10.7.0.1", "10.7.0.2"},
		{"[::]:179", "2001:db8:7::1", "2001:db8:7::2"},
	} {
		l := p.listen(protocol.Listen{Local: at(c.any)})
		farEnd := p.mustDial(net.JoinHostPort(c.own, "179"), "", 0)
		in := p.accepted(l)
		if in.Local.String() != net.JoinHostPort(c.own, "179") || in.Remote.String() != farEnd.LocalAddr().String() || in.ID&protocol.AcceptedStream == 0 {
			t.Errorf("accepted %+v from %v", in, farEnd.LocalAddr())
		}
		p.echo(in.ID, farEnd)
		farEnd.Close()
		if err := p.closed(in.ID); !errors.Is(err, protocol.ErrStreamEnd) {
			t.Errorf("the peer closed: %v", err)
		}
		other := p.farListen(net.JoinHostPort(c.far, "180"), "", 0)
		local := netip.AddrPortFrom(netip.MustParseAddr(c.own), 4000)
		id := p.dial(protocol.Dial{Local: local, Remote: at(other.Addr().String())})
		farEnd, err := other.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if out := p.connected(id); out.Local != local || out.Listener != 0 || out.Room != protocol.StreamRoom || farEnd.RemoteAddr().String() != local.String() {
			t.Errorf("connected %+v, the peer sees %v", out, farEnd.RemoteAddr())
		}
		p.echo(id, farEnd)
		p.client.Carry(protocol.CloseStream{ID: id})
		if n, err := farEnd.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer of a connection that was closed reads %d octets and %v, want the end", n, err)
		}
		farEnd.Close()
	}
}

// Why there is no connection is told in words.
func TestStreamsThatCannotBe(t *testing.T) {
	p := newPair(t)
	taken := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	p.mustDial("10.7.0.1:179", "", 0)
	p.accepted(taken)
	for _, c := range []struct {
		what string
		id   protocol.StreamID
		want error
		says string
	}{
		{"nobody listens", p.dial(protocol.Dial{Remote: at("10.7.0.2:9")}), protocol.ErrStreamRefused, "10.7.0.2:9"},
		{"no route", p.dial(protocol.Dial{Remote: at("192.0.2.1:9")}), nil, "no way"},
		{"not an own address", p.dial(protocol.Dial{Local: at("10.7.0.99:0"), Remote: at("10.7.0.2:9")}), nil, "10.7.0.99"},
		{"of two families", p.dial(protocol.Dial{Local: at("10.7.0.1:0"), Remote: at("[2001:db8:7::2]:9")}), nil, "same family"},
		{"a long secret", p.dial(protocol.Dial{Remote: at("10.7.0.2:9"), StreamOptions: protocol.StreamOptions{Secret: strings.Repeat("x", 81)}}), nil, "at most 80"},
		{"the port is taken", p.listen(protocol.Listen{Local: at("0.0.0.0:179")}), nil, "has the port"},
		{"no such address to listen at", p.listen(protocol.Listen{Local: at("10.7.0.99:179")}), nil, "no such address"},
	} {
		err := p.closed(c.id)
		if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want it to say %q", c.what, err, c.says)
		}
	}
}

func signed(secret string) protocol.StreamOptions { return protocol.StreamOptions{Secret: secret} }

// short is how long a connection is waited for that never comes.
const short = 300 * time.Millisecond

// Peers with the right secret connect, by their longest prefix; nobody else does,
// and a secret that is changed counts from then on.
func TestStreamsSigned(t *testing.T) {
	for _, f := range []struct{ any, own, host, net string }{
		{"0.0.0.0:179", "10.7.0.1:179", "10.7.0.2/32", "10.7.0.0/16"},
		{"[::]:179", "[2001:db8:7::1]:179", "2001:db8:7::2/128", "2001:db8::/32"},
	} {
		p := newPair(t)
		never := func(what, secret string) {
			t.Helper()
			if _, err := p.farDial(f.own, secret, 0, short); err == nil {
				t.Errorf("%s: connected", what)
			}
		}
		l := p.listen(protocol.Listen{Local: at(f.any), Peers: []protocol.StreamPeer{
			{Remote: netip.MustParsePrefix(f.net), StreamOptions: signed("of the net")},
		}})
		far := p.mustDial(f.own, "of the net", 0)
		first := p.accepted(l)
		p.echo(first.ID, far)
		never("no secret", "")
		never("a wrong secret", "of nobody")
		host := protocol.StreamPeer{Remote: netip.MustParsePrefix(f.host), StreamOptions: signed("of the host")}
		p.client.Carry(protocol.SetPeer{ID: l, StreamPeer: host})
		never("the net's secret of a host that has its own", "of the net")
		far2 := p.mustDial(f.own, "of the host", 0)
		p.echo(p.accepted(l).ID, far2)
		host.Secret = "another"
		p.client.Carry(protocol.SetPeer{ID: l, StreamPeer: host})
		never("the secret before", "of the host")
		far3 := p.mustDial(f.own, "another", 0)
		p.echo(p.accepted(l).ID, far3)
		p.client.Carry(protocol.ForgetPeer{ID: l, Remote: host.Remote})
		never("a secret that was taken away", "another")
		p.echo(first.ID, far) // those that there are go on
		// The other way round.
		other := p.farListen(strings.Replace(strings.Replace(f.own, "0.1", "0.2", 1), "::1", "::2", 1), "theirs", 0)
		id := p.dial(protocol.Dial{Remote: at(other.Addr().String()), StreamOptions: signed("theirs")})
		farEnd, err := other.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p.connected(id)
		p.echo(id, farEnd)
		p.client.Carry(protocol.CloseStream{ID: p.dial(protocol.Dial{Remote: at(other.Addr().String()), StreamOptions: signed("wrong")})})
		p.streams.Close()
	}
}

// What comes from farther away than it may does not connect (RFC 5082), for the
// whole listener, for one peer, and to what is dialled.
func TestStreamsFromFarAway(t *testing.T) {
	for _, f := range []struct{ any, own, far, host string }{
		{"0.0.0.0:179", "10.7.0.1:179", "10.7.0.2:180", "10.7.0.2/32"},
		{"[::]:179", "[2001:db8:7::1]:179", "[2001:db8:7::2]:180", "2001:db8:7::2/128"},
	} {
		p := newPair(t)
		near := protocol.StreamOptions{TTL: 255, MinTTL: 254}
		l := p.listen(protocol.Listen{Local: at(f.any), StreamOptions: near})
		p.echo(p.accepted2(l, f.own, 254))
		if c, err := p.farDial(f.own, "", 253, short); err == nil {
			t.Errorf("connected from two hops away: %v", c.RemoteAddr())
		}
		p.client.Carry(protocol.CloseStream{ID: l})
		// One peer: it may have its connection for a moment, the protocol never.
		peers := strings.Replace(f.own, ":179", ":181", 1)
		l = p.listen(protocol.Listen{
			Local: at(peers), StreamOptions: protocol.StreamOptions{TTL: 255},
			Peers: []protocol.StreamPeer{{Remote: netip.MustParsePrefix(f.host), StreamOptions: near}},
		})
		p.echo(p.accepted2(l, peers, 255))
		if c, err := p.farDial(peers, "", 64, short); err == nil {
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("a peer from far away reads %d octets, want its connection reset", n)
			}
		}
		p.mu.Lock()
		for _, in := range p.heard {
			if c, ok := in.(protocol.Connected); ok {
				t.Errorf("the protocol heard of %+v", c)
			}
		}
		p.mu.Unlock()
		other := p.farListen(f.far, "", 64)
		id := p.dial(protocol.Dial{Remote: at(f.far), StreamOptions: near})
		time.AfterFunc(short, func() { p.client.Carry(protocol.CloseStream{ID: id}) })
		other.(*net.TCPListener).SetDeadline(time.Now().Add(short))
		if c, err := other.Accept(); err == nil {
			t.Errorf("connected to %v, which answers from far away", c.LocalAddr())
		}
		p.streams.Close()
	}
}

// accepted2 has a peer connect with a TTL and gives both ends.
func (p *pair) accepted2(l protocol.StreamID, own string, ttl int) (protocol.StreamID, net.Conn) {
	p.t.Helper()
	c := p.mustDial(own, "", ttl)
	return p.accepted(l).ID, c
}

// A peer that sends on and on to a connection that its protocol has closed reads what it
// was sent last, and is read from no more than so far.
func TestStreamsClosedWhileThePeerSends(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	far := p.mustDial("10.7.0.1:179", "", 0)
	defer far.Close()
	in := p.accepted(l)
	p.client.Carry(protocol.Write{ID: in.ID, Data: []byte("notification")})
	p.client.Carry(protocol.CloseStream{ID: in.ID})
	if got, err := io.ReadAll(far); err != nil || string(got) != "notification" {
		t.Errorf("the peer reads %q and %v", got, err)
	}
	_ = far.SetWriteDeadline(time.Now().Add(2 * lingering))
	garbage, total := make([]byte, 64<<10), 0
	for {
		n, err := far.Write(garbage)
		total += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection does not end")
		}
		if err != nil || total > 64<<20 {
			break
		}
	}
	// What both kernels have room for comes on top.
	if total > 64<<20 {
		t.Errorf("the peer gets rid of more than %d MB", total>>20)
	}
}

// What is written before a connection is closed arrives, though the other side
// has said things that nobody read; with Reset it hears so at once.
func TestStreamsClose(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	for _, reset := range []bool{false, true} {
		far := p.mustDial("10.7.0.1:179", "", 0)
		in := p.accepted(l)
		p.mu.Lock()
		p.hold = true
		p.mu.Unlock()
		if _, err := far.Write(bytes.Repeat([]byte("update"), 20000)); err != nil {
			t.Fatal(err)
		}
		await(p, "something to read", func(r protocol.Read) bool { return r.ID == in.ID })
		p.client.Carry(protocol.Write{ID: in.ID, Data: []byte("notification")})
		p.client.Carry(protocol.CloseStream{ID: in.ID, Reset: reset})
		p.release()
		got, err := io.ReadAll(far)
		if !reset && (err != nil || string(got) != "notification") || reset && err == nil {
			t.Errorf("reset %v: the peer reads %q and %v", reset, got, err)
		}
		far.Close()
		p.streams.Flush(t.Context())
		p.mu.Lock()
		for _, in := range p.heard {
			switch in.(type) {
			case protocol.Written, protocol.Read: // that may have been on its way
			default:
				t.Errorf("after its end the protocol heard %T", in)
			}
		}
		p.heard = nil
		p.mu.Unlock()
	}
}

// A peer that never reads costs a bounded room, and nobody else any time.
func TestStreamsPeerThatNeverReads(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	stuckEnd := p.mustDial("10.7.0.1:179", "", 0)
	stuck := p.accepted(l).ID
	good, goodEnd := p.accepted2(l, "10.7.0.1:179", 0)
	block := bytes.Repeat([]byte("x"), 64<<10)
	written, room := 0, protocol.StreamRoom
	for room > 0 { // as a protocol does that heeds Written
		for room > 0 {
			p.client.Carry(protocol.Write{ID: stuck, Data: bytes.Clone(block)})
			written, room = written+len(block), room-len(block)
		}
		for deadline := time.Now().Add(2 * time.Second); room <= 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			p.mu.Lock()
			for _, in := range p.heard {
				if w, ok := in.(protocol.Written); ok && w.ID == stuck {
					room = w.Room
				}
			}
			p.heard = nil
			p.mu.Unlock()
		}
		if written > 64<<20 {
			t.Fatal("64 MiB were taken for a peer that reads nothing")
		}
	}
	t.Logf("%d KiB were taken for a peer that reads nothing", written>>10)
	p.echo(good, goodEnd)
	// The peer reads at last: all of it arrives, and there is room again.
	if n, err := io.CopyN(io.Discard, stuckEnd, int64(written)); err != nil {
		t.Fatalf("%d of %d octets arrived: %v", n, written, err)
	}
	await(p, "all the room", func(w protocol.Written) bool { return w.ID == stuck && w.Room == protocol.StreamRoom })
	// A protocol that heeds nothing loses the connection.
	for range 1024 {
		p.client.Carry(protocol.Write{ID: stuck, Data: bytes.Clone(block)})
	}
	if err := p.closed(stuck); !strings.Contains(err.Error(), "does not read") {
		t.Errorf("64 MiB for a peer that reads nothing: %v", err)
	}
	p.echo(good, goodEnd)
}

// The room that a protocol is told of is that when it hears of it: what it has written since
// the octets before were taken counts.
func TestStreamsRoomOfTheMoment(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	p.mustDial("10.7.0.1:179", "", 0) // and reads nothing
	id := p.accepted(l).ID
	block := bytes.Repeat([]byte("x"), 64<<10)
	p.client.Carry(protocol.Write{ID: id, Data: bytes.Clone(block)})
	await(p, "all the room", func(w protocol.Written) bool { return w.ID == id && w.Room == protocol.StreamRoom })
	p.mu.Lock()
	first := p.late
	p.mu.Unlock()
	room := func() int { return first().(protocol.Written).Room }
	// The kernel takes some megabytes, and then no more.
	for written := 0; room() > len(block); {
		if written += len(block); written > 64<<20 {
			t.Fatal("64 MiB were taken for a peer that reads nothing")
		}
		p.client.Carry(protocol.Write{ID: id, Data: bytes.Clone(block)})
		for deadline := time.Now().Add(2 * time.Second); room() <= len(block) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		}
	}
	before := room()
	p.client.Carry(protocol.Write{ID: id, Data: bytes.Clone(block)})
	if got := room(); got != before-len(block) {
		t.Errorf("a block later there is room for %d octets, want %d", got, before-len(block))
	}
}

// The namespace is deleted and made anew: connections end, listeners are put up
// again, and a listener that waits for its first stack is put up in it.
func TestStreamsFollowTheStack(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("0.0.0.0:179"), Peers: []protocol.StreamPeer{
		{Remote: netip.MustParsePrefix("10.7.0.0/24"), StreamOptions: signed("s")},
	}})
	for round := range 3 {
		c := p.mustDial("10.7.0.1:179", "s", 0)
		in := p.accepted(l)
		p.echo(in.ID, c)
		if err := p.streams.Up(p.here); err != nil { // it is the same: nobody notices
			t.Fatal(err)
		}
		p.echo(in.ID, c)
		p.ip("netns", "del", p.here)
		p.streams.Down(fmt.Errorf("it was deleted (%d)", round))
		if err := p.closed(in.ID); !strings.Contains(err.Error(), "it was deleted") {
			t.Errorf("the stack is gone: %v", err)
		}
		if err := p.closed(p.dial(protocol.Dial{Remote: at("10.7.0.2:9")})); !strings.Contains(err.Error(), "it was deleted") {
			t.Errorf("dialling without a stack: %v", err)
		}
		late := p.listen(protocol.Listen{Local: at("10.7.0.1:500")})
		p.cable()
		if err := p.streams.Up(p.here); err != nil {
			t.Fatal(err)
		}
		p.mustDial("10.7.0.1:500", "", 0)
		p.accepted(late)
		p.client.Carry(protocol.CloseStream{ID: late})
	}
	p.streams.Expect(false)
	p.streams.Down(protocol.ErrNoStack)
	if err := p.closed(p.listen(protocol.Listen{Local: at("0.0.0.0:1")})); !errors.Is(err, protocol.ErrNoStack) {
		t.Errorf("listening where no stack is configured: %v", err)
	}
}

// Until a stack that is configured has been made, that is what is said, and not that there
// is none.
func TestStreamsBeforeTheStack(t *testing.T) {
	var s Streams
	s.why = protocol.ErrNoStack
	if _, expected, err := s.current(); expected || !errors.Is(err, protocol.ErrNoStack) {
		t.Errorf("no stack is configured: %v, %v", expected, err)
	}
	s.expected = true
	if _, expected, err := s.current(); !expected || !errors.Is(err, errAway) || errors.Is(err, protocol.ErrNoStack) {
		t.Errorf("the stack is being made: %v, %v", expected, err)
	}
	s.why = errors.New("no memory")
	if _, _, err := s.current(); !errors.Is(err, errAway) || !errors.Is(err, s.why) {
		t.Errorf("the stack could not be made: %v", err)
	}
}

// A protocol that closes a listener and listens there again in one step has its
// port.
func TestStreamsListenAgain(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	for range 40 {
		for begun := time.Now(); ; { // one that the listener before still had is reset
			if _, err := p.farDial("10.7.0.1:179", "", 0, 5*time.Second); err == nil {
				break
			} else if time.Since(begun) > 10*time.Second {
				t.Fatal(err)
			}
		}
		p.client.Carry(protocol.CloseStream{ID: l})
		l = p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	}
	// What reaches the listener before is reset, as above, or never accepted.
	deadline := time.Now().Add(10 * time.Second)
	for !p.hasAccepted(l) {
		if _, err := p.farDial("10.7.0.1:179", "", 0, 5*time.Second); time.Now().After(deadline) {
			t.Fatalf("the last listener accepts nothing; dialling it: %v", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.heard {
		if c, ok := in.(protocol.Closed); ok && c.ID&protocol.AcceptedStream == 0 {
			t.Errorf("a listener ended: %v", c.Err)
		}
	}
}

// hasAccepted reports whether a listener has accepted anything so far.
func (p *pair) hasAccepted(by protocol.StreamID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.heard {
		if c, ok := in.(protocol.Connected); ok && c.Listener == by {
			return true
		}
	}
	return false
}

// An address that the stack gets a moment later, by the same reload, is no reason
// to refuse what is asked for there.
func TestStreamsAtAnAddressThatComes(t *testing.T) {
	p := newPair(t)
	other := p.farListen("10.7.0.2:180", "", 0)
	l := p.listen(protocol.Listen{Local: at("10.7.0.9:179")})
	id := p.dial(protocol.Dial{Local: at("10.7.0.9:0"), Remote: at(other.Addr().String())})
	p.ip("-n", p.here, "address", "add", "10.7.0.9/24", "dev", "v0")
	p.streams.Readdress()
	p.connected(id)
	p.mustDial("10.7.0.9:179", "", 0)
	p.accepted(l)
}

// Five hundred connections at once, in both directions.
func TestStreamsManyAtOnce(t *testing.T) {
	p := newPair(t)
	const many = 250
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	other := p.farListen("10.7.0.2:180", "", 0)
	var peers sync.WaitGroup
	defer peers.Wait()
	defer other.Close()
	peers.Go(func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			peers.Go(func() { defer c.Close(); io.Copy(c, c) })
		}
	})
	ids := map[protocol.StreamID]bool{}
	for range many {
		ids[p.dial(protocol.Dial{Remote: at("10.7.0.2:180")})] = true
	}
	for range many {
		c := p.mustDial("10.7.0.1:179", "", 0)
		peers.Go(func() { defer c.Close(); io.Copy(c, c) })
	}
	for range many {
		ids[p.accepted(l).ID] = true
	}
	for id := range ids {
		if id&protocol.AcceptedStream == 0 {
			p.connected(id)
		}
		p.client.Carry(protocol.Write{ID: id, Data: fmt.Appendf(nil, "%016x", uint64(id))})
	}
	for id := range ids {
		if got, want := p.read(id, 16), fmt.Sprintf("%016x", uint64(id)); got != want {
			t.Fatalf("connection %x reads %s", uint64(id), got)
		}
	}
	for id := range ids {
		p.client.Carry(protocol.CloseStream{ID: id})
	}
	p.streams.Flush(t.Context())
}
