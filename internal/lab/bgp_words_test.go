package lab

import (
	"fmt"
	"strings"
)

// bird is a speaker in BIRD's words.
func (p *bgpPlan) bird(s *bgpSeat) string {
	var b strings.Builder
	line := line(&b)
	line("log stderr all;\nrouter id %s;\nprotocol device { scan time 1; }", p.id(s.name))
	line("protocol direct { ipv4; ipv6; }")
	for _, family := range []int{4, 6} {
		line("protocol kernel { ipv%d { export where source = RTS_BGP; }; merge paths yes; }", family)
		line("protocol static s%d { ipv%d;", family, family)
		for _, r := range s.routes {
			if familyOf(r.prefix) != family {
				continue
			}
			attributes := ""
			if r.rich {
				attributes = fmt.Sprintf(" { bgp_path.prepend(%[1]d); bgp_origin = ORIGIN_EGP; bgp_community.add((%[1]d,1)); bgp_community.add((%[1]d,2)); bgp_ext_community.add((rt,%[1]d,7)); bgp_large_community.add((%[1]d,1,2)); }", s.as)
			}
			line("route %s blackhole%s;", r.prefix, attributes)
		}
		line("}")
	}
	// What it has a host on is connected, and said to be its own all the same.
	own := map[int]string{4: "0.0.0.0/32", 6: "::/128"}
	for _, r := range s.routes {
		own[familyOf(r.prefix)] += ", " + r.prefix
	}
	line("filter announced { if source = RTS_STATIC then { if bgp_path.len > 0 then bgp_med = %d; accept; }", bgpMED)
	line("if source = RTS_BGP then accept;\nif net.type = NET_IP4 then { if net ~ [ %s ] then accept; } else { if net ~ [ %s ] then accept; }\nreject; }", own[4], own[6])
	if s.needsBFD(p) {
		line("protocol bfd { interface \"*\" { min rx interval 50 ms; min tx interval 50 ms; multiplier 5; }; }")
	}
	for _, x := range p.sessions(s.name) {
		p.birdSession(line, s, x)
	}
	b.WriteString(s.more)
	return b.String()
}

// needsBFD reports whether one of its neighbours is watched.
func (s *bgpSeat) needsBFD(p *bgpPlan) bool {
	for _, x := range p.sessions(s.name) {
		if x.bfd {
			return true
		}
	}
	return false
}

func (p *bgpPlan) birdSession(line func(string, ...any), s *bgpSeat, x bgpSession) {
	line("protocol bgp %s_%d {\nlocal %s as %d;\nneighbor %s as %d;", x.to.name, x.family, x.local, s.as, x.peer, x.peerAS)
	line("connect delay time %d; connect retry time %d; error wait time 1, 2; hold time %d; keepalive time %d;", bgpRetry, bgpRetry, bgpHold, bgpKeepalive)
	if x.passive {
		line("passive;")
	}
	if x.password != "" {
		line("password %q;", x.password)
	}
	if x.security {
		line("ttl security on;")
	}
	if x.client == x.to.name {
		line("rr client;")
	}
	if x.bfd {
		line("bfd on;")
	}
	if x.restart {
		line("graceful restart on; graceful restart time 20;")
	}
	if s.as == x.peerAS {
		line("direct;")
	}
	for _, family := range x.families {
		line("ipv%d { import all; export filter announced;", family)
		if s.as == x.peerAS {
			line("gateway recursive;")
		}
		if x.paths {
			line("add paths on;")
		}
		if x.extended && family == 4 {
			line("extended next hop on;")
		}
		line("};")
	}
	line("%s}", x.words)
}

// frr is a speaker in FRR's words.
func (p *bgpPlan) frr(s *bgpSeat) string {
	var b strings.Builder
	line := line(&b)
	if s.needsBFD(p) {
		line("bfd\n profile fast\n  transmit-interval 50\n  receive-interval 50\n  detect-multiplier 5\n exit\nexit")
	}
	line("route-map rich permit 10\n set as-path prepend %[1]d\n set metric %[2]d\n set origin egp\n set community %[1]d:1 %[1]d:2\n set large-community %[1]d:1:2\n set extcommunity rt %[1]d:7\nexit", s.as, bgpMED)
	line("router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check\n bgp bestpath as-path multipath-relax", s.as, p.id(s.name))
	for _, x := range p.sessions(s.name) {
		if x.restart {
			line(" bgp graceful-restart\n bgp graceful-restart restart-time 20\n bgp graceful-restart preserve-fw-state")
			break
		}
	}
	for _, x := range p.sessions(s.name) {
		line(" neighbor %s remote-as %d\n neighbor %s timers %d %d\n neighbor %s timers connect %d\n neighbor %s advertisement-interval 0", x.peer, x.peerAS, x.peer, bgpKeepalive, bgpHold, x.peer, bgpRetry, x.peer)
		if x.passive {
			line(" neighbor %s passive", x.peer)
		}
		if x.password != "" {
			line(" neighbor %s password %s", x.peer, x.password)
		}
		if x.security {
			line(" neighbor %s ttl-security hops 1", x.peer)
		}
		if x.bfd {
			line(" neighbor %s bfd profile fast", x.peer)
		}
		if x.extended {
			line(" neighbor %s capability extended-nexthop", x.peer)
		}
		b.WriteString(x.words)
	}
	for _, family := range []int{4, 6} {
		line(" address-family ipv%d unicast", family)
		for _, r := range s.routes {
			if familyOf(r.prefix) != family {
				continue
			}
			rich := ""
			if r.rich {
				rich = " route-map rich"
			}
			line("  network %s%s", r.prefix, rich)
		}
		for _, x := range p.sessions(s.name) {
			p.frrFamily(line, x, family)
		}
		line(" exit-address-family")
	}
	line("exit")
	b.WriteString(s.more)
	return b.String()
}

