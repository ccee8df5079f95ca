package daemon

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/flow"
	"routerd/internal/control"
	"routerd/internal/packet"
	"routerd/internal/router"
	"routerd/nat"
)

// natShown is a router that translates, without ports or a loop, and the API
// that it is asked by.
type natShown struct {
	api
	t *testing.T
}

const natConfig = `name = "r1"
[interface.lan0]
kind = "tun"
addresses = ["10.1.0.1/24"]
[interface.wan0]
kind = "tun"
addresses = ["203.0.113.1/24"]
[nat]
max-sessions = 200000
max-sessions-per-host = 150000
[nat.pool.cgn]
addresses = ["203.0.113.64/31"]
ports = "1024-65535"
[[nat.source]]
name = "guests"
outbound-interface = "wan0"
source = "10.1.0.128/25"
translation = "pool:cgn"
[[nat.source]]
name = "never"
outbound-interface = "wan0"
source = "10.1.0.9"
translation = "none"
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
translation = "masquerade"
[[nat.destination]]
name = "web"
inbound-interface = "wan0"
protocol = "tcp"
destination = "203.0.113.1:80"
translation = "10.1.0.12:8080"
hairpin = true
[[nat.static]]
name = "dmz"
outside = "203.0.113.16/28"
inside = "10.1.0.16/28"
`

func newNATShown(t *testing.T, text string) natShown {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r1.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{cfg: cfg, teller: newTeller("r1"), router: router.New(rand.NewPCG(1, 1)), do: make(chan func()), quit: make(chan struct{})}
	if err := d.router.Commit(d.routerConfig(cfg), time.Now()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // the loop, as far as it is asked
		defer close(ended)
		for {
			select {
			case f := <-d.do:
				f()
			case <-d.quit:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(d.quit)
		<-ended
	})
	return natShown{api{d}, t}
}

// try passes the first packet of a flow, and begin one that has to get a
// session.
func (n natShown) try(proto uint8, src, dst, in, out string) (t nat.Translation) {
	number := func(s string) (uint32, uint16) {
		e := netip.MustParseAddrPort(s)
		a := e.Addr().As4()
		return binary.BigEndian.Uint32(a[:]), e.Port()
	}
	v := n.d.router.View()
	p := nat.Packet{In: v.Named(in).ID, Query: proto == packet.ProtoICMP, TCP: flow.Segment{Flags: flow.FlagSYN}}
	p.Key.Proto = proto
	p.Key.Src, p.Key.SrcPort = number(src)
	p.Key.Dst, p.Key.DstPort = number(dst)
	now := v.Flows.At(time.Now())
	v.NAT.Inbound(&p, now, &t)
	v.NAT.Outbound(&p, v.Named(out).ID, now, &t)
	return t
}

func (n natShown) begin(proto uint8, src, dst, in, out string) {
	n.t.Helper()
	if t := n.try(proto, src, dst, in, out); t.Session == nat.NoSession {
		n.t.Fatalf("%s > %s: no session, but %s", src, dst, t.Verdict.Label())
	}
}

// sessions asks page by page, and tells of each session its sides and rules.
func (n natShown) sessions(q control.NATQuery) (list []string, pages int) {
	n.t.Helper()
	for {
		page, err := n.NATSessions(n.t.Context(), q)
		if err != nil {
			n.t.Fatal(err)
		}
		if pages++; q.Limit > 0 && len(page.Sessions) > q.Limit {
			n.t.Fatalf("a page of %d, want %d at most", len(page.Sessions), q.Limit)
		}
		for i := range page.Sessions {
			s := &page.Sessions[i]
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s as %s to %s %s by %s: %s", s.Protocol, s.Inside, s.Outside, s.Remote, s.State, s.BegunBy, strings.Join(s.Rules, " "))))
			if s.Age < 0 || s.Age > 60 || s.Expires <= 0 || s.Expires > 7440 {
				n.t.Errorf("%s has lived for %v s and ends in %v s", list[len(list)-1], s.Age, s.Expires)
			}
		}
		if q.After = page.Next; q.After == 0 {
			return list, pages
		}
	}
}

func TestShowNATSession(t *testing.T) {
	n := newNATShown(t, natConfig)
	if list, pages := n.sessions(control.NATQuery{}); len(list) != 0 || pages != 1 {
		t.Errorf("an empty table: %q in %d pages", list, pages)
	}
	n.begin(packet.ProtoTCP, "10.1.0.2:5000", "198.51.100.2:443", "lan0", "wan0")
	n.begin(packet.ProtoICMP, "10.1.0.2:7", "198.51.100.2:0", "lan0", "wan0")
	n.begin(packet.ProtoTCP, "198.51.100.2:6000", "203.0.113.1:80", "wan0", "lan0")
	n.begin(packet.ProtoTCP, "10.1.0.2:5001", "203.0.113.1:80", "lan0", "lan0")
	n.begin(packet.ProtoUDP, "198.51.100.2:6000", "203.0.113.17:53", "wan0", "lan0")
	want := []string{
		"tcp 10.1.0.2:5000 as 203.0.113.1:5000 to 198.51.100.2:443 syn-sent by inside: lan-out",
		"icmp 10.1.0.2:7 as 203.0.113.1:7 to 198.51.100.2  by inside: lan-out",
		"tcp 10.1.0.12:8080 as 203.0.113.1:80 to 198.51.100.2:6000 syn-sent by remote: web",
		"tcp 10.1.0.2:5001 as 203.0.113.1:5001 to 10.1.0.12:8080 syn-sent by inside: web lan-out",
		"udp 10.1.0.17:53 as 203.0.113.17:53 to 198.51.100.2:6000  by remote: dmz",
	}
	for limit := range 7 {
		list, pages := n.sessions(control.NATQuery{Limit: limit})
		if d := cmp.Diff(want, list); d != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, d)
		}
		if limit > 0 && pages > 5/limit+1 {
			t.Errorf("%d pages of %d", pages, limit)
		}
	}
	some := control.NATQuery{Protocol: packet.ProtoTCP, Inside: control.NATFilter{Addresses: netip.MustParsePrefix("10.1.0.0/30")}, Remote: control.NATFilter{Port: 443}, Port: 5000, Rule: "lan-out"}
	if list, _ := n.sessions(some); !slices.Equal(list, want[:1]) {
		t.Errorf("by every filter: %q", list)
	}
	page, err := n.NATSessions(t.Context(), control.NATQuery{Rule: "web"})
	if err != nil || len(page.Sessions) != 2 || page.Total != 5 || page.Sessions[1].RemoteSeen.String() != "203.0.113.1:80" || page.Sessions[0].RemoteSeen.Address.IsValid() {
		t.Errorf("by the rule web: %+v, %v", page, err)
	}
	for rule, want := range map[string]int{"web": 2, "never": 0} {
		if r, err := n.ClearNAT(t.Context(), control.NATQuery{Rule: rule}); err != nil || r.Cleared != want {
			t.Errorf("by the rule %s %d are cleared, %v; want %d", rule, r.Cleared, err, want)
		}
	}
	if list, _ := n.sessions(control.NATQuery{}); !slices.Equal(list, []string{want[0], want[1], want[4]}) {
		t.Errorf("after clearing those of web: %q", list)
	}
}

