package lab

import (
	"fmt"
	"slices"
	"strings"
)

// bgpPlan is a network of BGP speakers, each of which any make can be: the same is said
// to each in its own words.
type bgpPlan struct {
	seats []bgpSeat
	nets  []bgpNet
}

// bgpMake is who made a speaker.
type bgpMake string

const (
	makeRouterd  bgpMake = "routerd"
	makeBIRD     bgpMake = "bird"
	makeFRR      bgpMake = "frr"
	makeGoBGP    bgpMake = "gobgpd"
	makeOpenBGPD bgpMake = "openbgpd"
	makeExaBGP   bgpMake = "exabgp"
	makeRaw      bgpMake = "raw" // a host, for a rawSpeaker
)

// kind is what its node in the lab is: those that the lab does not know run on a host,
// behind a switch of their own.
func (m bgpMake) kind() Kind {
	switch m {
	case makeRouterd:
		return KindRouter
	case makeBIRD:
		return KindBIRD
	case makeFRR:
		return KindFRR
	}
	return KindHost
}

// bgpSeat is one speaker. Its number, from 1, is the last part of its router ID
// 10.255.0.N and of its addresses.
type bgpSeat struct {
	name   string
	make   bgpMake
	as     int
	routes []bgpRoute
	more   string // what it is told besides, in its own words
	hosts  bool   // it has a host of its own, hN, for both families
}

// bgpRoute is a route that a speaker originates.
type bgpRoute struct {
	prefix string
	rich   bool // with all attributes that richly says
}

// bgpNet is a network between two speakers, which have a session of each family over it
// with the routes of that family. It is 10.0.L.0/24 and 2001:db8:L::/64 by its number,
// from 1, and ethL everywhere.
type bgpNet struct {
	seats    [2]string
	password string
	security bool   // RFC 5082
	passive  string // the speaker that does not dial
	paths    bool   // both send and take several paths (RFC 7911)
	client   string // the one that is a client of the other's reflection
	// both families' routes go over the session of IPv6, with next hops of IPv6 (RFC 8950).
	extended bool
	bfd      bool
	restart  bool // both keep the other's routes while it restarts (RFC 4724)
	// words are what a speaker is told of the other one besides, in its own words; shown
	// is the AS that the other one knows it by, if it is another one.
	words map[string]string
	shown map[string]int
}

// The timers of all sessions, in seconds.
const bgpHold, bgpKeepalive, bgpRetry = 9, 3, 1

func (p *bgpPlan) seat(name string) *bgpSeat { return &p.seats[p.number(name)-1] }

func (p *bgpPlan) number(name string) int {
	return 1 + slices.IndexFunc(p.seats, func(s bgpSeat) bool { return s.name == name })
}

func (p *bgpPlan) id(name string) string { return fmt.Sprintf("10.255.0.%d", p.number(name)) }

func (p *bgpPlan) address(name string, net, family int) string {
	if family == 6 {
		return fmt.Sprintf("2001:db8:%d::%d", net, p.number(name))
	}
	return fmt.Sprintf("10.0.%d.%d", net, p.number(name))
}

// bgpSession is one end of a session, as its speaker has it.
type bgpSession struct {
	*bgpNet
	net         int
	family      int // of its addresses
	local, peer string
	to          *bgpSeat
	peerAS      int
	words       string
	passive     bool
	families    []int // of its routes
}

// sessions are the ends of a speaker's sessions.
func (p *bgpPlan) sessions(name string) (list []bgpSession) {
	for i := range p.nets {
		x := &p.nets[i]
		at := slices.Index(x.seats[:], name)
		if at < 0 {
			continue
		}
		to := x.seats[1-at]
		for _, family := range []int{4, 6} {
			s := bgpSession{
				bgpNet: x, net: i + 1, family: family, local: p.address(name, i+1, family), peer: p.address(to, i+1, family),
				to: p.seat(to), peerAS: p.seat(to).as, words: x.words[name], passive: x.passive == name, families: []int{family},
			}
			if as, ok := x.shown[to]; ok {
				s.peerAS = as
			}
			if x.extended {
				s.families = []int{4, 6}
			}
			if !x.extended || family == 6 {
				list = append(list, s)
			}
		}
	}
	return list
}

// topology is the lab. secret is the file with the password for routerd.
func (p *bgpPlan) topology(secret string) string {
	var b strings.Builder
	b.WriteString("name = \"NAME\"\n")
	for i := range p.seats {
		s := &p.seats[i]
		fmt.Fprintf(&b, "[node.%s]\nkind = %q\n", s.name, s.make.kind())
		switch s.make {
		case makeRouterd:
			b.WriteString(p.routerd(s, secret))
		case makeBIRD:
			fmt.Fprintf(&b, "config = '''\n%s'''\n", p.bird(s))
		case makeFRR:
			fmt.Fprintf(&b, "config = '''\n%s'''\n", p.frr(s))
		}
	}
	for i := range p.nets {
		p.link(&b, i+1, p.nets[i].seats)
	}
	for i := range p.seats {
		if s := &p.seats[i]; s.hosts {
			n := i + 1
			fmt.Fprintf(&b, "[node.h%d]\nkind = \"host\"\n[[link]]\nendpoints = [\"%s:lan\", \"h%d:eth0\"]\n", n, s.name, n)
			fmt.Fprintf(&b, "addresses = { \"%s:lan\" = [\"10.%d.0.1/24\", \"2001:db8:%x00::1/64\"], \"h%d:eth0\" = [\"10.%d.0.2/24\", \"2001:db8:%x00::2/64\"] }\n", s.name, 100+n, n, n, 100+n, n)
		}
	}
	return b.String()
}

// link joins two speakers: by a switch where one is on a host.
func (p *bgpPlan) link(b *strings.Builder, n int, seats [2]string) {
	var ends, addresses []string
	switched := false
	for _, name := range seats {
		end := fmt.Sprintf("%s:eth%d", name, n)
		ends = append(ends, end)
		addresses = append(addresses, fmt.Sprintf("%q = [\"%s/24\", \"%s/64\"]", end, p.address(name, n, 4), p.address(name, n, 6)))
		switched = switched || p.seat(name).make.kind() == KindHost
	}
	if !switched {
		fmt.Fprintf(b, "[[link]]\nendpoints = %s\naddresses = { %s }\n", list(ends), strings.Join(addresses, ", "))
		return
	}
	fmt.Fprintf(b, "[node.sw%d]\nkind = \"switch\"\n", n)
	for i, end := range ends {
		fmt.Fprintf(b, "[[link]]\nendpoints = [%q, \"sw%d:%s\"]\naddresses = { %s }\n", end, n, seats[i], addresses[i])
	}
}

// The attributes of a rich route, by the number of the AS.
const bgpMED = 77

func richPath(as int) string { return fmt.Sprintf("%d %d", as, as) } // prepended once

// line gives what writes lines.
func line(b *strings.Builder) func(format string, args ...any) {
	return func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
}

// familyOf is the family of a prefix, 4 or 6.
func familyOf(prefix string) int {
	if strings.Contains(prefix, ":") {
		return 6
	}
	return 4
}
