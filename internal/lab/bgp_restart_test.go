package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kill ends a speaker by SIGKILL.
func (b *bgpBench) kill(name string) {
	b.t.Helper()
	if p, ok := b.programs[name]; ok {
		p.kill()
		return
	}
	all, err := b.Processes(name)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, pid := range all {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			b.t.Fatal(err)
		}
	}
}

// revive starts again what was killed.
func (b *bgpBench) revive(names ...string) {
	b.t.Helper()
	for _, name := range names {
		if _, ok := b.programs[name]; ok {
			b.begin(name)
		}
	}
	b.up()
}

// killAll kills each router in turn: the others lose its routes, and have them again
// when it is back.
func (b *bgpBench) killAll(settled map[string]bgpTable) {
	b.t.Helper()
	var others []string
	for i := range b.plan.seats[1:] {
		others = append(others, b.plan.seats[i+1].name)
	}
	for _, name := range others {
		b.kill(name)
	}
	within(b.t, 20*time.Second, "r has lost all routes", func() bool { return len(b.table("r")) == 0 })
	b.revive(others...)
	b.settleBGP(60*time.Second, settled)
	b.kill("r")
	none := map[string]bgpTable{}
	for _, name := range others {
		none[name] = bgpTable{}
	}
	b.settleBGP(30*time.Second, none)
	b.revive()
	b.settleBGP(60*time.Second, settled)
}

// refresh has each side ask the other for its routes again.
func (b *bgpBench) refresh() {
	b.t.Helper()
	for i := range b.plan.seats[1:] {
		s := &b.plan.seats[i+1]
		x := b.plan.sessions(s.name)[0]
		count := func(what string) int { return b.neighbors("r")[x.local].Counts[what] }
		mine := 0
		for _, r := range s.routes {
			if familyOf(r.prefix) == 4 {
				mine++
			}
		}
		before := count("announcements")
		b.run("r", "routerd clear bgp neighbor "+x.local+" soft in")
		if s.make != makeOpenBGPD { // which sends nothing again that has not changed, whoever asks
			within(b.t, 20*time.Second, fmt.Sprintf("%s sends its %d routes again", s.make, mine), func() bool { return count("announcements") >= before+mine })
		}
		ask := map[bgpMake]string{
			makeBIRD:     "birdc reload in r_4",
			makeFRR:      "vtysh -c 'clear bgp ipv4 unicast " + x.peer + " soft in'",
			makeOpenBGPD: "bgpctl -s " + b.dirs[s.name] + "/bgpd.sock neighbor " + x.peer + " refresh",
		}[s.make]
		if ask == "" { // the other makes keep what they were sent
			continue
		}
		before = count("sent")
		b.run(s.name, ask)
		others := 0
		for prefix := range b.table(s.name) {
			if familyOf(prefix) == 4 {
				others++
			}
		}
		within(b.t, 20*time.Second, fmt.Sprintf("%s is sent %d routes again", s.make, others), func() bool { return count("sent") >= before+others })
	}
}

// A neighbour that restarts and says that it goes on forwarding meanwhile (RFC 4724)
// loses no packet.
func TestBGPGracefulRestart(t *testing.T) {
	t.Parallel()
	p := &bgpPlan{
		seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65001, hosts: true, routes: []bgpRoute{{prefix: "10.101.0.0/24"}}}},
	}
	for _, m := range []bgpMake{makeBIRD, makeFRR, makeGoBGP} {
		n := len(p.seats) + 1
		p.seats = append(p.seats, bgpSeat{
			name: string(m)[:1], make: m, as: 65000 + n, hosts: m != makeGoBGP,
			routes: []bgpRoute{{prefix: fmt.Sprintf("10.%d.0.0/24", 100+n)}, {prefix: fmt.Sprintf("2001:db8:%d00::/64", n)}},
		})
		p.nets = append(p.nets, bgpNet{seats: [2]string{"r", string(m)[:1]}, restart: true})
	}
	b := newBGPBench(t, p)
	b.run("g", "ip address add 10.104.0.2/32 dev lo")
	settled := p.starTables()
	b.settleBGP(60*time.Second, settled)
	for name, address := range map[string]string{"b": "10.102.0.2", "f": "10.103.0.2", "g": "10.104.0.2"} {
		to := name
		if name != "g" {
			to = "h" + address[5:6]
		}
		x := p.sessions(name)[0]
		before := b.neighbors("r")[x.local]
		within(t, 20*time.Second, "h1 reaches "+address, func() bool {
			_, err := b.Run(t.Context(), "h1", "ping -c 1 -W 1 "+address)
			return err == nil
		})
		refused := b.drops("r")["no_route"]
		count := b.passage("h1", to, address+":5000")
		again := b.crash(name)
		within(t, 20*time.Second, "r keeps the routes of "+name+" as stale ones", func() bool {
			n := b.neighbors("r")[x.local]
			return n.State != "established" && len(n.Families) > 0 && n.Families[0].Stale == 1
		})
		again()
		within(t, 40*time.Second, "a session with "+name+" again, and nothing stale", func() bool {
			n := b.neighbors("r")[x.local]
			return n.State == "established" && !n.Since.Equal(before.Since) && n.Families[0].Stale == 0 && n.Accepted == 1
		})
		b.settleBGP(60*time.Second, settled)
		if sent, arrived := count(); sent != arrived || sent < 100 {
			t.Errorf("%s restarted: %d of %d datagrams arrived, want all of at least 100; without a route were %d, before that %d", p.seat(name).make, arrived, sent, b.drops("r")["no_route"], refused)
		}
	}
}

// crash kills what speaks BGP on a node, and nothing else of it. Again starts it as one
// that has restarted.
func (b *bgpBench) crash(name string) (again func()) {
	b.t.Helper()
	if _, ok := b.programs[name]; ok { // GoBGP
		b.kill(name)
		return func() {
			// It says that it has kept forwarding only if it is told that it restarts: else
			// its routes are dropped at once (RFC 4724 §4.2). They are said to it when it
			// runs. It shall have them before its neighbour hears that it has no more.
			b.run(name, "nft 'table inet wait { chain in { type filter hook input priority 0; tcp dport 179 drop; tcp sport 179 drop; }; }'")
			b.beginAs(name, "-r")
			b.run(name, "nft delete table inet wait")
		}
	}
	p, _ := b.peer(name)
	pids, err := b.Processes(name)
	if err != nil {
		b.t.Fatal(err)
	}
	at := len(pids) - 1 // the last daemon is bgpd, or bird
	d := p.Daemons[at]
	path, err := b.findDaemon(p.Kind, d.Program)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := unix.Kill(pids[at], unix.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	return func() {
		line := "exec '" + path + "' '" + strings.Join(d.Args, "' '") + "'"
		if p.Kind == KindBIRD {
			b.program(name, line+" -R")
		} else {
			b.program(name, line)
			within(b.t, 20*time.Second, "FRR's bgpd listens", func() bool { return dial(b.t.Context(), d.Socket) == nil })
			if out, err := b.ask(b.t.Context(), p, "-b"); err != nil {
				b.t.Fatalf("giving FRR its configuration: %v\n%s", err, out)
			}
		}
		delete(b.programs, name) // the lab's again, as far as the tests are concerned
	}
}
