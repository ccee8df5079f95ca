package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// rawSpeaker speaks BGP octet by octet, from a host of a lab: what no other speaker would
// send.
type rawSpeaker struct {
	t    *testing.T
	conn net.Conn
	mu   sync.Mutex
	// updates are how many UPDATEs came; notification is the last one's code, subcode
	// and data; over is how the connection ended, nil while it lives.
	updates      int
	notification []byte
	over         error
	done         chan struct{}
}

// The types of messages (RFC 4271 §4.1, RFC 2918).
const msgOpen, msgUpdate, msgNotification, msgKeepalive, msgRefresh = 1, 2, 3, 4, 5

// message is a message with its header.
func message(kind byte, body ...byte) []byte {
	head := slices.Repeat([]byte{0xff}, 16)
	head = binary.BigEndian.AppendUint16(head, uint16(19+len(body)))
	return append(append(head, kind), body...)
}

// openMessage is an OPEN with the capabilities of both families, of route refresh and of
// AS numbers of four octets.
func openMessage(as uint32, id string) []byte {
	caps := []byte{
		1, 4, 0, 1, 0, 1, // multiprotocol: IPv4 unicast
		1, 4, 0, 2, 0, 1, // IPv6 unicast
		2, 0, // route refresh
		65, 4, byte(as >> 24), byte(as >> 16), byte(as >> 8), byte(as),
	}
	short := uint16(as)
	if as > 0xffff {
		short = 23456 // AS_TRANS
	}
	body := binary.BigEndian.AppendUint16([]byte{4}, short)
	body = binary.BigEndian.AppendUint16(body, 90) // hold time
	body = append(body, netip.MustParseAddr(id).AsSlice()...)
	body = append(body, byte(2+len(caps)), 2, byte(len(caps))) // one parameter: capabilities
	return message(msgOpen, append(body, caps...)...)
}

// updateMessage is an UPDATE of IPv4 routes.
func updateMessage(withdrawn, attributes, nlri []byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	body = append(body, withdrawn...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(attributes)))
	return message(msgUpdate, slices.Concat(body, attributes, nlri)...)
}

// pathAttribute is one, whose length has two octets if the flags say so.
func pathAttribute(flags, code byte, value ...byte) []byte {
	if flags&0x10 != 0 {
		return append([]byte{flags, code, byte(len(value) >> 8), byte(len(value))}, value...)
	}
	return append([]byte{flags, code, byte(len(value))}, value...)
}

// nlri is a prefix on the wire.
func nlri(text string) []byte {
	p := netip.MustParsePrefix(text)
	return append([]byte{byte(p.Bits())}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
}

// dialFrom makes a TCP connection from a node.
func (b *bench) dialFrom(node, local, remote string) (net.Conn, error) {
	var conn net.Conn
	err := inNamespace(b.namespace(node), func() (err error) {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(local), 0)), Timeout: 5 * time.Second}
		conn, err = d.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(remote), 179).String())
		return err
	})
	return conn, err
}

// rawPeer brings a session up from a node: it dials until it is let in.
func (b *bench) rawPeer(node, local, remote string, as uint32) *rawSpeaker {
	b.t.Helper()
	r := &rawSpeaker{t: b.t}
	var last error
	within(b.t, 30*time.Second, fmt.Sprintf("a session of %s with %s", local, remote), func() bool {
		conn, err := b.dialFrom(node, local, remote)
		if err != nil {
			last = err
			time.Sleep(20 * time.Millisecond)
			return false
		}
		r.conn, r.over, r.notification, r.done = conn, nil, nil, make(chan struct{})
		if last = r.greet(as, local); last != nil {
			conn.Close()
			time.Sleep(100 * time.Millisecond)
			return false
		}
		go r.listen()
		go r.keep()
		return true
	})
	b.t.Cleanup(func() { r.conn.Close(); <-r.done })
	if last != nil {
		b.t.Fatal(last)
	}
	return r
}

// greet exchanges OPENs and first KEEPALIVEs.
func (r *rawSpeaker) greet(as uint32, id string) error {
	if _, err := r.conn.Write(openMessage(as, id)); err != nil {
		return err
	}
	for _, want := range []byte{msgOpen, msgKeepalive} {
		_ = r.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		kind, body, err := r.read()
		if err != nil || kind != want {
			return fmt.Errorf("message of type %d % x, want %d: %w", kind, body, want, err)
		}
		if kind == msgOpen {
			if _, err := r.conn.Write(message(msgKeepalive)); err != nil {
				return err
			}
		}
	}
	return r.conn.SetReadDeadline(time.Time{})
}

// read reads one message.
func (r *rawSpeaker) read() (kind byte, body []byte, err error) {
	var head [19]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint16(head[16:])-19)
	_, err = io.ReadFull(r.conn, body)
	return head[18], body, err
}

// listen counts what comes until the connection ends.
func (r *rawSpeaker) listen() {
	defer close(r.done)
	for {
		kind, body, err := r.read()
		r.mu.Lock()
		switch {
		case err != nil:
			r.over = err
		case kind == msgUpdate:
			r.updates++
		case kind == msgNotification:
			r.notification = body
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// keep keeps the session alive.
func (r *rawSpeaker) keep() {
	for {
		select {
		case <-r.done:
			return
		case <-time.After(time.Second):
			_, _ = r.conn.Write(message(msgKeepalive))
		}
	}
}

func (r *rawSpeaker) send(messages ...[]byte) {
	r.t.Helper()
	for _, m := range messages {
		if _, err := r.conn.Write(m); err != nil {
			r.t.Fatalf("writing % x: %v; %v", m, err, r.state())
		}
	}
}

// state is how the session ended, "" while it lives.
func (r *rawSpeaker) state() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.notification) > 1:
		return fmt.Sprintf("NOTIFICATION %d/%d", r.notification[0], r.notification[1])
	case errors.Is(r.over, io.EOF):
		return "closed"
	case r.over != nil:
		return r.over.Error()
	}
	return ""
}
