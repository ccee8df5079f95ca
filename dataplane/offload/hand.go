package offload

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// A hand is what the programs and the reader of one socket share, so that no
// packet that is carried overtakes one of its flow that the socket has got:
//
//	passed    counts the packets of flows with an entry that the socket got. The
//	          carrier adds one, on the same processor and for the same packet, when
//	          the packet is in the socket; the sum is the packet's number, which its
//	          flow's entry keeps (awaits).
//	finished  is the highest number up to which the reader has read all packets, and
//	          has sent what became of them. The judge has a flow's packets carried
//	          once this is no less than what the entry awaits.
//
// The packets that came before the entry was made have no number. The first that
// finds the entry has one, and goes to the socket behind them.
//
// Above the count both numbers have a serial number that the socket got with its
// judge, and no other ever gets: an entry that awaits a packet of another socket,
// or of the same before it had this judge, awaits the next one.
const (
	handPassed   = 0
	handFinished = 64 // a line of the cache of its own: another processor writes it
	handSize     = 128
	// maxSockets is how many may have a judge at once.
	maxSockets  = 4096
	serialShift = 44
	lastSerial  = 1<<(64-serialShift) - 2
	// unseen is what an entry awaits before the first packet: nothing that ever
	// comes.
	unseen = 1<<64 - 1
)

var errSockets = errors.New("too many packet sockets have it")

// hands are those of all sockets.
type hands struct {
	memory *window

	mu     sync.Mutex
	free   []int
	made   int
	serial uint64
}

// window is memory that stays mapped while anything refers to it: a reader may
// look at it a last time after its socket has lost the judge.
type window struct{ b []byte }

func newHands(m *ebpf.Map) (*hands, error) {
	b, err := mapped(m)
	if err != nil {
		return nil, err
	}
	w := &window{b}
	runtime.AddCleanup(w, func(b []byte) { _ = unix.Munmap(b) }, b)
	return &hands{memory: w}, nil
}

// take gives the number of a hand for one more socket.
func (h *hands) take() (number int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.serial == lastSerial {
		return 0, errSockets
	}
	switch n := len(h.free); {
	case n > 0:
		number, h.free = h.free[n-1], h.free[:n-1]
	case h.made < maxSockets:
		number = h.made
		h.made++
	default:
		return 0, errSockets
	}
	h.serial++
	of := h.of(number)
	of.Passed.Store(h.serial << serialShift)
	of.Finished.Store(h.serial << serialShift)
	return number, nil
}

// giveBack takes the number of a socket that has no judge any more.
func (h *hands) giveBack(number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = append(h.free, number)
}

// of is the hand of that number as its reader sees it.
func (h *hands) of(number int) *port.HandOver {
	at := func(offset int) *atomic.Uint64 {
		return (*atomic.Uint64)(unsafe.Pointer(&h.memory.b[number*handSize+offset]))
	}
	return &port.HandOver{Passed: at(handPassed), Finished: at(handFinished), Memory: h.memory}
}
