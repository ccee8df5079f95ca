package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"routerd/internal/corpus"
	"routerd/internal/packet"
)

var reasons = []error{ErrShort, ErrVersion, ErrLength, ErrDetectMult, ErrMultipoint, ErrDiscriminator, ErrAuthLength}

// roundTrip checks what must hold of any octets: they are refused for a reason
// that has a name, or what they decode to is built again to the same octets,
// up to the secret.
func roundTrip(t *testing.T, raw []byte) (used bool) {
	t.Helper()
	var p, again Packet
	if err := Decode(raw, &p); err != nil {
		for _, r := range reasons {
			if errors.Is(err, r) {
				return false
			}
		}
		t.Fatalf("%x: refused by %v, which has no name", raw, err)
	}
	for a := AuthNone; a <= MeticulousKeyedSHA1+1; a++ {
		Verify(raw, Seal{Type: a, Secret: []byte("key")})
	}
	seal := Seal{Type: p.Auth.Type, KeyID: p.Auth.KeyID, Sequence: p.Auth.Sequence, Secret: []byte("key")}
	back := p.Append(nil, seal)
	if !p.Auth.Type.known() {
		p.Auth = Auth{}
		back = p.Append(nil, Seal{})
	}
	if err := Decode(back, &again); err != nil || again != p {
		t.Fatalf("%x: %+v, built and decoded again %+v, %v", raw, p, again, err)
	}
	if p.Auth.Type == AuthNone && raw[1]&bitAuth == 0 && !bytes.Equal(back[4:], raw[4:Size]) {
		t.Fatalf("built again:\n%x, want\n%x", back, raw)
	}
	return true
}

// Every captured packet gives the same octets again.
func TestCorpusPackets(t *testing.T) {
	packets := corpus.Hex(t, "bfd")
	if len(packets) < 3 {
		t.Fatalf("read %d packets, want at least 3", len(packets))
	}
	for _, raw := range packets {
		if !roundTrip(t, raw) {
			t.Errorf("%x: refused", raw)
			continue
		}
		var p Packet
		_ = Decode(raw, &p) // which roundTrip has done
		if p.Auth.Type == AuthNone && !bytes.Equal(p.Append(nil, Seal{}), raw) {
			t.Errorf("%x: built again %x", raw, p.Append(nil, Seal{}))
		}
	}
}

// What the captures carry to the ports of BFD is built again to the same, or
// refused for a reason that has a name.
func TestCorpusCaptures(t *testing.T) {
	used := 0
	for _, ip := range corpus.Packets(t) {
		if raw := bfdPayload(ip); raw != nil && roundTrip(t, raw) {
			used++
		}
	}
	t.Logf("%d packets used", used)
}

// bfdPayload gives what an IPv4 packet carries to a port of BFD.
func bfdPayload(ip []byte) []byte {
	if len(ip) < packet.IPv4MinHeader || ip[0]>>4 != 4 || ip[9] != packet.ProtoUDP {
		return nil
	}
	h := int(ip[0]&15) * 4
	if len(ip) < h+packet.UDPHeader {
		return nil
	}
	if port := binary.BigEndian.Uint16(ip[h+2:]); port != 3784 && port != 4784 {
		return nil
	}
	return ip[h+packet.UDPHeader:]
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(octets(f, g.raw))
	}
	for _, raw := range corpus.Hex(f, "bfd") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { roundTrip(t, raw) })
}
