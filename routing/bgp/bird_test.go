package bgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

const birdConfig = `
log stderr all;
router id 198.18.0.2;
protocol device {}
ipv6 table t6;
protocol static s4 {
	ipv4;
	route 203.0.113.0/24 blackhole {
		bgp_path.prepend(4200000001); bgp_path.prepend(65010);
		bgp_origin = ORIGIN_EGP;
		bgp_community.add((65002,1)); bgp_community.add((65535,65281));
		bgp_ext_community.add((rt,65002,7));
		bgp_large_community.add((65002,1,2));
	};
	route 198.51.100.128/25 blackhole;
	route 0.0.0.0/0 blackhole;
}
protocol static s6 { ipv6 { table t6; }; route 2001:db8:b::/48 blackhole; route ::/0 blackhole; }
protocol bgp p {
	local 198.18.0.2 as 65002;
	neighbor 198.18.0.1 as 65001;
	multihop; strict bind;
	%[1]s
	ipv4 {
		import all;
		export filter { if source != RTS_STATIC then reject; if bgp_path.len > 0 then bgp_med = 77; accept; };
		%[2]s
	};
	ipv6 { table t6; import all; export where source = RTS_STATIC; next hop address 2001:db8::2; %[2]s };
}
`

// birdSession is what goes with birdConfig.
func birdSession() SessionConfig {
	c := config(1, 2)
	c.Local, c.Remote = netip.MustParseAddrPort("198.18.0.1:0"), netip.MustParseAddrPort("198.18.0.2:179")
	c.Open.ID = 0xc6120001
	c.Open.Capabilities = wire.Capabilities{
		Families: wire.Of(wire.IPv4Unicast, wire.IPv6Unicast), RouteRefresh: true, EnhancedRefresh: true, ExtendedMessage: true,
		FourOctetAS: true, Restart: wire.GracefulRestart{Present: true, Time: 120},
	}
	return c
}

// announce packs so many routes of each family for the neighbour, and their ends.
func announce(l *live, n int) {
	l.t.Helper()
	var p wire.Packer
	p.Begin(nil, l.session.Agreed())
	var a wire.Attributes
	a.Origin, a.ASPath = wire.OriginIncomplete, pathOf(l.t, "65001 4200000009 7")
	a.MED = 55
	a.Communities, a.Large = octets4(65001<<16|9), octets4(65001, 3, 4)
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop, wire.AttrMED, wire.AttrCommunities, wire.AttrLarge} {
		a.Set(code)
	}
	for f := wire.IPv4Unicast; f <= wire.IPv6Unicast; f++ {
		hop := "2001:db8::1"
		if f == wire.IPv4Unicast && l.session.Agreed().ExtendedNextHop == 0 {
			hop = "198.18.0.1"
		}
		a.NextHop.Address = netip.MustParseAddr(hop)
		if !p.Announce(f, &a) {
			l.t.Fatal("no room")
		}
		for i := range n {
			if f == wire.IPv4Unicast {
				p.Add(1, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24))
			} else {
				p.Add(1, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb9, byte(i >> 8), byte(i)}), 48))
			}
		}
	}
	l.do(l.session.Send(time.Now(), wire.AppendEndOfRIB(wire.AppendEndOfRIB(p.Bytes(), wire.IPv4Unicast), wire.IPv6Unicast), nil))
}

