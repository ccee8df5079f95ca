package corpus

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestHex(t *testing.T) {
	got := Hex(t, "ipv4-fragments")
	if len(got) < 20 {
		t.Fatalf("read %d packets of ipv4-fragments, want at least 20", len(got))
	}
	for i, p := range got {
		if len(p) == 0 || p[0]>>4 != 4 {
			t.Errorf("packet %d is not IPv4: % x", i, p)
		}
	}
}

func TestPackets(t *testing.T) {
	var four, six int
	for _, p := range Packets(t) {
		switch p[0] >> 4 {
		case 4:
			four++
		case 6:
			six++
		}
	}
	if four < 500 || six < 200 {
		t.Fatalf("read %d IPv4 and %d IPv6 packets of the captures, want at least 500 and 200", four, six)
	}
}

func TestNetwork(t *testing.T) {
	tests := []struct {
		name string
		link int
		head []byte
		want bool
	}{
		{"ethernet", 1, []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x00}, true},
		{"ethernet, ARP", 1, []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x06}, false},
		{"VLAN 5", 1, []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x81, 0x00, 0, 5, 0x86, 0xdd}, true},
		{"raw", 101, nil, true},
		{"BSD null", 0, []byte{2, 0, 0, 0}, true},
		{"unknown link", 147, nil, false},
	}
	for _, test := range tests {
		frame := append(test.head, 0x45, 0x00)
		for n := range frame { // cut short anywhere: no panic
			_ = network(1, frame[:n])
		}
		got := network(layers.LinkType(test.link), frame)
		if (len(got) == 2 && got[0] == 0x45) != test.want {
			t.Errorf("%s: network = % x, want the packet: %v", test.name, got, test.want)
		}
	}
}

// The messages of the MRT files begin with BGP's marker and are as long as they say.
func TestBGPMessages(t *testing.T) {
	list := BGPMessages(t)
	if len(list) < 10_000 {
		t.Fatalf("read %d messages, want at least 10000", len(list))
	}
	four := 0
	for _, m := range list {
		if len(m.Octets) < 19 || m.Octets[0] != 0xff || m.Octets[15] != 0xff || int(m.Octets[16])<<8|int(m.Octets[17]) != len(m.Octets) {
			t.Fatalf("%s: a message of %d octets: % x", m.File, len(m.Octets), m.Octets)
		}
		if m.FourOctetAS {
			four++
		}
	}
	if four == 0 || four == len(list) {
		t.Errorf("%d of %d messages with AS numbers of four octets, want some of both", four, len(list))
	}
}

func TestExaBGPMessages(t *testing.T) {
	unicast := 0
	for _, m := range ExaBGPMessages(t) {
		if len(m.Announce) > 0 && m.Attributes.Origin != "" && len(m.Octets) > 23 {
			unicast++
		}
	}
	if unicast < 20 {
		t.Errorf("%d messages that announce unicast prefixes with an origin, want at least 20", unicast)
	}
}

func TestPrefixes(t *testing.T) {
	if list := Prefixes(t); len(list) < 900_000 || !list[0].Addr().Is4() {
		t.Errorf("read %d prefixes, want at least 900000", len(list))
	}
	if list := Table(t); len(list) < 1_060_000 || !list[len(list)-1].Addr().Is6() {
		t.Errorf("read %d prefixes of both families, want at least 1060000", len(list))
	}
}
