package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/internal/control"
	"routerd/internal/protocols/rip"
	"routerd/routing/rip/wire"
)

// fork is a site whose router reaches 10.9.0.1 by two hosts, each on an Ethernet
// of its own. Both have that address, and count the datagrams that come to it.
type fork struct {
	*site
	behind [2]string // their namespaces
	at     [2]net.PacketConn
	from   [64]net.PacketConn // a flow each
}

func newFork(t *testing.T) *fork {
	t.Helper()
	f := &fork{site: newSite(t)}
	core := f.core(0)
	f.behind = [2]string{f.hosts[1], f.hosts[1] + "b"}
	for _, ns := range []string{core, f.behind[1]} {
		f.must("ip", "netns", "add", ns)
		t.Cleanup(func() { f.must("ip", "netns", "del", ns) })
	}
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24"], routes = ["0.0.0.0/0"] }
[[static.route]]
prefix = "10.9.0.1/32"
next-hop = ["10.0.20.2", "10.0.21.2"]
`, f.socket(), f.hosts[0])
	for i, ns := range f.behind {
		device := fmt.Sprintf("core%d", i)
		f.must("ip", "link", "add", device, "netns", core, "type", "veth", "peer", "name", "eth0", "netns", ns)
		for _, args := range []string{
			fmt.Sprintf("address add 10.0.2%d.2/24 dev eth0", i), "address add 10.9.0.1/32 dev lo",
			"link set lo up", "link set eth0 up", fmt.Sprintf("route add default via 10.0.2%d.1", i),
		} {
			f.must(append([]string{"ip", "-n", ns}, strings.Fields(args)...)...)
		}
		text += fmt.Sprintf("[interface.%s]\nkind = \"packet\"\nnetns = %q\naddresses = [\"10.0.2%d.1/24\"]\n", device, core, i)
	}
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	hosts := f.hosts
	for i, ns := range f.behind {
		f.hosts[1] = ns
		f.within(1, func() (err error) { f.at[i], err = net.ListenPacket("udp4", "10.9.0.1:5000"); return err })
		t.Cleanup(func() { f.at[i].Close() })
	}
	f.hosts = hosts
	for i := range f.from {
		f.within(0, func() (err error) { f.from[i], err = net.ListenPacket("udp4", "10.0.1.2:0"); return err })
		t.Cleanup(func() { f.from[i].Close() })
	}
	return f
}

// round sends a datagram of each flow and says how many came to either host
// until a quarter of a second has been silent.
func (f *fork) round() (by [2]int) {
	f.t.Helper()
	to := f.at[0].LocalAddr()
	for _, c := range f.from {
		// A refused connection is told here: some may be the answer to an earlier one.
		if _, err := c.WriteTo([]byte{1}, to); err != nil {
			_, _ = c.WriteTo([]byte{1}, to)
		}
	}
	for i, c := range f.at {
		for b := [1]byte{}; by[i] <= len(f.from); by[i]++ {
			if err := c.SetReadDeadline(time.Now().Add(250 * time.Millisecond)); err != nil {
				f.t.Fatal(err)
			}
			if _, _, err := c.ReadFrom(b[:]); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				f.t.Fatal(err)
			}
		}
	}
	return by
}

// silence has the host in a namespace be deaf to what is sent to it, and mute,
// while its eth0 keeps the carrier, until revive is called.
func (s *site) silence(ns string) (revive func()) {
	s.t.Helper()
	_, after, ok := strings.Cut(s.must("ip", "-n", ns, "-o", "link", "show", "dev", "eth0"), "link/ether ")
	if !ok {
		s.t.Fatalf("eth0 of %s has no link address", ns)
	}
	mac := strings.Fields(after)[0]
	s.must("ip", "-n", ns, "link", "set", "eth0", "address", "02:00:00:00:de:ad", "arp", "off")
	return func() { s.must("ip", "-n", ns, "link", "set", "eth0", "address", mac, "arp", "on") }
}

// A next hop that dies while its link keeps the carrier is found out by ARP and
// passed over, and is used again when it lives.
func TestSilentNextHopIsPassedOver(t *testing.T) {
	f := newFork(t)
	wait(t, "both next hops to be used", func() error {
		if by := f.round(); by[0] == 0 || by[1] == 0 || by[0]+by[1] != len(f.from) {
			return fmt.Errorf("%d and %d of %d datagrams came by the two", by[0], by[1], len(f.from))
		}
		return nil
	})
	revive := f.silence(f.behind[0])
	died := time.Now()
	// Otherwise it is in doubt after 15 to 45 s, and used for 5 s more before it is asked.
	if _, err := f.client().ClearNeighbors(t.Context(), control.NeighborQuery{Address: mustAddr("10.0.20.2")}); err != nil {
		t.Fatal(err)
	}
	for {
		by := f.round()
		if by[0] == 0 && by[1] == len(f.from) {
			break
		}
		if time.Since(died) > 20*time.Second {
			t.Fatalf("20 s after one of two next hops died %d and %d of %d datagrams come by the two", by[0], by[1], len(f.from))
		}
	}
	t.Logf("passed over %v after it died", time.Since(died).Round(time.Millisecond))
	list, err := f.client().Neighbors(t.Context(), control.NeighborQuery{Address: mustAddr("10.0.20.2")})
	if err != nil || len(list.Neighbors) != 1 || list.Neighbors[0].MAC != "" || list.Neighbors[0].State == "reachable" {
		t.Errorf("the dead next hop is shown as %+v (%v), want one line without a MAC address", list.Neighbors, err)
	}
	page, err := f.client().FIB(t.Context(), control.FIBQuery{For: mustAddr("10.9.0.1")})
	if err != nil || len(page.Entries) != 1 || len(page.Entries[0].NextHops) != 2 ||
		!slices.Equal(page.Entries[0].NextHops[0].Dead, []string{"neighbor"}) || page.Entries[0].NextHops[1].Dead != nil {
		t.Errorf("the forwarding table has %+v (%v), want two next hops of which the first is dead by its neighbor", page.Entries, err)
	}
	// While it is asked once more it is incomplete for a moment.
	wait(t, "the first of two neighbours to be explained as failed", func() error {
		x, err := f.client().ExplainRoute(t.Context(), mustAddr("10.9.0.1"))
		if err != nil || len(x.Neighbors) != 2 || x.Neighbors[0].State != control.NeighborFailed || x.Neighbors[1].State == control.NeighborFailed {
			return fmt.Errorf("%+v (%v)", x.Neighbors, err)
		}
		return nil
	})
	for range 10 {
		if by := f.round(); by[1] != len(f.from) {
			t.Errorf("%d and %d of %d datagrams came by the two, while one is dead", by[0], by[1], len(f.from))
		}
	}
	revive()
	back := time.Now()
	for {
		by := f.round()
		if by[0]+by[1] != len(f.from) {
			t.Errorf("%d and %d of %d datagrams came by the two, while one comes back", by[0], by[1], len(f.from))
		}
		if by[0] > 0 {
			break
		}
		if time.Since(back) > 40*time.Second {
			t.Fatal("40 s after it came back no datagram goes by that next hop")
		}
	}
	t.Logf("used again %v after it came back", time.Since(back).Round(time.Millisecond))
}

// RIP hears that a neighbour does not answer ARP, and gives its routes up long
// before they time out.
func TestSilentNeighborIsLostToRIP(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24"}, "addresses = [\"10.0.2.1/24\"]\n[rip.interface.core0]\n")
	s.start()
	s.in(1, "ip", "route", "add", "default", "via", "10.0.2.1")
	speaker := newSpeaker(t, s.hosts[1], "10.0.2.2", wire.Seal{})
	c := s.client()
	learned := func() bool {
		t.Helper()
		page, err := control.Get[rip.RoutePage](t.Context(), c, "rip/route", nil)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(page.Routes, func(r rip.Route) bool {
			return r.Prefix == netip.MustParsePrefix("10.9.0.0/24") && r.Metric < wire.Infinity
		})
	}
	wait(t, "the route to be learned", func() error {
		speaker.say("10.9.0.0/24", 1)
		if !learned() {
			return errors.New("there is none")
		}
		return nil
	})
	s.silence(s.hosts[1])
	if _, err := c.ClearNeighbors(t.Context(), control.NeighborQuery{Address: mustAddr("10.0.2.2")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the route to be given up", func() error {
		_ = s.ping(0, "10.9.0.1") // which nobody answers
		if learned() {
			return errors.New("it is still there")
		}
		return nil
	})
}
