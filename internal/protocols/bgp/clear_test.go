package bgp

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/internal/protocols/bgp/bgptest"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/protocol"
)

// A clear hands the machine what it chooses, and what the neighbour is told.
func TestClear(t *testing.T) {
	noun := clearNeighborNoun()
	four := bgp.Clear{Address: netip.MustParseAddr("10.0.12.2"), Link: routing.NoInterface}
	said, soft := four, bgp.Clear{Address: netip.MustParseAddr("fe80::9"), Link: 3, Soft: true, In: true}
	said.Message = "back at nine"
	for text, want := range map[string]bgp.Clear{
		"neighbor=10.0.12.2":                      four,
		"neighbor=10.0.12.2&message=back+at+nine": said,
		"neighbor=fe80::9%25core1&soft=in":        soft,
	} {
		values, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		q, err := noun.Read(values)
		if err != nil {
			t.Fatal(err)
		}
		p := bgptest.New()
		answer, err := noun.Ask(t.Context(), p, q)
		if err != nil || answer != (ClearResult{1}) {
			t.Errorf("%s: %v, %v", text, answer, err)
		}
		if d := cmp.Diff([]protocol.Input{want}, p.Sent(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s sent (-want +got):\n%s", text, d)
		}
	}
	if _, err := noun.Read(url.Values{"message": {strings.Repeat("x", 256)}}); err == nil || !strings.Contains(err.Error(), "256 bytes, wanted at most 255") {
		t.Errorf("a message of 256 bytes: %v", err)
	}
}

// Remarks of neighbours that limits and BFD concern.
func TestRemarks(t *testing.T) {
	n := bgp.NeighborStatus{State: bgp.OpenConfirm, AwaitsBFD: true}
	if got := remark(&n); got != "BFD has not found it yet" {
		t.Errorf("one that waits for BFD: %q", got)
	}
	n = bgp.NeighborStatus{State: bgp.Established}
	n.Families[0] = bgp.FamilyStatus{Spoken: true, NearLimit: true, Counted: 8, Maximum: 10}
	if got := remark(&n); got != "8 prefixes, of at most 10" {
		t.Errorf("one that comes near its limit: %q", got)
	}
}
