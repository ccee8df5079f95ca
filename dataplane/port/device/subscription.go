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

// receiveBuffer is how many bytes of messages the kernel may queue: enough for
// some thousand devices made or removed at once.
const receiveBuffer = 4 << 20

// maxQueued is how many messages may wait for one link. Beyond that they count
// as lost, and the link asks for its device's state instead.
const maxQueued = 64

// linkSocket is the one socket by which all Links of a namespace get messages
// about changes. The kernel sends the messages of all devices to every socket:
// with one socket for each device, work and memory would grow with the square
// of their number.
type linkSocket struct {
	space Identity
	file  *os.File
	ended chan struct{}

	// Guarded by linkSockets.mu.
	links   map[*subscription]bool
	byIndex map[int][]*subscription // by index of the device
}

var linkSockets = struct {
	mu sync.Mutex
	by map[Identity]*linkSocket
}{by: map[Identity]*linkSocket{}}

// subscription is the messages for one Link.
type subscription struct {
	socket *linkSocket
	wake   chan struct{} // readable when there is something to receive

	index int // of the device, 0 before about; guarded by linkSockets.mu

	mu       sync.Mutex
	messages []syscall.NetlinkMessage
	lost     bool
	failed   error
	closed   bool
}

// subscribe subscribes to link changes in the namespace of the calling thread,
// of the one device that about says.
func subscribe() (*subscription, error) {
	space, err := IdentityOf("")
	if err != nil {
		return nil, err
	}
	linkSockets.mu.Lock()
	defer linkSockets.mu.Unlock()
	w := linkSockets.by[space]
	if w == nil {
		if w, err = newLinkSocket(space); err != nil {
			return nil, err
		}
		linkSockets.by[space] = w
	}
	n := &subscription{socket: w, wake: make(chan struct{}, 1)}
	w.links[n] = true
	return n, nil
}

func newLinkSocket(space Identity) (*linkSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // without the right to it, the machine's own limit applies
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_LINK - 1)}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &linkSocket{space: space, file: os.NewFile(uintptr(fd), "netlink"), ended: make(chan struct{}), links: map[*subscription]bool{}, byIndex: map[int][]*subscription{}}
	go w.run()
	return w, nil
}

// run hands out the kernel's messages until the last subscription is closed.
func (w *linkSocket) run() {
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
			w.deliver(nil, true, nil)
		case failed != nil:
			err = failed
		case sender == nil || sender.Pid != nl.PidKernel:
		default:
			messages, parsed := syscall.ParseNetlinkMessage(buffer[:n])
			w.deliver(messages, parsed != nil, nil)
		}
	}
	w.deliver(nil, false, fmt.Errorf("following link changes: %w", err))
}

// deliver hands each message to the Links of its device, or tells all Links
// that messages were lost or that there will be no more.
func (w *linkSocket) deliver(messages []syscall.NetlinkMessage, lost bool, failed error) {
	linkSockets.mu.Lock()
	defer linkSockets.mu.Unlock()
	if !lost && failed == nil {
		for i := range messages {
			if m := &messages[i]; len(m.Data) >= unix.SizeofIfInfomsg {
				for _, n := range w.byIndex[int(nl.DeserializeIfInfomsg(m.Data).Index)] {
					n.add(messages[i:i+1], false, nil)
				}
			}
		}
		return
	}
	for n := range w.links {
		n.add(nil, lost, failed)
	}
}

// add queues messages for the Link, or records that some were lost or why there
// will be no more.
func (n *subscription) add(messages []syscall.NetlinkMessage, lost bool, failed error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	some := lost || failed != nil
	n.lost = n.lost || lost
	if failed != nil {
		n.failed = failed
	}
	for _, m := range messages {
		some = true
		if len(n.messages) == maxQueued {
			n.messages, n.lost = nil, true
			break
		}
		n.messages = append(n.messages, syscall.NetlinkMessage{Header: m.Header, Data: append([]byte(nil), m.Data[:unix.SizeofIfInfomsg]...)})
	}
	if some {
		n.ring()
	}
}

func (n *subscription) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// about subscribes to the device with that index from now on.
func (n *subscription) about(index int) {
	linkSockets.mu.Lock()
	defer linkSockets.mu.Unlock()
	n.forget()
	n.index = index
	n.socket.byIndex[index] = append(n.socket.byIndex[index], n)
}

func (n *subscription) forget() {
	of := n.socket.byIndex
	if of[n.index] = slices.DeleteFunc(of[n.index], func(o *subscription) bool { return o == n }); len(of[n.index]) == 0 {
		delete(of, n.index)
	}
}

// Receive waits for messages about the device, and gives their headers and
// struct ifinfomsg. ENOBUFS means that some were lost.
func (n *subscription) Receive() ([]syscall.NetlinkMessage, error) {
	for {
		n.mu.Lock()
		messages, lost, failed, closed := n.messages, n.lost, n.failed, n.closed
		n.messages, n.lost = nil, false
		n.mu.Unlock()
		switch {
		case closed:
			return nil, port.ErrClosed
		case lost:
			return nil, unix.ENOBUFS // the caller then asks for the state
		case len(messages) > 0:
			return messages, nil
		case failed != nil:
			return nil, failed
		}
		<-n.wake
	}
}

// Close ends the subscription and wakes Receive. The last one of a namespace
// closes its socket.
func (n *subscription) Close() {
	n.mu.Lock()
	n.closed = true
	n.ring()
	n.mu.Unlock()
	w := n.socket
	linkSockets.mu.Lock()
	known := w.links[n]
	delete(w.links, n)
	n.forget()
	last := known && len(w.links) == 0
	if last {
		delete(linkSockets.by, w.space)
	}
	linkSockets.mu.Unlock()
	if last {
		w.file.Close()
		<-w.ended
	}
}
