package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settleBGP waits until every speaker has learned what it shall, and nothing else.
func (b *bgpBench) settleBGP(limit time.Duration, want map[string]bgpTable) {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for name, table := range want {
		for {
			diff := cmp.Diff(table, b.table(name))
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				b.t.Fatalf("within %v %s, %s, has learned (-want +got)\n%s\n%s", limit, name, b.plan.seat(name).make, diff, b.say())
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// say is what every speaker says of its sessions, for a test that failed.
func (b *bgpBench) say() string {
	var out strings.Builder
	for i := range b.plan.seats {
		s := &b.plan.seats[i]
		question := map[bgpMake]string{
			makeRouterd:  "routerd show bgp; routerd show bgp neighbor; routerd show bgp route",
			makeBIRD:     "birdc show protocols all",
			makeFRR:      "vtysh -c 'show bgp summary' -c 'show bgp neighbors'",
			makeGoBGP:    "gobgp neighbor",
			makeOpenBGPD: "bgpctl -s " + b.dirs[s.name] + "/bgpd.sock show",
			makeExaBGP:   "grep -v update " + b.dirs[s.name] + "/heard",
		}[s.make]
		text, _ := b.Run(b.t.Context(), s.name, question)
		out.WriteString("== " + s.name + "\n" + string(text))
		if s.make == makeRouterd {
			out.WriteString(b.log(s.name))
		}
	}
	return out.String()
}

// star has a speaker r in the middle of one of each other make, each in an AS of its own.
func star(middle bgpMake, change func(x *bgpNet)) *bgpPlan {
	p := &bgpPlan{seats: []bgpSeat{{name: "r", make: middle, as: 65001}}}
	for _, m := range []bgpMake{makeBIRD, makeFRR, makeGoBGP, makeOpenBGPD, makeExaBGP} {
		n := len(p.seats) + 1
		s := bgpSeat{name: string(m)[:1], make: m, as: 65000 + n}
		for _, form := range []string{"172.%d.0.0/16", "2001:db8:%d00::/48"} {
			s.routes = append(s.routes, bgpRoute{prefix: fmt.Sprintf(form, n)})
		}
		for _, form := range []string{"192.168.%d.0/24", "2001:db8:%d01::/64"} {
			s.routes = append(s.routes, bgpRoute{prefix: fmt.Sprintf(form, n), rich: true})
		}
		p.seats = append(p.seats, s)
		x := bgpNet{seats: [2]string{"r", s.name}}
		change(&x)
		p.nets = append(p.nets, x)
	}
	return p
}

// starTables is what each speaker of a star learns.
func (p *bgpPlan) starTables() map[string]bgpTable {
	all := map[string]bgpTable{}
	for i := range p.seats {
		all[p.seats[i].name] = bgpTable{}
	}
	for i := range p.seats {
		s := &p.seats[i]
		for _, route := range s.routes {
			family := familyOf(route.prefix)
			r := s.known(route)
			for net := range p.nets {
				end := p.nets[net].seats[1]
				switch {
				case s.name == "r":
					r.Hop = p.address("r", net+1, family)
					all[end][route.prefix] = r
				case end == s.name:
					r.Hop = p.address(end, net+1, family)
					all["r"][route.prefix] = r
				default:
					passed := r
					passed.Path, passed.MED = fmt.Sprintf("%d %s", p.seats[0].as, r.Path), 0
					passed.Hop = p.address("r", net+1, family)
					all[end][route.prefix] = passed
				}
			}
		}
	}
	return all
}

// known is a route as the speaker's neighbours in another AS have it, without its next hop.
func (s *bgpSeat) known(route bgpRoute) bgpKnown {
	if route.rich {
		as := s.as
		return bgpKnown{
			Path: richPath(as), Origin: "egp", MED: bgpMED, Communities: fmt.Sprintf("%d:1 %d:2", as, as),
			Extended: fmt.Sprintf("RT:%d:7", as), Large: fmt.Sprintf("%d:1:2", as),
		}
	}
	r := bgpKnown{Path: fmt.Sprint(s.as), Origin: "igp"}
	if s.make == makeGoBGP { // by itself
		r.Origin = "incomplete"
	}
	return r
}

// Routes of five other makes reach each of them by way of a speaker in the middle, with
// all of their attributes, whoever dials; with and without MD5 (RFC 2385) and a lowest TTL
// (RFC 5082).
func TestBGPPeers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(x *bgpNet)
	}{
		{"they dial", func(x *bgpNet) { x.passive = "r" }},
		{"they are dialled, with MD5 and a lowest TTL", func(x *bgpNet) {
			x.passive, x.password, x.security = x.seats[1], bgpSecret, true
			switch x.seats[1] {
			case "o": // on Linux it has neither for connections that it accepts
				x.passive = "r"
			case "e": // nor has this one
				x.password, x.security = "", false
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := star(makeRouterd, c.change)
			b := newBGPBench(t, p)
			settled := p.starTables()
			b.settleBGP(60*time.Second, settled)
			if c.name == "they dial" {
				b.refresh()
				b.killAll(settled)
			}
		})
	}
}
