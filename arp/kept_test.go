package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/icmp"
)

// An address that the router had a moment ago is used at once, and asked for all
// the same; it is announced only when nobody has answered.
func TestKeptAddress(t *testing.T) {
	b, up := fresh(t, "2001:db8::1/64")
	linkLocal := netip.PrefixFrom(ourLL, linkLocalBits)
	up.Config.Kept = []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64"), linkLocal, netip.MustParsePrefix("2001:db8::99/64")}
	b.step(up)
	got := usableNow(b.out)
	slices.Sort(got)
	if want := []string{"2001:db8::1/64", linkLocal.String()}; !slices.Equal(got, want) {
		t.Errorf("usable at once: %v, want %v", got, want)
	}
	msgs, _ := parsed(t, b.out)
	if len(msgs) != 2 || msgs[0].Type != icmp.NeighborSolicitation6 || msgs[0].Src != nobody || len(msgs[0].Nonce) != nonceLen {
		t.Errorf("sent %+v, want one probe for each address and nothing else", msgs)
	}
	if b.step(ns(peer6, peerMAC)); len(of[SendFrame](b.out)) == 0 {
		t.Error("a neighbour that asks for the address gets no answer")
	}
	msgs, _ = parsed(t, b.pass(retransTimer+time.Millisecond))
	msgs = slices.DeleteFunc(msgs, func(m Message) bool { return m.Type != icmp.NeighborAdvertisement6 })
	if len(msgs) != 2 || !msgs[0].Override {
		t.Errorf("advertised %+v after %v, want each address announced", msgs, retransTimer)
	}
	if len(of[AddressDuplicate](b.out)) != 0 {
		t.Errorf("found %v", b.out)
	}
	// It is an address like others from now on: a claim is a conflict.
	if b.step(na(our6, newMAC, false, true)); len(of[Conflict](b.out)) != 1 || len(of[AddressDuplicate](b.out)) != 0 {
		t.Errorf("a claim after that: did %v, want it reported", b.out)
	}
}

// Somebody else who has the address by now, or wants it, ends it as if it had
// never been used.
func TestKeptAddressIsSomebodyElses(t *testing.T) {
	claim := na(our6, newMAC, false, true)
	for _, after := range []time.Duration{0, retransTimer / 2} {
		b, up := fresh(t, "2001:db8::1/64")
		up.Config.Kept = up.Config.Addresses
		b.step(up)
		b.pass(after)
		b.step(claim)
		d := of[AddressDuplicate](b.out)
		if len(d) != 1 || d[0].Prefix.Addr() != our6 || d[0].MAC != newMAC {
			t.Fatalf("after %v an answer to the probe: did %v, want the address given up", after, b.out)
		}
		all := b.pass(time.Minute)
		if got := usableNow(all); slices.Contains(got, "2001:db8::1/64") {
			t.Errorf("the address is usable again: %v", got)
		}
		if b.step(ns(peer6, peerMAC)); len(of[SendFrame](b.out)) != 0 {
			t.Error("answers for an address that somebody else has")
		}
	}
}
