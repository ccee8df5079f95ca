package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// reflected is an AS whose routers b, f and g have sessions with r alone; b and f are its
// clients. The networks of all are known to all by static routes.
func reflected() *bgpPlan {
	p := &bgpPlan{seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65001, hosts: true}}}
	for _, m := range []bgpMake{makeBIRD, makeFRR, makeGoBGP} {
		n := len(p.seats) + 1
		name := string(m)[:1]
		p.seats = append(p.seats, bgpSeat{name: name, make: m, as: 65001, routes: []bgpRoute{
			{prefix: fmt.Sprintf("172.%d.0.0/16", n)}, {prefix: fmt.Sprintf("2001:db8:%d00::/48", n)},
		}})
		x := bgpNet{seats: [2]string{"r", name}}
		if m != makeGoBGP {
			x.client = name
		}
		p.nets = append(p.nets, x)
	}
	p.seat("b").more = "protocol static far4 { ipv4; route 10.0.2.0/24 via 10.0.1.1; route 10.0.3.0/24 via 10.0.1.1; }\n" +
		"protocol static far6 { ipv6; route 2001:db8:2::/64 via 2001:db8:1::1; route 2001:db8:3::/64 via 2001:db8:1::1; }\n"
	p.seat("f").more = "ip route 10.0.1.0/24 10.0.2.1\nip route 10.0.3.0/24 10.0.2.1\n" +
		"ipv6 route 2001:db8:1::/64 2001:db8:2::1\nipv6 route 2001:db8:3::/64 2001:db8:2::1\n"
	return p
}

// A route reflector (RFC 4456): clients of two makes have each other's routes, and those of
// one that is no client, which has theirs. Next hops stay as they were, and what was
// reflected says by whom.
func TestBGPReflection(t *testing.T) {
	t.Parallel()
	p := reflected()
	b := newBGPBench(t, p)
	want := map[string]bgpTable{"r": {}}
	for net, x := range p.nets {
		s := p.seat(x.seats[1])
		for _, route := range s.routes {
			r := bgpKnown{Hop: p.address(s.name, net+1, familyOf(route.prefix)), Origin: s.known(route).Origin}
			for _, to := range []string{"r", "b", "f", "g"} {
				if want[to] == nil {
					want[to] = bgpTable{}
				}
				if to != s.name {
					want[to][route.prefix] = r
				}
			}
		}
	}
	b.settleBGP(60*time.Second, want)
	for node, ask := range map[string]string{
		"b": "birdc show route 172.3.0.0/16 all",
		"f": "vtysh -c 'show bgp ipv4 unicast 172.2.0.0/16'",
		"g": "gobgp global rib 172.2.0.0/16",
	} {
		said := b.run(node, ask)
		originator := map[string]string{"b": "10.255.0.3", "f": "10.255.0.2", "g": "10.255.0.2"}[node]
		for _, words := range []string{originator, "10.255.0.1"} { // the originator, and the cluster
			if !strings.Contains(said, words) {
				t.Errorf("%s does not say %s of a route that was reflected:\n%s", node, words, said)
			}
		}
	}
	b.kill("b")
	delete(want, "b")
	for _, table := range want {
		delete(table, "172.2.0.0/16")
		delete(table, "2001:db8:200::/48")
	}
	b.settleBGP(30*time.Second, want)
}

// IPv4 routes with next hops of IPv6 (RFC 8950), and neighbours that BFD watches: hosts of
// IPv4 reach each other over links that only use IPv6, and a neighbour whose link is cut
// without a word is lost within BFD's time.
func TestBGPExtendedNextHop(t *testing.T) {
	t.Parallel()
	p := &bgpPlan{seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65001, hosts: true}}}
	for _, m := range []bgpMake{makeBIRD, makeFRR} {
		p.seats = append(p.seats, bgpSeat{name: string(m)[:1], make: m, as: 65000 + len(p.seats) + 1, hosts: true})
		p.nets = append(p.nets, bgpNet{seats: [2]string{"r", string(m)[:1]}, extended: true, bfd: true})
	}
	want := map[string]bgpTable{"r": {}, "b": {}, "f": {}}
	for i := range p.seats {
		p.seats[i].routes = []bgpRoute{{prefix: fmt.Sprintf("10.%d.0.0/24", 101+i)}, {prefix: fmt.Sprintf("2001:db8:%d00::/64", i+1)}}
	}
	for name, table := range p.starTables() {
		for prefix, r := range table {
			if familyOf(prefix) == 4 { // its next hop is that of the other family
				r.Hop = table[strings.Replace(strings.Replace(prefix, "10.10", "2001:db8:", 1), ".0.0/24", "00::/64", 1)].Hop
			}
			want[name][prefix] = r
		}
	}
	b := newBGPBench(t, p)
	b.settleBGP(60*time.Second, want)
	within(t, 30*time.Second, "h1, h2 and h3 reach each other", func() bool {
		for _, line := range []string{"ping -c 1 -W 1 10.102.0.2 && ping -c 1 -W 1 10.103.0.2 && ping -c 1 -W 1 2001:db8:200::2"} {
			if _, err := b.Run(t.Context(), "h1", line); err != nil {
				return false
			}
		}
		_, err := b.Run(t.Context(), "h2", "ping -c 1 -W 1 10.103.0.2")
		return err == nil
	})
	for net, node := range []string{"b", "f"} {
		local := p.address(node, net+1, 6)
		within(t, 30*time.Second, "BFD watches "+node, func() bool { return b.bench.sessions("r")[local].State == "up" })
		b.run(node, "nft 'table inet cut { chain in { type filter hook prerouting priority -400; drop; }; chain out { type filter hook output priority -400; drop; }; }'")
		begin := time.Now()
		within(t, 20*time.Second, "the session with "+node+" is down", func() bool { return b.neighbors("r")[local].State != "established" })
		if took := time.Since(begin); took > bgpHold*time.Second/2 {
			t.Errorf("the session with %s lived for %v after the cut, want it gone long before its hold time of %d s", node, took, bgpHold)
		}
	}
}
