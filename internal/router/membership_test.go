package router

import (
	"net/netip"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// What an Ethernet interface listens to is reported when it comes up, when a
// protocol joins or leaves a group, and when the link's querier asks.
func TestGroupsAreReported(t *testing.T) {
	b, _, id := ethernet(t)
	m := b.router.Membership()
	port := b.router.Port("eth0").(station).Port
	at := now
	reported := func() map[string]int {
		for m.Inbox.Poll(m, at) {
		}
		return reports(port)
	}
	link := arp.LinkLocal(arp.MAC(b.router.View().Named("eth0").MAC))
	if got := reported(); got["224.0.0.22"] != 0 || got["ff02::16"] != 1 {
		t.Errorf("at the start: reports %v, want one by IPv6, for all routers and the address to be: %v", got, link)
	}
	at = at.Add(time.Second)
	reported()

	rip := netip.MustParseAddr("224.0.0.9")
	b.router.listening.on(id).Join(rip)
	if err := b.router.takeUp([]any{groupsChanged{id}}, at); err != nil {
		t.Fatal(err)
	}
	if got := reported(); got["224.0.0.22"] != 1 {
		t.Errorf("a group joined while running: reports %v, want one by IPv4", got)
	}
	at = at.Add(time.Minute)
	reported()

	query := packet.IPv4{0x46, 0, 0, 32, 0, 0, 0, 0, 1, packet.ProtoIGMP, 0, 0, 10, 0, 5, 9, 224, 0, 0, 1, 0x94, 4, 0, 0, 0x11, 10, 0xee, 0xf5, 0, 0, 0, 0}
	query.FillChecksum()
	if b.router.View().Membership.Receive(&dataplane.Received{In: id, Packet: query, Transport: 24}) != verdict.HandedToProtocol {
		t.Fatal("a query is not taken")
	}
	reported() // takes it up
	at = at.Add(time.Second)
	if got := reported(); got["224.0.0.9"] != 1 { // IGMPv2's query, and so its report
		t.Errorf("asked: reports %v, want IGMPv2's of 224.0.0.9", got)
	}
	b.router.listening.on(id).Leave(rip)
	if err := b.router.takeUp([]any{groupsChanged{id}}, at); err != nil {
		t.Fatal(err)
	}
	if got := reported(); got["224.0.0.2"] != 1 {
		t.Errorf("a group left while running: reports %v, want a leave", got)
	}
	if err := b.router.Detach("eth0", at); err != nil {
		t.Fatal(err)
	}
	reported()
	if d := m.Deadline(); !d.IsZero() {
		t.Errorf("on an interface without a port something is due at %v", d)
	}
}

// reports gives how many group membership messages have left by p to each
// destination.
func reports(p *memory.Port) map[string]int {
	to := map[string]int{}
	for _, f := range p.Take() {
		e := arp.Ethernet(f.Data)
		switch e.Type() {
		case arp.EtherTypeIPv4:
			if ip := packet.IPv4(e.Payload()); ip.Protocol() == packet.ProtoIGMP && e.Dst() == arp.MulticastMAC(ip.Dst()) {
				to[ip.Dst().String()]++
			}
		case arp.EtherTypeIPv6:
			if ip := packet.IPv6(e.Payload()); ip.NextHeader() == packet.ProtoHopByHop && e.Dst() == arp.MulticastMAC(ip.Dst()) {
				to[ip.Dst().String()]++
			}
		}
	}
	return to
}