// Sessions with BIRD: whoever dials, and whatever both agree on, each has the other's
// routes.
func TestBIRD(t *testing.T) {
	for _, test := range []struct {
		name, options, channel string
		change                 func(*SessionConfig)
		agreed                 func(s *wire.Session) bool
	}{
		{"they dial", "", "", func(c *SessionConfig) { c.Passive = true }, func(s *wire.Session) bool {
			return s.FourOctetAS && s.RouteRefresh && s.EnhancedRefresh && !s.ExtendedMessage && s.Families == wire.Of(wire.IPv4Unicast, wire.IPv6Unicast)
		}},
		{"we dial", "passive;", "", nil, nil},
		{"both dial", "connect delay time 1;", "", nil, nil},
		{"extended messages", "enable extended messages;", "", nil, func(s *wire.Session) bool { return s.ExtendedMessage }},
		{"several paths", "passive;", "add paths on;", func(c *SessionConfig) {
			c.Open.Capabilities.AddPath = [wire.NumFamilies]wire.AddPath{3, 3}
		}, func(s *wire.Session) bool { return s.SendPaths == s.Families && s.ReceivePaths == s.Families }},
		{"AS numbers of two octets", "passive; enable as4 off;", "", nil, func(s *wire.Session) bool { return !s.FourOctetAS }},
		{"IPv4 by IPv6 next hops", "passive;", "extended next hop; next hop address 2001:db8::2;", func(c *SessionConfig) {
			c.Open.Capabilities.ExtendedNextHop = wire.Of(wire.IPv4Unicast)
		}, func(s *wire.Session) bool { return s.ExtendedNextHop == wire.Of(wire.IPv4Unicast) }},
		{"roles", "passive; local role provider;", "", func(c *SessionConfig) {
			c.Open.Capabilities.HasRole, c.Open.Capabilities.Role = true, wire.RoleCustomer
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLive(t, "bird", "birdc")
			ask := l.bird(fmt.Sprintf(birdConfig, test.options, test.channel))
			c := birdSession()
			if test.change != nil {
				test.change(&c)
			}
			l.start(c)
			l.until("session", func() bool { return l.session.State() == Established }, func() string { return ask("show", "protocols", "all", "p") })
			if s := l.session.Agreed(); test.agreed != nil && !test.agreed(s) {
				t.Errorf("agreed on %+v; theirs %+v", s, l.session.Theirs())
			}
			l.until("routes of BIRD's", func() bool { return len(l.table) == 5 && len(l.ended) == 2 }, func() string { return fmt.Sprint(l.table, l.ended) })
			want := map[string]string{
				"203.0.113.0/24":    "egp via 198.18.0.2 65002 65010 4200000001, med 77, [65002:1 no-export], [rt:65002:7], [65002:1:2]",
				"198.51.100.128/25": "igp via 198.18.0.2 65002", "0.0.0.0/0": "igp via 198.18.0.2 65002",
				"2001:db8:b::/48": "igp via 2001:db8::2 65002", "::/0": "igp via 2001:db8::2 65002",
			}
			for key, got := range l.table {
				prefix, id, _ := strings.Cut(key, "#")
				w := want[prefix]
				if l.session.Agreed().ExtendedNextHop != 0 {
					w = strings.Replace(w, "198.18.0.2", "2001:db8::2", 1)
				}
				if test.name == "roles" {
					w += ", otc 65002"
				}
				if got != w || (id != "0") != (l.session.Agreed().ReceivePaths != 0) {
					t.Errorf("%s: %s, want %s", key, got, w)
				}
			}
			const many = 5000
			announce(l, many)
			count := func() string {
				return ask("show", "route", "protocol", "p", "all", "count") + ask("show", "route", "table", "t6", "protocol", "p", "count")
			}
			l.until("routes at BIRD", func() bool {
				return strings.Contains(ask("show", "route", "protocol", "p", "count"), fmt.Sprintf("%d of", many)) && strings.Contains(ask("show", "route", "table", "t6", "protocol", "p", "count"), fmt.Sprintf("%d of", many))
			}, count)
			hop := "BGP.next_hop: 198.18.0.1"
			if l.session.Agreed().ExtendedNextHop != 0 {
				hop = "BGP.next_hop: 2001:db8::1"
			}
			got := ask("show", "route", "20.0.7.0/24", "all")
			for _, line := range []string{"BGP.origin: Incomplete", "BGP.as_path: 65001 4200000009 7", hop, "BGP.med: 55", "BGP.community: (65001,9)", "BGP.large_community: (65001, 3, 4)"} {
				if !strings.Contains(got, line) {
					t.Errorf("BIRD has not %q:\n%s", line, got)
				}
			}
			if l.ups != 1 || l.downs != 0 || len(l.faults) > 0 {
				t.Errorf("up %d times, down %d times; faults %v", l.ups, l.downs, l.faults)
			}
		})
	}
}

// What BIRD does to a session: a refresh, a shutdown with a message; and what it is told.
func TestBIRDEvents(t *testing.T) {
	l := newLive(t, "bird", "birdc")
	ask := l.bird(fmt.Sprintf(birdConfig, "connect delay time 1; error wait time 1, 2;", ""))
	show := func() string { return ask("show", "protocols", "all", "p") }
	c := birdSession()
	c.ConnectDelay = time.Second
	l.start(c)
	up := func() bool { return l.session.State() == Established && len(l.table) == 5 }
	l.until("session", up, show)

	l.do(l.session.Send(time.Now(), wire.Refresh{Family: wire.IPv4Unicast}.Append(nil), nil))
	l.until("enhanced refresh", func() bool { return len(l.refreshes) == 2 }, show)
	for i, r := range l.refreshes {
		if want := (wire.Refresh{Family: wire.IPv4Unicast, Subtype: wire.RefreshBegin + wire.RefreshSubtype(i)}); r != want {
			t.Errorf("refresh %d: %+v, want %+v", i, r, want)
		}
	}

	ask("disable", "p", `"back at nine"`)
	l.until("shutdown", func() bool { return l.session.State() != Established }, show)
	if last := l.session.Last(); !last.Received || last.Notification.Message() != "back at nine" {
		t.Errorf("BIRD's shutdown: %v, received %v", last.Notification, last.Received)
	}
	ask("enable", "p")
	l.until("session again", up, show)

	l.do(l.session.Stop(time.Now(), wire.Shutdown(wire.CeaseAdminShutdown, "at lunch"), nil))
	l.until("BIRD's words about it", func() bool {
		return strings.Contains(show(), "Received: Administrative shutdown")
	}, show)
	l.do(l.session.Start(time.Now(), nil))
	l.until("session a third time", up, show)
}