func TestShowNATWants(t *testing.T) {
	n := newNATShown(t, natConfig)
	const ghost = `there is no rule "ghost" of address translation; there are dmz, web, guests, never, lan-out`
	if _, err := n.NATSessions(t.Context(), control.NATQuery{Rule: "ghost"}); fmt.Sprint(err) != ghost {
		t.Errorf("sessions of no rule: %v", err)
	}
	if _, err := n.ClearNAT(t.Context(), control.NATQuery{Rule: "ghost"}); fmt.Sprint(err) != ghost {
		t.Errorf("clearing those of no rule: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.NATSessions(gone, control.NATQuery{}); err == nil {
		t.Error("who has gone away is answered")
	}
	plain, _, _ := strings.Cut(natConfig, "[nat]")
	n = newNATShown(t, plain)
	for what, ask := range map[string]func() error{
		"session": func() error { _, err := n.NATSessions(t.Context(), control.NATQuery{}); return err },
		"rule":    func() error { _, err := n.NATRules(t.Context()); return err },
		"pool":    func() error { _, err := n.NATPools(t.Context()); return err },
		"clear":   func() error { _, err := n.ClearNAT(t.Context(), control.NATQuery{}); return err },
	} {
		if err := ask(); fmt.Sprint(err) != "no addresses are translated here: the configuration has no rule in [nat]" {
			t.Errorf("%s without translation: %v", what, err)
		}
	}
}

func TestShowNATRuleAndPool(t *testing.T) {
	n := newNATShown(t, natConfig)
	n.begin(packet.ProtoTCP, "10.1.0.200:5000", "198.51.100.2:443", "lan0", "wan0")
	n.begin(packet.ProtoUDP, "10.1.0.2:5000", "198.51.100.2:53", "lan0", "wan0")
	n.begin(packet.ProtoTCP, "10.1.0.2:5000", "203.0.113.1:80", "lan0", "lan0")
	rules, err := n.NATRules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rules.Rules {
		got = append(got, fmt.Sprintf("%s %d %s: %s, %d of %d, line %s", r.Kind, r.Order, r.Name, r.Translation, r.Sessions, r.Made, r.Origin[strings.LastIndex(r.Origin, ":")+1:]))
	}
	want := []string{
		"static 1 dmz: 10.1.0.16/28 <-> 203.0.113.16/28, 0 of 0, line 36",
		"destination 1 web: 10.1.0.12:8080, 1 of 1, line 29",
		"source 1 guests: pool:cgn, 1 of 1, line 15",
		"source 2 never: none, 0 of 0, line 20",
		"source 3 lan-out: masquerade, 2 of 2, line 25",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}

	hosts, err := n.NATHosts(t.Context(), control.NATHostQuery{})
	if err != nil {
		t.Fatal(err)
	}
	wantHosts := control.NATHostPage{Total: 2, Hosts: []control.NATHost{
		{Address: netip.MustParseAddr("10.1.0.2"), Sessions: 2, Ports: 2},
		{Address: netip.MustParseAddr("10.1.0.200"), Sessions: 1, Ports: 1},
	}}
	if d := cmp.Diff(wantHosts, hosts, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("hosts (-want +got):\n%s", d)
	}
	first, err := n.NATHosts(t.Context(), control.NATHostQuery{Limit: 1})
	if err != nil || len(first.Hosts) != 1 || first.Next != wantHosts.Hosts[0].Address {
		t.Errorf("a page of one: %+v, %v", first, err)
	}
	second, err := n.NATHosts(t.Context(), control.NATHostQuery{Limit: 1, After: first.Next})
	if err != nil || len(second.Hosts) != 1 || second.Hosts[0] != wantHosts.Hosts[1] || second.Next.IsValid() {
		t.Errorf("the page behind it: %+v, %v", second, err)
	}
	if some, err := n.NATHosts(t.Context(), control.NATHostQuery{Inside: control.NATHosts{Prefix: netip.MustParsePrefix("10.1.0.128/25")}}); err != nil || len(some.Hosts) != 1 || some.Hosts[0] != wantHosts.Hosts[1] {
		t.Errorf("those within 10.1.0.128/25: %+v, %v", some, err)
	}

	pools, err := n.NATPools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantPools := control.NATPoolList{
		Sessions: 3, MaxSessions: 200_000, Hosts: 2, MaxSessionsPerHost: 150_000, Made: 3,
		Pools: []control.NATPool{
			{
				Name: "cgn", Kind: "pool", Addresses: []string{"203.0.113.64/31"}, Size: 2, FirstPort: 1024, LastPort: 65535, Capacity: 2 * 64512,
				Used: control.NATPorts{TCP: 1}, Mappings: 1,
			},
			{
				Name: "wan0", Kind: "interface", Addresses: []string{"203.0.113.1"}, Size: 1, FirstPort: 1, LastPort: 65535, Capacity: 65535,
				Used: control.NATPorts{TCP: 2, UDP: 1}, Mappings: 2, // the port forward's port is held
			},
		},
	}
	if d := cmp.Diff(wantPools, pools); d != "" {
		t.Errorf("pools (-want +got):\n%s", d)
	}
}

// Reaching a limit is seen: whichever it is, where it is, and that old flows
// went on.
func TestShowNATLimits(t *testing.T) {
	text := strings.NewReplacer("200000", "6", "150000", "3", "1024-65535", "2000").Replace(natConfig)
	n := newNATShown(t, text)
	try := func(src string) { n.try(packet.ProtoUDP, src, "198.51.100.2:53", "lan0", "wan0") }
	for i := range 5 { // three of them have room
		try(fmt.Sprintf("10.1.0.2:%d", 5000+i))
	}
	for i := range 4 { // two of them have a port
		try(fmt.Sprintf("10.1.0.%d:%d", 200+i, 5000))
	}
	for i := range 3 { // one of them has room
		try(fmt.Sprintf("10.1.0.3:%d", 5000+i))
	}
	pools, err := n.NATPools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (control.NATRefused{Exhausted: 2, HostFull: 2, TableFull: 2}); pools.Refused != want || pools.Sessions != 6 {
		t.Errorf("%d sessions, refused %+v; want 6, %+v", pools.Sessions, pools.Refused, want)
	}
	if p := pools.Pools[0]; p.Refused != 2 || !slices.Equal(p.Exhausted, []string{"udp"}) || p.Used.UDP != 2 || p.Capacity != 2 {
		t.Errorf("pool %+v: want both ports in use and 2 flows refused", p)
	}
	rules, err := n.NATRules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rules.Rules[2].Refused, (control.NATRefused{Exhausted: 2}); got != want {
		t.Errorf("guests: refused %+v, want %+v", got, want)
	}
	if got, want := rules.Rules[4].Refused, (control.NATRefused{HostFull: 2, TableFull: 2}); got != want {
		t.Errorf("lan-out: refused %+v, want %+v", got, want)
	}
}

// One answer looks at a bounded part of a large table, whatever is asked for.
func TestShowNATLargeTable(t *testing.T) {
	n := newNATShown(t, natConfig)
	const sessions = 70_000
	for i := range sessions {
		n.begin(packet.ProtoUDP, "10.1.0.2:5000", netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), uint16(1+i>>16)).String(), "lan0", "wan0")
	}
	list, pages := n.sessions(control.NATQuery{Limit: control.MaxPage})
	slices.Sort(list)
	if n := len(slices.Compact(list)); n != sessions || pages > sessions/control.MaxPage+1 {
		t.Errorf("%d sessions in %d pages, want %d in %d", n, pages, sessions, sessions/control.MaxPage)
	}
	page, err := n.NATSessions(t.Context(), control.NATQuery{Protocol: packet.ProtoTCP})
	if err != nil || len(page.Sessions) != 0 || page.Next == 0 || page.Next > natParts*1024 {
		t.Errorf("a page of what there is not: %d sessions, next %d, %v; want none, and the walk to go on", len(page.Sessions), page.Next, err)
	}
	if list, pages := n.sessions(control.NATQuery{Protocol: packet.ProtoTCP}); len(list) != 0 || pages != 2 {
		t.Errorf("of what there is not: %d sessions in %d pages, want none in 2", len(list), pages)
	}
	last := control.NATQuery{Remote: control.NATFilter{Addresses: netip.MustParsePrefix("198.18.0.0/16"), Port: 2}}
	if r, err := n.ClearNAT(t.Context(), last); err != nil || r.Cleared != sessions-1<<16 {
		t.Errorf("%d cleared, %v; want %d", r.Cleared, err, sessions-1<<16)
	}
	if r, err := n.ClearNAT(t.Context(), control.NATQuery{}); err != nil || r.Cleared != 1<<16 {
		t.Errorf("%d cleared, %v; want the %d that were left", r.Cleared, err, 1<<16)
	}
	if pools, err := n.NATPools(t.Context()); err != nil || pools.Sessions != 0 || pools.Pools[1].Used.UDP != 0 {
		t.Errorf("after that: %+v, %v", pools, err)
	}
}

