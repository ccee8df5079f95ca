package localstack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/routing"
	"routerd/routing/protocol"
)

// cables is links each of which has fe80::1 and, at its other end, nobody. The
// first one is described when held is closed.
type cables struct {
	held chan struct{}
	sent chan routing.InterfaceID
}

func (c cables) Describe(link routing.InterfaceID) (string, int, []netip.Prefix, bool) {
	if link == 1 {
		<-c.held
	}
	return fmt.Sprintf("cable%d", link), 1500, []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}, link < 9
}

func (c cables) Open(routing.InterfaceID, func([]byte) bool) (func(), error) { return func() {}, nil }

func (c cables) Send(link routing.InterfaceID, packets [][]byte, _ time.Time) {
	for _, p := range packets {
		if p[6] == 6 { // TCP
			select {
			case c.sent <- link:
			default:
			}
		}
	}
}

// bridged has the streams of a pair go by links.
func bridged(t *testing.T) (*pair, cables) {
	p := newPair(t)
	c := cables{held: make(chan struct{}), sent: make(chan routing.InterfaceID, 16)}
	p.streams.links = c
	return p, c
}

// device waits for a device of a link in the namespace.
func (p *pair) device(name string) {
	p.t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err = device.InNamespace(p.here, func() error { _, err := net.InterfaceByName(name); return err }); err == nil {
			return
		}
	}
	p.t.Fatalf("waiting for device %s: %v", name, err)
}

func linkLocalPeer(link routing.InterfaceID) protocol.StreamPeer {
	return protocol.StreamPeer{Remote: netip.MustParsePrefix("fe80::2/128"), Link: link}
}

// A peer that is added while the listener is put up has its link too.
func TestLinkOfAPeerThatComesMeanwhile(t *testing.T) {
	p, c := bridged(t)
	l := p.listen(protocol.Listen{Local: at("[::]:179"), Peers: []protocol.StreamPeer{linkLocalPeer(1)}})
	time.Sleep(20 * time.Millisecond) // the listener waits for the first link; nothing else tells so
	p.client.Carry(protocol.SetPeer{ID: l, StreamPeer: linkLocalPeer(2)})
	time.Sleep(20 * time.Millisecond)
	close(c.held)
	p.device("cable1")
	p.device("cable2")
	p.client.Carry(protocol.SetPeer{ID: l, StreamPeer: linkLocalPeer(3)})
	p.device("cable3")
	p.client.Carry(protocol.SetPeer{ID: l, StreamPeer: linkLocalPeer(9)})
	if err := p.closed(l); !errors.Is(err, errNoLink) {
		t.Errorf("a peer on a link that is not there: %v", err)
	}
}

// What is dialled on a link leaves by that link.
func TestDialOnALink(t *testing.T) {
	p, c := bridged(t)
	close(c.held)
	for _, link := range []routing.InterfaceID{2, 1} {
		id := p.dial(protocol.Dial{Local: at("[fe80::1]:4000"), Remote: at("[fe80::2]:179"), Link: link})
		select {
		case got := <-c.sent:
			if got != link {
				t.Errorf("dialled on link %d, sent by link %d", link, got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("waiting for a first segment on link %d: nothing was sent", link)
		}
		p.client.Carry(protocol.CloseStream{ID: id})
	}
	for _, id := range []protocol.StreamID{
		p.dial(protocol.Dial{Remote: at("[fe80::2]:179"), Link: 9}),
		p.listen(protocol.Listen{Local: at("[fe80::1]:179"), Link: routing.NoInterface}),
	} {
		if err := p.closed(id); !errors.Is(err, errNoLink) {
			t.Errorf("on a link that is not there: %v", err)
		}
	}
}
