package packet

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

// fakeRoom is the room of a socket that holds as much as a test says.
type fakeRoom struct {
	held   int
	limits []int
}

func (r *fakeRoom) used() int       { return r.held }
func (r *fakeRoom) limit(bytes int) { r.limits = append(r.limits, bytes) }

// follower is a progress that follows a cache, with the numbers of both.
func follower(r room) (*progress, *port.HandOver) {
	h := &port.HandOver{Passed: new(atomic.Uint64), Finished: new(atomic.Uint64)}
	p := &progress{room: r}
	p.follow(h)
	return p, h
}

// A socket that small packets have made long, and that is never empty, is made to hold
// less until it is; what is in it is finished when as many packets have been read.
func TestLongSocketIsMadeShort(t *testing.T) {
	r := &fakeRoom{held: 8 << 20}
	p, h := follower(r)
	wants := func(when string, finished uint64, limits ...int) {
		t.Helper()
		if h.Finished.Load() != finished || !slices.Equal(r.limits, limits) {
			t.Fatalf("%s: finished %d, limits %d; want %d and %d", when, h.Finished.Load(), r.limits, finished, limits)
		}
	}
	h.Passed.Store(7)
	p.begin(true)
	p.read(r.held / leastPacket)
	h.Passed.Store(9)
	p.begin(true)
	wants("before all is read that the socket may have held", 0)
	p.read(1)
	p.begin(true)
	wants("when it is long for the second time", 7, shortBuffer)
	p.read(r.held/leastPacket + 1)
	r.held = shortBuffer
	p.begin(true)
	wants("when it holds less", 9, shortBuffer)
	p.look()
	p.empty(true)
	wants("when it is empty", 9, shortBuffer, socketBuffer)
	p.empty(true)
	wants("when it is empty again", 9, shortBuffer, socketBuffer)
}

// Super-packets need the room, and so does a socket for whose packets nobody waits.
func TestLongSocketStaysLong(t *testing.T) {
	for what, c := range map[string]struct {
		small bool
		more  uint64 // packets that somebody waits for
	}{
		"super-packets": {false, 1},
		"nobody waits":  {true, 0},
	} {
		r := &fakeRoom{held: 8 << 20}
		p, h := follower(r)
		for range 5 {
			h.Passed.Add(c.more)
			p.begin(c.small)
			p.read(r.held/leastPacket + 1)
		}
		if len(r.limits) != 0 {
			t.Errorf("%s: the socket may hold %d", what, r.limits)
		}
	}
}

// What a socket holds counts as no less than leastPacket for each packet.
func TestRoomOfASocket(t *testing.T) {
	w := newWire(t)
	p, far := openPort(t, w.config()), openPort(t, Config{Name: "far", Netns: w.host, Device: "h0", TakeOver: true})
	q := p.queues[0]
	limit := func() (bytes int) {
		if err := q.control(func(fd int) (err error) {
			bytes, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	long := limit()
	q.progress.room.limit(shortBuffer)
	if short := limit(); short != 2*shortBuffer || long <= short {
		t.Errorf("it may hold %d bytes, and made short %d, want %d", long, short, 2*shortBuffer)
	}
	q.progress.room.limit(socketBuffer)
	if again := limit(); again != long {
		t.Errorf("it may hold %d bytes again, want %d", again, long)
	}
	const sent = 100
	for range sent {
		write(t, far, porttest.Frame(udp4("198.18.0.2:5000", "198.18.0.1:7000", "a datagram", false)))
	}
	for deadline := time.Now().Add(porttest.Patience); q.progress.room.used() < sent*leastPacket; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("with %d packets in it the socket holds %d bytes, want %d and more", sent, q.progress.room.used(), sent*leastPacket)
		}
	}
}
