package device

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// newsBuffer is what the kernel may keep of link changes that were not read
// yet, in bytes: some thousand devices made or removed at once.
const newsBuffer = 4 << 20

// mostNews is how many messages wait for one link before they count as lost,
// which has the link look at its device instead.
const mostNews = 64

// wire is the one socket on which all links of a namespace hear of changes. The
// kernel tells every socket of every device: one for each device would make
// the work, and the memory, grow by the square of their number.
type wire struct {
	space Identity
	file  *os.File
	ended chan struct{}

	// Guarded by wires.mu.
	links map[*news]bool
	of    map[int][]*news // by the index of the device
}

var wires = struct {
	mu sync.Mutex
	by map[Identity]*wire
}{by: map[Identity]*wire{}}

// news is what one link hears.
type news struct {
	wire *wire
	wake chan struct{} // has something in it when there is something to receive

	index int // of the device, 0 before about; guarded by wires.mu

	mu       sync.Mutex
	messages []syscall.NetlinkMessage
	lost     bool
	failed   error
	closed   bool
}

// subscribe gives news of link changes in the namespace of the calling thread.
// They are of one device only, see about.
func subscribe() (*news, error) {
	space, err := IdentityOf("")
	if err != nil {
		return nil, err
	}
	wires.mu.Lock()
	defer wires.mu.Unlock()
	w := wires.by[space]
	if w == nil {
		if w, err = newWire(space); err != nil {
			return nil, err
		}
		wires.by[space] = w
	}
	n := &news{wire: w, wake: make(chan struct{}, 1)}
	w.links[n] = true
	return n, nil
}

func newWire(space Identity) (*wire, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, newsBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, newsBuffer) // what the machine allows has to do
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_LINK - 1)}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &wire{space: space, file: os.NewFile(uintptr(fd), "netlink"), ended: make(chan struct{}), links: map[*news]bool{}, of: map[int][]*news{}}
	go w.run()
	return w, nil
}

// run hands out what the kernel tells until the last link has left.
func (w *wire) run() {
	defer close(w.ended)
	raw, err := w.file.SyscallConn()
	buffer := make([]byte, nl.RECEIVE_BUFFER_SIZE)
	for err == nil {
		var n int
		var from unix.Sockaddr
		var failed error
		err = raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), buffer, unix.MSG_TRUNC)
			return failed != unix.EAGAIN && failed != unix.EINTR
		})
		switch sender, _ := from.(*unix.SockaddrNetlink); {
		case err != nil:
		case failed == unix.ENOBUFS || failed == nil && n > len(buffer):
			w.tell(nil, true, nil)
		case failed != nil:
			err = failed
		case sender == nil || sender.Pid != nl.PidKernel:
		default:
			messages, parsed := syscall.ParseNetlinkMessage(buffer[:n])
			w.tell(messages, parsed != nil, nil)
		}
	}
	w.tell(nil, false, fmt.Errorf("following link changes: %w", err))
}

// tell hands messages to the links that they are about, and to all that some
// were lost or that there will be no more.
func (w *wire) tell(messages []syscall.NetlinkMessage, lost bool, failed error) {
	wires.mu.Lock()
	defer wires.mu.Unlock()
	if !lost && failed == nil {
		for i := range messages {
			if m := &messages[i]; len(m.Data) >= unix.SizeofIfInfomsg {
				for _, n := range w.of[int(nl.DeserializeIfInfomsg(m.Data).Index)] {
					n.take(messages[i:i+1], false, nil)
				}
			}
		}
		return
	}
	for n := range w.links {
		n.take(nil, lost, failed)
	}
}

// take notes what there is for the link.
func (n *news) take(messages []syscall.NetlinkMessage, lost bool, failed error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	some := lost || failed != nil
	n.lost = n.lost || lost
	if failed != nil {
		n.failed = failed
	}
	for _, m := range messages {
		some = true
		if len(n.messages) == mostNews {
			n.messages, n.lost = nil, true
			break
		}
		n.messages = append(n.messages, syscall.NetlinkMessage{Header: m.Header, Data: append([]byte(nil), m.Data[:unix.SizeofIfInfomsg]...)})
	}
	if some {
		n.ring()
	}
}

func (n *news) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// about has the link hear of the device with that index from now on.
func (n *news) about(index int) {
	wires.mu.Lock()
	defer wires.mu.Unlock()
	n.forget()
	n.index = index
	n.wire.of[index] = append(n.wire.of[index], n)
}

func (n *news) forget() {
	of := n.wire.of
	if of[n.index] = slices.DeleteFunc(of[n.index], func(o *news) bool { return o == n }); len(of[n.index]) == 0 {
		delete(of, n.index)
	}
}

// Receive waits for messages about the link's device, of which it gives the
// headers and the struct ifinfomsg. ENOBUFS says that some were lost.
func (n *news) Receive() ([]syscall.NetlinkMessage, error) {
	for {
		n.mu.Lock()
		messages, lost, failed, closed := n.messages, n.lost, n.failed, n.closed
		n.messages, n.lost = nil, false
		n.mu.Unlock()
		switch {
		case closed:
			return nil, port.ErrClosed
		case lost:
			return nil, unix.ENOBUFS // who is told of it looks anew
		case len(messages) > 0:
			return messages, nil
		case failed != nil:
			return nil, failed
		}
		<-n.wake
	}
}

// Close ends the news and wakes Receive. The last of a namespace closes its
// socket.
func (n *news) Close() {
	n.mu.Lock()
	n.closed = true
	n.ring()
	n.mu.Unlock()
	w := n.wire
	wires.mu.Lock()
	known := w.links[n]
	delete(w.links, n)
	n.forget()
	last := known && len(w.links) == 0
	if last {
		delete(wires.by, w.space)
	}
	wires.mu.Unlock()
	if last {
		w.file.Close()
		<-w.ended
	}
}
