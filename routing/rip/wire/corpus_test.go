package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/routing/keys"
)

// Every captured packet gives the same octets again.
func TestCorpusPackets(t *testing.T) {
	packets := corpus.Hex(t, "rip")
	if len(packets) < 4 {
		t.Fatalf("read %d packets, want at least 4", len(packets))
	}
	for _, raw := range packets {
		var p Packet
		if err := RIP.Decode(raw, &p); err != nil || len(p.Refused) > 0 {
			t.Errorf("%x: %v, refused %v", raw, err, p.Refused)
			continue
		}
		if back := RIP.Append(nil, &p, Seal{}); !bytes.Equal(back, raw) {
			t.Errorf("built again:\n%x, want\n%x", back, raw)
		}
	}
}

// What the captures carry to or from the ports of RIP and RIPng is built again
// to the same octets, or refused for a reason that has a name.
func TestCorpusCaptures(t *testing.T) {
	known := []error{
		ErrShort, ErrLength, ErrCommand, ErrVersion, ErrReserved, ErrTooMany, ErrAuthPlace, ErrAuthType, ErrTrailer,
	}
	decoded := 0
	for _, ip := range corpus.Packets(t) {
		protocol, raw := udpPayload(ip)
		if raw == nil {
			continue
		}
		var p Packet
		if err := protocol.Decode(raw, &p); err != nil {
			named := false
			for _, k := range known {
				named = named || errors.Is(err, k)
			}
			if !named {
				t.Errorf("%v %x: refused by %v, which has no name", protocol, raw, err)
			}
			continue
		}
		decoded++
		if len(p.Refused) > 0 || p.Auth.Type != AuthNone {
			continue
		}
		if back := protocol.Append(nil, &p, Seal{}); !bytes.Equal(back, raw) {
			t.Errorf("%v, built again:\n%x, want\n%x", protocol, back, raw)
		}
	}
	if decoded < 4 {
		t.Errorf("%d packets of RIP in the captures, want at least 4", decoded)
	}
}

// udpPayload gives what an IP packet carries to or from a port of RIP or
// RIPng, nil if nothing.
func udpPayload(ip []byte) (Protocol, []byte) {
	var udp []byte
	switch {
	case len(ip) > 20 && ip[0]>>4 == 4 && ip[9] == packet.ProtoUDP && ip[6]&0x3f == 0 && ip[7] == 0 && len(ip) > int(ip[0]&15)*4:
		udp = ip[int(ip[0]&15)*4:]
	case len(ip) > 40 && ip[0]>>4 == 6 && ip[6] == packet.ProtoUDP:
		udp = ip[40:]
	}
	if len(udp) < 8 || int(udp[4])<<8|int(udp[5]) < 8 {
		return RIP, nil
	}
	udp = udp[:min(len(udp), int(udp[4])<<8|int(udp[5]))]
	for protocol, port := range map[Protocol]uint16{RIP: 520, RIPng: 521} {
		if uint16(udp[0])<<8|uint16(udp[1]) == port || uint16(udp[2])<<8|uint16(udp[3]) == port {
			return protocol, udp[8:]
		}
	}
	return RIP, nil
}

// vectors gives the vectors of both protocols, each under its protocol and name.
func vectors(tb testing.TB) map[string][]byte {
	tb.Helper()
	m := map[string][]byte{}
	for _, protocol := range []string{"ripv2", "ripng"} {
		for name, raw := range corpus.Vectors(tb, protocol) {
			m[protocol+" "+name] = raw
		}
	}
	return m
}

// What each vector decodes to, or why it is refused.
func TestCorpusVectors(t *testing.T) {
	seal := Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Sequence: 69, Secret: []byte("HOLO")}
	want := map[string]struct {
		err     error
		packet  Packet
		refused map[int]error
	}{
		"ripng REQUEST1": {packet: Packet{Command: Request, Version: 1, Whole: true}},
		"ripng RESPONSE2": {packet: Packet{Command: Response, Version: 1, Entries: []Entry{
			{Prefix: pfx("2001:db8:1000::/64"), NextHop: addr("fe80::50bf:cfff:febe:9999"), Metric: 1},
		}}},
		"ripng RESPONSE3": {err: ErrVersion},
		"ripng RESPONSE4": {err: ErrCommand},
		"ripng RESPONSE5": {
			packet:  Packet{Command: Response, Version: 1},
			refused: map[int]error{0: ErrPrefix, 1: ErrBits, 2: ErrMetric},
		},
		"ripv2 REQUEST1": {packet: Packet{Command: Request, Version: 2, Whole: true}},
		// Its authors speak version 2 only and refuse it for being version 1
		// before they see that it is an octet too long.
		"ripv2 RESPONSE2": {err: ErrLength},
		"ripv2 RESPONSE3": {err: ErrCommand},
		// Its authors refuse entry 2 for its next hop, 127.0.0.1, which RFC
		// 2453 §4.4 wants treated as none: not for the codec to decide.
		"ripv2 RESPONSE4": {
			packet: Packet{Command: Response, Version: 2, Entries: []Entry{
				{Prefix: pfx("10.0.3.0/24"), NextHop: addr("127.0.0.1"), Metric: 3},
			}},
			refused: map[int]error{0: ErrFamily, 1: ErrPrefix, 3: ErrMetric},
		},
		"ripv2 RESPONSE5": {packet: Packet{
			Command: Response, Version: 2, Auth: Auth{AuthCryptographic, 1, 69},
			Entries: []Entry{
				{Prefix: pfx("1.1.1.1/32"), Metric: 1},
				{Prefix: pfx("3.3.3.3/32"), Metric: 2},
				{Prefix: pfx("10.0.1.0/24"), Metric: 1},
				{Prefix: pfx("10.0.2.0/24"), Metric: 1},
				{Prefix: pfx("10.0.4.0/24"), Metric: 2},
			},
		}},
	}
	got := vectors(t)
	if len(got) != len(want) {
		t.Errorf("%d vectors, want %d", len(got), len(want))
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			protocol := RIP
			if name[:5] == "ripng" {
				protocol = RIPng
			}
			raw := got[name]
			var p Packet
			if err := protocol.Decode(raw, &p); !errors.Is(err, w.err) {
				t.Fatalf("got %v, want %v", err, w.err)
			}
			if w.err != nil {
				return
			}
			refused := reasons(&p)
			if len(refused) != len(w.refused) {
				t.Errorf("refused %v, want %v", refused, w.refused)
			}
			for i, err := range w.refused {
				if !errors.Is(refused[i], err) {
					t.Errorf("entry %d refused for %v, want %v", i, refused[i], err)
				}
			}
			p.Refused = nil
			if d := cmp.Diff(w.packet, p, same); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			s := Seal{}
			if p.Auth.Type != AuthNone {
				if s = seal; !Verify(raw, s) {
					t.Error("does not verify")
				}
			}
			if back := protocol.Append(nil, &p, s); w.refused == nil && !bytes.Equal(back, raw) {
				t.Errorf("built again:\n%x, want\n%x", back, raw)
			}
		})
	}
}
