package arp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/icmp"
)

func testRA() *RAConfig {
	c := DefaultRA([]netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}, []netip.Addr{our6})
	c.LinkMTU = 1400
	return &c
}

func withRA(_ *Config, i *InterfaceConfig) { i.RA = testRA() }

// adverts gives the router advertisements that pass d sends, with their times.
func adverts(b *bench, d time.Duration) (msgs []Message, at []time.Time) {
	end := b.now.Add(d)
	for next := b.m.Deadline(); !next.IsZero() && !next.After(end); next = b.m.Deadline() {
		b.now = next
		b.step(Tick{})
		all, _ := parsed(b.t, b.out)
		for _, m := range all {
			if m.Type == icmp.RouterAdvertisement6 {
				msgs, at = append(msgs, m), append(at, b.now)
			}
		}
	}
	b.now = end
	return msgs, at
}

func rs(src netip.Addr, mac MAC) Received {
	f := AppendEthernet(nil, MulticastMAC(AllRouters), peerMAC, EtherTypeIPv6)
	return Received{eth0, AppendRouterSolicitation(f, src, AllRouters, mac)}
}

func TestNoRouterAdvertisementsByDefault(t *testing.T) {
	b := newBench(t)
	b.step(rs(LinkLocal(peerMAC), peerMAC))
	if msgs, _ := adverts(b, time.Hour); len(msgs) != 0 {
		t.Errorf("sent %v, not being configured to (RFC 4861 §6.2.1)", msgs)
	}
	if b.state(LinkLocal(peerMAC)) != Absent {
		t.Errorf("a neighbour unused for an hour is %v", b.state(LinkLocal(peerMAC)))
	}
}

func TestRouterAdvertisements(t *testing.T) {
	b, up := fresh(t, "2001:db8::1/64")
	up.Config.RA = testRA()
	b.step(up)
	msgs, at := adverts(b, 6*time.Hour)
	if len(msgs) < 36 || len(msgs) > 6*3600/198+4 {
		t.Fatalf("%d advertisements in six hours", len(msgs))
	}
	for i, m := range msgs {
		if m.Src != ourLL || m.Dst != AllNodes || m.LinkAddress != ourMAC || m.MTU != 1400 ||
			m.Header.Lifetime != 1800*time.Second || m.Header.HopLimit != 64 || m.Header.Managed || m.Header.Other {
			t.Fatalf("advertised %+v", m)
		}
		if i == 0 {
			continue
		}
		gap := at[i].Sub(at[i-1])
		switch {
		case i < maxInitialRAs && gap > maxInitialRAInterval:
			t.Errorf("initial advertisement %d came after %v, at most %v", i, gap, maxInitialRAInterval)
		case i >= maxInitialRAs && (gap < 198*time.Second || gap > 600*time.Second):
			t.Errorf("advertisement %d came after %v, want 198 s to 600 s", i, gap)
		}
	}
	for p := range msgs[0].Prefixes {
		if !p.OnLink || !p.Autonomous || p.Valid != 720*time.Hour || p.Preferred != 168*time.Hour {
			t.Errorf("prefix %+v", p)
		}
	}
}

func TestRouterSolicitations(t *testing.T) {
	b := newBench(t, withRA)
	adverts(b, time.Hour) // past the initial ones
	b.now = b.m.Deadline().Add(-100 * time.Second)
	start := b.now
	for range 5 { // many ask, one answer is enough
		b.step(rs(LinkLocal(peerMAC), peerMAC))
	}
	if s := b.state(LinkLocal(peerMAC)); s != Stale {
		t.Errorf("who solicited is %v, want stale", s)
	}
	msgs, at := adverts(b, 5*time.Second)
	if len(msgs) != 1 || at[0].Sub(start) > maxRADelay {
		t.Fatalf("%d answers at %v, want one within %v", len(msgs), at, maxRADelay)
	}
	b.now = at[0].Add(time.Second)
	b.step(rs(nobody, MAC{}))
	_, second := adverts(b, 5*time.Second)
	if len(second) != 1 || second[0].Sub(at[0]) < minDelayBetweenRAs {
		t.Errorf("the next answer came at %v, want one at least %v after the first", second, minDelayBetweenRAs)
	}
}

func TestCeaseAdvertising(t *testing.T) {
	stopped := func(name string, in Input) {
		b := newBench(t, withRA)
		b.step(in)
		msgs, _ := parsed(t, b.out)
		if len(msgs) != 1 || msgs[0].Header.Lifetime != 0 {
			t.Errorf("%s: sent %+v, want a last advertisement with lifetime 0 (RFC 4861 §6.2.5)", name, msgs)
		}
		if msgs, _ := adverts(b, time.Hour); len(msgs) != 0 {
			t.Errorf("%s: still advertises", name)
		}
	}
	b := newBench(t)
	stopped("configured off", InterfaceUp{eth0, b.m.ifaces[eth0].InterfaceConfig})
	stopped("going down", InterfaceDown{eth0, true})
	b = newBench(t, withRA)
	if b.step(InterfaceDown{Interface: eth0}); len(of[SendFrame](b.out)) != 0 {
		t.Error("sends by an interface that is gone")
	}
}

