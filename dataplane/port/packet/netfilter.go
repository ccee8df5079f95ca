package packet

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// netfilter is the netfilter socket of one namespace, to which the tables of
// all ports of that namespace belong. Ports share it because the kernel, when a
// socket is closed, removes the tables that are left and waits some 20 ms for
// every processor, one socket of a namespace after the other (nft_rcv_nl_event
// of net/netfilter/nf_tables_api.c). Removing a table by a transaction waits
// for nothing.
type netfilter struct {
	namespace device.Identity
	users     int // ports, open or about to be; guarded by netfilters

	mu   sync.Mutex // guards what follows: one transaction at a time
	fd   int
	next uint32          // the sequence number of the next message
	left map[string]bool // devices whose table could not be removed
}

// netfilters are the open sockets. Each keeps its namespace alive, so that no
// other namespace can get its identity.
var netfilters = struct {
	sync.Mutex
	of map[device.Identity]*netfilter
}{of: make(map[device.Identity]*netfilter)}

// shareNetfilter gives the socket of the calling thread's namespace, which has
// the given identity. The caller has to release it.
func shareNetfilter(identity device.Identity) (*netfilter, error) {
	netfilters.Lock()
	defer netfilters.Unlock()
	n := netfilters.of[identity]
	if n == nil {
		fd, err := openNetfilter()
		if err != nil {
			return nil, err
		}
		n = &netfilter{namespace: identity, fd: fd, next: 1, left: make(map[string]bool)}
		netfilters.of[identity] = n
	}
	n.users++
	return n, nil
}

func openNetfilter() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return -1, err
	}
	// The kernel answers at once; this only keeps a fault from waiting for
	// ever.
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// release gives the socket back. The last one closes it, outside the lock,
// since that takes time and should not hold up other namespaces.
func (n *netfilter) release() (last bool, err error) {
	netfilters.Lock()
	n.users--
	last = n.users == 0
	if last {
		delete(netfilters.of, n.namespace)
	}
	netfilters.Unlock()
	if last {
		err = unix.Close(n.fd)
	}
	return last, err
}

// install makes the table of a device, in one transaction.
func (n *netfilter) install(device string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	changes := creation(device)
	if n.left[device] {
		changes = append(removal(device), changes...)
	}
	err := n.transact(changes)
	if err == nil {
		delete(n.left, device)
	}
	return err
}

// remove removes the table of a device that install made. If that fails, the
// table is removed when the device is silenced again, or with the socket.
func (n *netfilter) remove(device string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.transact(removal(device))
	if err != nil {
		n.left[device] = true
	}
	return err
}

// change is one message of a transaction, about tables of devices.
type change struct {
	kind, flags uint16
	body        []byte
}

// transact has the kernel make all of the changes or none.
func (n *netfilter) transact(changes []change) error {
	batch := encode(changes, n.next)
	begun, last := n.next, uint32(len(changes))
	n.next += last + 2
	if err := unix.Sendto(n.fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	return n.await(begun, last)
}

// firstMessage is the place in a transaction of the message that begins it.
const firstMessage = 0

// refusal is the kernel's error to one message of the transaction.
type refusal struct {
	unix.Errno
	message uint32 // its place in the transaction
}

func (r refusal) Unwrap() error { return r.Errno }

// await reads answers to the transaction that began with sequence number begun,
// until there is an error or message last is accepted. Answers to an earlier
// transaction that was refused may still be in the socket.
func (n *netfilter) await(begun, last uint32) error {
	b := make([]byte, 8192)
	for {
		size, _, err := unix.Recvfrom(n.fd, b, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for m := b[:size]; len(m) >= unix.SizeofNlMsghdr+4; {
			size := int(native.Uint32(m))
			if size < unix.SizeofNlMsghdr+4 || size > len(m) {
				break
			}
			place := native.Uint32(m[8:]) - begun
			if native.Uint16(m[4:]) == unix.NLMSG_ERROR && place <= last {
				if code := int32(native.Uint32(m[unix.SizeofNlMsghdr:])); code != 0 {
					return refusal{unix.Errno(-code), place}
				}
				if place == last {
					return nil
				}
			}
			m = m[min(align4(size), len(m)):]
		}
	}
}

// encode makes a batch of changes, whose sequence numbers begin with begun. The
// last one is acknowledged.
func encode(changes []change, begun uint32) (batch []byte) {
	add := func(m change, family uint8, resource uint16) {
		batch = native.AppendUint32(batch, uint32(unix.SizeofNlMsghdr+4+len(m.body)))
		batch = native.AppendUint16(batch, m.kind)
		batch = native.AppendUint16(batch, m.flags|unix.NLM_F_REQUEST)
		batch = native.AppendUint32(batch, begun)
		batch = native.AppendUint32(batch, 0) // the kernel's port
		batch = append(batch, family, 0)      // struct nfgenmsg
		batch = binary.BigEndian.AppendUint16(batch, resource)
		batch = append(batch, m.body...)
		begun++
	}
	add(change{kind: unix.NFNL_MSG_BATCH_BEGIN}, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	for i, m := range changes {
		if i == len(changes)-1 {
			m.flags |= unix.NLM_F_ACK
		}
		add(m, unix.NFPROTO_NETDEV, 0)
	}
	add(change{kind: unix.NFNL_MSG_BATCH_END}, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	return batch
}

var native = binary.NativeEndian

func align4(n int) int { return (n + 3) &^ 3 }

// attribute is a netlink attribute, padded to where the next one begins.
func attribute(kind uint16, data []byte) []byte {
	b := native.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(data)))
	b = native.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, align4(len(data))-len(data))...)
}

func text(kind uint16, s string) []byte { return attribute(kind, append([]byte(s), 0)) }

// number is in network byte order, as nf_tables wants all of its own.
func number(kind uint16, n uint32) []byte {
	return attribute(kind, binary.BigEndian.AppendUint32(nil, n))
}

func nest(kind uint16, parts ...[]byte) []byte {
	return attribute(kind|unix.NLA_F_NESTED, join(parts...))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
