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
}