func TestAdvertiseChange(t *testing.T) {
	b := newBench(t, withRA)
	adverts(b, time.Hour)
	c := b.m.ifaces[eth0].InterfaceConfig
	if b.step(InterfaceUp{eth0, c}); len(b.out) != 0 {
		t.Errorf("the same again: did %v", b.out)
	}
	ra := testRA()
	ra.Managed = true
	c.RA = ra
	b.step(InterfaceUp{eth0, c})
	if msgs, _ := adverts(b, minDelayBetweenRAs); len(msgs) != 1 || !msgs[0].Header.Managed {
		t.Errorf("after a change sent %+v, want it soon (RFC 4861 §6.2.4)", msgs)
	}
}

func TestCheckRA(t *testing.T) {
	if err := testRA().Check(); err != nil {
		t.Errorf("the default: %v", err)
	}
	for name, f := range map[string]func(*RAConfig){
		"max-interval":   func(c *RAConfig) { c.MaxInterval = 3 * time.Second },
		"min-interval":   func(c *RAConfig) { c.MinInterval = 451 * time.Second },
		"lifetime":       func(c *RAConfig) { c.DefaultLifetime = 599 * time.Second },
		"long lifetime":  func(c *RAConfig) { c.DefaultLifetime = 9001 * time.Second },
		"reachable-time": func(c *RAConfig) { c.ReachableTime = 2 * time.Hour },
		"mtu":            func(c *RAConfig) { c.LinkMTU = 1279 },
		"IPv4 prefix":    func(c *RAConfig) { c.Prefixes[0].Prefix = netip.MustParsePrefix("192.0.2.0/24") },
		"link-local":     func(c *RAConfig) { c.Prefixes[0].Prefix = netip.MustParsePrefix("fe80::/64") },
		"preferred":      func(c *RAConfig) { c.Prefixes[0].Preferred = Infinite },
		"IPv4 server":    func(c *RAConfig) { c.RDNSS = []netip.Addr{our4} },
		"many prefixes":  func(c *RAConfig) { c.Prefixes = make([]PrefixInformation, maxRAPrefixes+1) },
		"many servers":   func(c *RAConfig) { c.RDNSS = make([]netip.Addr, maxRDNSS+1) },
	} {
		c := testRA()
		f(c)
		if c.Check() == nil {
			t.Errorf("%s: %+v passes", name, c)
		}
	}
	c := testRA()
	c.DefaultLifetime = 0
	if err := c.Check(); err != nil {
		t.Errorf("no default router: %v", err)
	}
	// What Check lets pass fits into one packet (RFC 6980 §5).
	big := RouterAdvertisement{Source: ourMAC, MTU: 1500, Prefixes: make([]PrefixInformation, maxRAPrefixes), RDNSS: make([]netip.Addr, maxRDNSS)}
	for i := range big.Prefixes {
		big.Prefixes[i].Prefix = netip.MustParsePrefix("2001:db8::/64")
	}
	for i := range big.RDNSS {
		big.RDNSS[i] = our6
	}
	if n := len(AppendRouterAdvertisement(nil, ourLL, AllNodes, &big)); n > 1280 {
		t.Errorf("the largest advertisement has %d bytes", n)
	}
}

// RFC 4191 §2.1 and §2.2: two bits of the flags, 01 high, 11 low, and 00 where
// the router is no default router; who hears the reserved 10 takes it for medium.
func TestRouterPreference(t *testing.T) {
	for _, c := range []struct {
		preference, read Preference
		lifetime         time.Duration
		flags            byte
	}{
		{PreferenceHigh, PreferenceHigh, time.Minute, 0x08},
		{PreferenceMedium, PreferenceMedium, time.Minute, 0},
		{PreferenceLow, PreferenceLow, time.Minute, 0x18},
		{PreferenceHigh, PreferenceMedium, 0, 0},
		{PreferenceLow, PreferenceMedium, 0, 0},
	} {
		raw := AppendRouterAdvertisement(nil, LinkLocal(peerMAC), AllNodes, &RouterAdvertisement{
			RouterHeader: RouterHeader{Lifetime: c.lifetime, Preference: c.preference},
		})
		m, err := Parse(raw)
		if err != nil || raw[45] != c.flags || m.Header.Preference != c.read {
			t.Errorf("%v for %v: flags %#x, want %#x; read as %v (%v), want %v", c.preference, c.lifetime, raw[45], c.flags, m.Header.Preference, err, c.read)
		}
	}
	if got := preferenceOf(0x10); got != PreferenceMedium {
		t.Errorf("the reserved value is read as %v", got)
	}
}