func (p *bgpPlan) frrFamily(line func(string, ...any), x bgpSession, family int) {
	spoken := false
	for _, f := range x.families {
		spoken = spoken || f == family
	}
	if !spoken {
		return
	}
	line("  neighbor %s activate", x.peer)
	if x.client == x.to.name {
		line("  neighbor %s route-reflector-client", x.peer)
	}
	if x.paths {
		line("  neighbor %s addpath-tx-all-paths", x.peer)
	}
}

// gobgp is a speaker in GoBGP's words. Its routes are said to it afterwards.
func (p *bgpPlan) gobgp(s *bgpSeat) string {
	var b strings.Builder
	line := line(&b)
	line("[global.config]\nas = %d\nrouter-id = %q", s.as, p.id(s.name))
	for _, x := range p.sessions(s.name) {
		line("[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d", x.peer, x.peerAS)
		if x.password != "" {
			line("auth-password = %q", x.password)
		}
		line("[neighbors.transport.config]\nlocal-address = %q\npassive-mode = %t", x.local, x.passive)
		line("[neighbors.timers.config]\nconnect-retry = %d\nhold-time = %d\nkeepalive-interval = %d\nidle-hold-time-after-reset = 1", bgpRetry, bgpHold, bgpKeepalive)
		if x.security {
			line("[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255")
		}
		if x.client == x.to.name {
			line("[neighbors.route-reflector.config]\nroute-reflector-client = true\nroute-reflector-cluster-id = %q", p.id(s.name))
		}
		if x.restart {
			line("[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 20")
		}
		for _, family := range x.families {
			line("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv%d-unicast\"", family)
			if x.restart {
				line("[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true")
			}
			if x.paths {
				line("[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 8")
			}
		}
	}
	b.WriteString(s.more)
	return b.String()
}

// gobgpRoutes are the lines of sh that give GoBGP its routes.
func (p *bgpPlan) gobgpRoutes(s *bgpSeat) string {
	var b strings.Builder
	for _, r := range s.routes {
		rich := ""
		if r.rich {
			rich = fmt.Sprintf(" aspath %[1]d origin egp med %[2]d community %[1]d:1,%[1]d:2 rt %[1]d:7 large-community %[1]d:1:2", s.as, bgpMED)
		}
		fmt.Fprintf(&b, "gobgp global rib -a ipv%d add %s%s && ", familyOf(r.prefix), r.prefix, rich)
	}
	return b.String() + "true"
}

// openbgpd is a speaker in OpenBGPD's words. dir is for its socket.
func (p *bgpPlan) openbgpd(s *bgpSeat, dir string) string {
	var b strings.Builder
	line := line(&b)
	line("AS %d\nrouter-id %s\nsocket \"%s/bgpd.sock\"\nfib-update no\nconnect-retry %d\nholdtime %d", s.as, p.id(s.name), dir, bgpRetry, bgpHold)
	for _, r := range s.routes {
		rich := ""
		if r.rich {
			rich = fmt.Sprintf(" set { metric %[2]d origin egp prepend-self 1 community %[1]d:1 community %[1]d:2 ext-community rt %[1]d:7 large-community %[1]d:1:2 }", s.as, bgpMED)
		}
		line("network %s%s", r.prefix, rich)
	}
	for _, x := range p.sessions(s.name) {
		line("neighbor %s {\nremote-as %d\nlocal-address %s\nholdtime %d\nannounce enhanced refresh yes", x.peer, x.peerAS, x.local, bgpHold)
		if x.passive {
			line("passive")
		}
		if x.password != "" {
			line("tcp md5sig password %q", x.password)
		}
		if x.security {
			line("ttl-security yes")
		}
		if x.paths {
			line("announce add-path recv yes\nannounce add-path send all")
		}
		if x.client == x.to.name {
			line("route-reflector")
		}
		line("%s}", x.words)
	}
	line("allow from any\nallow to any\n%s", s.more)
	return b.String()
}

// exabgp is a speaker in ExaBGP's words, which appends what it hears to a file.
func (p *bgpPlan) exabgp(s *bgpSeat, dir string) string {
	var b strings.Builder
	line := line(&b)
	line("process heard {\nrun /bin/sh %s/heard.sh;\nencoder json;\n}", dir)
	for _, x := range p.sessions(s.name) {
		line("neighbor %s {\nrouter-id %s;\nlocal-address %s;\nlocal-as %d;\npeer-as %d;\nhold-time %d;", x.peer, p.id(s.name), x.local, s.as, x.peerAS, bgpHold)
		if x.passive {
			line("passive;")
		}
		if x.security {
			line("outgoing-ttl 255;\nincoming-ttl 255;")
		}
		line("family {")
		for _, family := range x.families {
			line("ipv%d unicast;", family)
		}
		line("}\ncapability { route-refresh enable; asn4 enable; }")
		line("api { processes [ heard ]; neighbor-changes; receive { parsed; update; refresh; } }\nstatic {")
		for _, r := range s.routes {
			rich := ""
			if r.rich {
				rich = fmt.Sprintf(" as-path [ %[1]d %[1]d ] origin egp med %[2]d community [ %[1]d:1 %[1]d:2 ] extended-community [ target:%[1]d:7 ] large-community [ %[1]d:1:2 ]", s.as, bgpMED)
			}
			for _, f := range x.families {
				if f == familyOf(r.prefix) {
					line("route %s next-hop self%s;", r.prefix, rich)
				}
			}
		}
		line("}\n%s}", x.words)
	}
	return b.String()
}