// Of a router that runs: what its hosts do is seen through its socket, and
// cleared, after which they go on.
func TestShowNATLive(t *testing.T) {
	n := newNATSite(t, masquerade)
	n.start()
	c := n.client()
	before, err := c.NATPools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	echo := control.NATQuery{Protocol: packet.ProtoICMP, Inside: control.NATFilter{Addresses: netip.MustParsePrefix("10.0.2.2/32")}}
	for range 2 {
		if err := n.ping(1, "198.51.100.2"); err != nil {
			t.Fatal(err)
		}
		page, err := c.NATSessions(t.Context(), echo)
		if err != nil || len(page.Sessions) != 1 {
			t.Fatalf("after a ping %+v, %v; want one session", page, err)
		}
		s := page.Sessions[0]
		if s.Outside.Address.String() != "203.0.113.1" || s.Remote.String() != "198.51.100.2" || s.Outside.Port == 0 || !slices.Equal(s.Rules, []string{"lan-out"}) || s.Expires > 60 {
			t.Errorf("the ping's session: %+v", s)
		}
		if r, err := c.ClearNAT(t.Context(), echo); err != nil || r.Cleared != 1 {
			t.Errorf("%d cleared, %v; want 1", r.Cleared, err)
		}
	}
	// What is left is of the other host, from the start.
	if r, err := c.ClearNAT(t.Context(), control.NATQuery{}); err != nil || r.Cleared != before.Sessions {
		t.Errorf("%d cleared of all, %v; want %d", r.Cleared, err, before.Sessions)
	}
	pools, err := c.NATPools(t.Context())
	if err != nil || pools.Sessions != 0 || pools.Made != before.Made+2 || pools.Pools[0].Used != (control.NATPorts{}) || pools.Pools[0].Mappings != 0 {
		t.Errorf("when all is cleared: %+v, %v", pools, err)
	}
}
