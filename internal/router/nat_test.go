package router

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/nat"
	"routerd/routing"
)

func masquerading() Config {
	cfg := twoLANs()
	cfg.NAT.Source = []nat.SourceRule{{Name: "out", Match: nat.Match{Outbound: []string{"lan1"}}}}
	return cfg
}

// send has the worker of lan0 carry one packet from h1, and gives the source
// that it leaves by lan1 with.
func (b *bench) send(port uint16) netip.Addr {
	b.t.Helper()
	raw, err := dataplane.Probe{
		Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr("10.0.2.2"), Proto: packet.ProtoUDP, SrcPort: port, DstPort: 9,
	}.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	b.ports["lan0"].Inject(memory.Packet{Data: raw})
	if err := b.worker["lan0"].Once(func() time.Time { return now }); err != nil {
		b.t.Fatal(err)
	}
	sent := b.ports["lan1"].Take()
	if len(sent) != 1 {
		b.t.Fatalf("%d packets left by lan1, want one", len(sent))
	}
	return packet.IPv4(sent[0].Data).Src()
}

func TestNATLivesThroughReloads(t *testing.T) {
	b := newBench(t)
	inside, outside := netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.2.1")
	if got := b.send(1000); got != inside || b.router.NAT() != nil || b.router.View().NAT != nil {
		t.Fatalf("without rules a packet leaves from %s, and there is a NAT: %v", got, b.router.NAT() != nil)
	}
	b.commit(masquerading())
	if got := b.send(1000); got != outside {
		t.Errorf("leaves from %s, want %s", got, outside)
	}
	more := masquerading()
	more.NAT.Source = append([]nat.SourceRule{{Name: "first", Match: nat.Match{Outbound: []string{"lan0"}}}}, more.NAT.Source...)
	b.commit(more)
	if n := b.router.NAT().Sessions().Len(); n != 1 {
		t.Errorf("%d sessions after a reload that left their rule alone, want 1", n)
	}

	if impact, err := b.router.Prepare(twoLANs()); err != nil || impact.Ends != 1 || !slices.Equal(impact.Removed, []string{"source first", "source out"}) {
		t.Errorf("taking the rules away is said to do %+v (%v), want both removed and one session ended", impact, err)
	}

	bad := masquerading()
	bad.NAT.Source[0].Match.Outbound = []string{"nowhere"}
	if _, err := b.router.Prepare(bad); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("a rule for an interface that does not exist: %v, want it refused by name", err)
	}
	if err := b.router.Commit(bad, now); err == nil {
		t.Error("a rule for an interface that does not exist was committed")
	}
	if got := b.send(1000); got != outside {
		t.Errorf("after a refused configuration it leaves from %s, want %s", got, outside)
	}

	b.commit(twoLANs())
	if got := b.send(1000); got != inside || b.router.NAT().Sessions().Len() != 0 {
		t.Errorf("without rules it leaves from %s, with %d sessions; want %s and none", got, b.router.NAT().Sessions().Len(), inside)
	}
}

// TestPrepareRefusesWhatHasNoNumber: an interface that Commit could not number
// is refused while everything is as it was.
func TestPrepareRefusesWhatHasNoNumber(t *testing.T) {
	b := newBench(t)
	b.router.next = routing.NoInterface
	cfg := twoLANs()
	if _, err := b.router.Prepare(cfg); err != nil {
		t.Errorf("interfaces that have their numbers: %v", err)
	}
	cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, dataplane.InterfaceConfig{Name: "one-more", Kind: dataplane.KindTUN})
	if _, err := b.router.Prepare(cfg); err == nil || !strings.Contains(err.Error(), "one-more") {
		t.Errorf("one interface too many: %v, want it refused by name", err)
	}
}

// TestPrepareUsesNoNumbers: whoever only asks, or is refused, again and again
// with other names, leaves all numbers to the interfaces that come.
func TestPrepareUsesNoNumbers(t *testing.T) {
	b := newBench(t)
	next := b.router.next
	for i := range 3 * int(routing.NoInterface) / 1000 {
		cfg := masquerading()
		for n := range 1000 {
			cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, dataplane.InterfaceConfig{Name: fmt.Sprintf("x%d-%d", i, n), Kind: dataplane.KindLoopback})
		}
		if _, err := b.router.Prepare(cfg); err != nil {
			t.Fatalf("asked for the %d. time: %v", i+1, err)
		}
	}
	if b.router.next != next || b.router.NAT() != nil {
		t.Errorf("next number %d, translation %v; want %d and none", b.router.next, b.router.NAT(), next)
	}
	more := masquerading()
	more.Dataplane.Interfaces = append(more.Dataplane.Interfaces, dataplane.InterfaceConfig{Name: "late", Kind: dataplane.KindLoopback})
	b.commit(more)
	if b.router.next != next+1 {
		t.Errorf("next number %d after one more interface, want %d", b.router.next, next+1)
	}
}

// TestNATSessionsEnd: the router's owner, who polls by its deadline, ends what
// nobody uses.
func TestNATSessionsEnd(t *testing.T) {
	b := newBench(t)
	if d := b.router.Deadline(); !d.IsZero() {
		t.Errorf("something is due at %v without translation", d)
	}
	b.commit(masquerading())
	b.send(1000)
	at, polls := now, 0
	for polls = range 4 * 310 {
		if b.router.NAT().Sessions().Len() == 0 {
			break
		}
		at = b.router.Deadline()
		if _, err := b.router.Poll(at); err != nil {
			t.Fatal(err)
		}
	}
	if idle := at.Sub(now); b.router.NAT().Sessions().Len() != 0 || idle < 5*time.Minute || idle > 5*time.Minute+time.Second {
		t.Errorf("after %d polls and %v there are %d sessions; want it to end after 5 minutes", polls, idle, b.router.NAT().Sessions().Len())
	}
}

// TestNATFollowsAddresses: nothing is masqueraded by an address that somebody
// else turns out to have.
func TestNATFollowsAddresses(t *testing.T) {
	b := newBench(t)
	cfg := masquerading()
	lan1 := &cfg.Dataplane.Interfaces[1]
	first := netip.MustParsePrefix("10.0.7.1/24")
	lan1.Addresses = append([]dataplane.Address{{Prefix: first}}, lan1.Addresses...)
	b.commit(cfg)
	if got := b.send(2000); got != first.Addr() {
		t.Fatalf("leaves from %s, want %s, the first address", got, first.Addr())
	}
	id := b.router.View().Named("lan1").ID
	if err := b.router.AddressEvent(arp.AddressDuplicate{Interface: id, Prefix: first}, now); err != nil {
		t.Fatal(err)
	}
	if got, want := b.send(2000), netip.MustParseAddr("10.0.2.1"); got != want {
		t.Errorf("leaves from %s, want %s: the first address is somebody else's", got, want)
	}
}
