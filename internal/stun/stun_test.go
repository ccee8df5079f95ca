package stun

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pion/stun/v3"
)

// answer is a Binding success to 192.0.2.1:32853, after RFC 5769 §2.2 in the
// part that is used here.
var answer = []byte{
	0x01, 0x01, 0x00, 0x24, // success, 36 bytes of attributes
	0x21, 0x12, 0xa4, 0x42, // the cookie
	0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, // the transaction
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, // XOR-MAPPED-ADDRESS
	0x80, 0x2b, 0x00, 0x08, 0x00, 0x01, 0x0d, 0x96, 0xcb, 0x00, 0x71, 0x02, // RESPONSE-ORIGIN 203.0.113.2:3478
	0x80, 0x2c, 0x00, 0x08, 0x00, 0x01, 0x0d, 0x97, 0xcb, 0x00, 0x71, 0x03, // OTHER-ADDRESS 203.0.113.3:3479
}

var answered = message{
	kind:   stun.BindingSuccess,
	id:     transaction{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae},
	mapped: netip.MustParseAddrPort("192.0.2.1:32853"),
	origin: netip.MustParseAddrPort("203.0.113.2:3478"),
	other:  netip.MustParseAddrPort("203.0.113.3:3479"),
}

var comparing = []cmp.Option{cmp.AllowUnexported(message{}), cmpopts.EquateComparable(netip.AddrPort{})}

func TestMessage(t *testing.T) {
	got, err := parse(answer)
	if diff := cmp.Diff(answered, got, comparing...); err != nil || diff != "" {
		t.Errorf("read with %v:\n%s", err, diff)
	}
	if b, err := answered.marshal(); err != nil || !bytes.Equal(b, answer) {
		t.Errorf("written as % x (%v)\nwant       % x", b, err, answer)
	}
	for n := range answer {
		if _, err := parse(answer[:n]); err == nil {
			t.Errorf("%d bytes of %d are read without complaint", n, len(answer))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer)
	request, err := (&message{kind: stun.BindingRequest, change: changePort}).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		written, err := m.marshal()
		if err != nil {
			t.Fatalf("% x cannot be written again: %v", b, err)
		}
		again, err := parse(written)
		if diff := cmp.Diff(m, again, comparing...); err != nil || diff != "" {
			t.Errorf("% x, written and read again (%v):\n%s", b, err, diff)
		}
	})
}

// Without a NAT everything is independent of the remote endpoint.
func TestWithoutNAT(t *testing.T) {
	s, err := Serve(netip.MustParseAddrPort("127.0.0.2:34780"), netip.MustParseAddrPort("127.0.0.3:34790"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, find := range map[string]func(*net.UDPConn, netip.AddrPort) (Behavior, error){"mapping": Mapping, "filtering": Filtering} {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if b, err := find(c, s.at[0][0]); err != nil || b != EndpointIndependent {
			t.Errorf("%s: %v (%v), want endpoint-independent", what, b, err)
		}
		if a, err := Mapped(c, s.at[1][1]); err != nil || a.String() != c.LocalAddr().String() {
			t.Errorf("seen as %s (%v), is %s", a, err, c.LocalAddr())
		}
	}
}

func TestServeWantsTwoOfEach(t *testing.T) {
	for _, other := range []string{"127.0.0.2:1", "127.0.0.3:34780"} {
		if s, err := Serve(netip.MustParseAddrPort("127.0.0.2:34780"), netip.MustParseAddrPort(other)); err == nil {
			s.Close()
			t.Errorf("serves at 127.0.0.2:34780 and %s", other)
		}
	}
}
