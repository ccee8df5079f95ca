package flow

import (
	"net/netip"
	"testing"
)

func TestAddressRange(t *testing.T) {
	for _, c := range []struct{ prefix, first, last string }{
		{"10.0.1.0/24", "10.0.1.0", "10.0.1.255"},
		{"10.0.1.77/31", "10.0.1.76", "10.0.1.77"},
		{"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
		{"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
		{"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"192.0.2.1/32", "192.0.2.1", "192.0.2.1"},
	} {
		p := netip.MustParsePrefix(c.prefix)
		r := RangeOf(p)
		if want := (AddressRange{First: netip.MustParseAddr(c.first), Last: netip.MustParseAddr(c.last)}); r != want {
			t.Errorf("%s: %s to %s, want %s to %s", c.prefix, r.First, r.Last, c.first, c.last)
		}
		want := p.Masked().String()
		if p.IsSingleIP() {
			want = c.first
		}
		if got := r.String(); got != want {
			t.Errorf("%s is written %s, want %s", c.prefix, got, want)
		}
	}
	if r := RangeOf(netip.Prefix{}); r != (AddressRange{}) {
		t.Errorf("no prefix covers %s", r)
	}
	odd := AddressRange{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.0.6")}
	if got := odd.String(); got != "10.0.0.1-10.0.0.6" {
		t.Errorf("written %s", got)
	}
}

func TestPortRange(t *testing.T) {
	r := PortRange{First: 80, Last: 89}
	if r.String() != "80-89" || (PortRange{First: 80, Last: 80}).String() != "80" || r.Size() != 10 || (PortRange{Last: 65535}).Size() != 65536 {
		t.Errorf("%s has %d ports", r, r.Size())
	}
	for o, want := range map[PortRange]bool{r: true, {First: 81, Last: 81}: true, {First: 79, Last: 80}: false, {First: 89, Last: 90}: false} {
		if r.Holds(o) != want {
			t.Errorf("%s in %s: %v", o, r, !want)
		}
	}
}
