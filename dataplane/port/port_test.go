package port

import "testing"

func TestOffloadsTake(t *testing.T) {
	for _, tt := range []struct {
		name string
		has  Offloads
		off  Offload
		want bool
	}{
		{"a plain frame needs nothing", 0, Offload{}, true},
		{"a partial checksum needs the offload", 0, Offload{NeedsChecksum: true}, false},
		{"and has it", OffloadChecksum, Offload{NeedsChecksum: true}, true},
		{"TCP over IPv4 is not TCP over IPv6", OffloadTCP6, Offload{GSO: GSOTCPv4}, false},
		{"TCP over IPv4", OffloadTCP4, Offload{GSO: GSOTCPv4}, true},
		{"TCP over IPv6", OffloadTCP6, Offload{GSO: GSOTCPv6}, true},
		{"UDP", OffloadUDP, Offload{GSO: GSOUDPL4}, true},
		{"UDP without", OffloadTCP4 | OffloadTCP6, Offload{GSO: GSOUDPL4}, false},
		{"segments without checksums", OffloadTCP4, Offload{GSO: GSOTCPv4, NeedsChecksum: true}, false},
		{"everything", OffloadAll, Offload{GSO: GSOTCPv6, NeedsChecksum: true}, true},
	} {
		if got := tt.has.Takes(tt.off); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFrame(t *testing.T) {
	f := Frame{Buf: make([]byte, BufferSize), Offload: Offload{GSO: GSOUDPL4}, Failed: true, Next: &Frame{}}
	f.Reset()
	if f.Len() != 0 || f.Start != Headroom || f.Failed || f.Next != nil || f.Offload != (Offload{}) {
		t.Errorf("after Reset: %+v", f.Offload)
	}
	f.End = f.Start + copy(f.Buf[f.Start:], "abc")
	if string(f.Bytes()) != "abc" || f.Len() != 3 {
		t.Errorf("holds %q", f.Bytes())
	}
}
