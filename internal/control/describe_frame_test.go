package control

import "testing"

func TestDescribeFrame(t *testing.T) {
	lldp := []byte{0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x02, 0, 0, 0, 0, 0x09, 0x88, 0xcc, 1, 2}
	for n, want := range map[int]string{
		16: "Ethernet 02:00:00:00:00:09 > 01:80:c2:00:00:0e type 0x88cc, 60 bytes",
		14: "Ethernet 02:00:00:00:00:09 > 01:80:c2:00:00:0e type 0x88cc, 60 bytes",
		13: "Ethernet, cut off, 60 bytes",
		0:  "Ethernet, cut off, 60 bytes",
	} {
		if got := DescribeFrame(lldp[:n], 60); got != want {
			t.Errorf("of %d bytes: %q, want %q", n, got, want)
		}
	}
	tagged := append(append(append([]byte(nil), lldp[:12]...), 0x88, 0xa8, 0xa0, 7, 0x81, 0x00, 0x00, 42), 0x08, 0x00)
	for n, want := range map[int]string{
		22: "Ethernet 02:00:00:00:00:09 > 01:80:c2:00:00:0e VLAN 7 priority 5 VLAN 42 priority 0 type 0x0800, 68 bytes",
		18: "Ethernet 02:00:00:00:00:09 > 01:80:c2:00:00:0e VLAN 7 priority 5 type 0x8100, 68 bytes",
		17: "Ethernet 02:00:00:00:00:09 > 01:80:c2:00:00:0e type 0x88a8, 68 bytes",
	} {
		if got := DescribeFrame(tagged[:n], 68); got != want {
			t.Errorf("of %d tagged bytes: %q, want %q", n, got, want)
		}
	}
}
