package acl

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/internal/siphash"
)

// limited is a Config of one accept rule with limits.
func limited(all, host Limits) Config {
	return Config{
		Lists:      []List{{Name: "x", Rules: []Rule{{Name: "web", Action: Accept, Limits: all, HostLimits: host}}}},
		Interfaces: []Binding{{Interface: "lan0", In: "x"}}, Secret: siphash.Key{1, 2},
	}
}

func limitOf(t testing.TB, cfg Config, before *Rules) (*Rules, *Limit) {
	t.Helper()
	r := compiled(t, cfg, before)
	d, _ := r.In(1).Decide(&Packet{Family: 4}, nil)
	if d.Limit == nil || d.Limit != r.Limit(d.Number) {
		t.Fatalf("the rule decides with the limits %p, and has %p by its number", d.Limit, r.Limit(d.Number))
	}
	return r, d.Limit
}

func hostOf(l *Limit, n uint32) uint64 {
	p := Packet{Family: 4}
	p.Addresses4(n, 0)
	return l.Host(&p)
}

// TestLimitAgainstModel: flows of some hosts begin, open, close, reopen and end;
// each is let in as a count of all that exist says, and dry asks change nothing.
func TestLimitAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := func(name string) int { return rapid.IntRange(0, 6).Draw(t, name) }
		all := Limits{Connections: bound("all"), HalfOpen: bound("half-open")}
		one := Limits{Connections: bound("host"), HalfOpen: bound("half-open of a host")}
		one.Burst = 1 // so that there are limits at all
		cfg := limited(all, one)
		rules, err := Compile(cfg, interfacesForTest(), nil)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := rules.In(1).Decide(&Packet{Family: 4}, nil)
		type session struct {
			ticket flow.Ticket
			host   uint32
			phase  flow.Phase
		}
		var live []session
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(t, "turns") {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				s := &live[i]
				to := rapid.SampledFrom([]flow.Phase{flow.Open, flow.Closed, flow.Ended}).Draw(t, "to")
				s.ticket.Limiter.Turned(s.ticket.Host, s.phase, to)
				if s.phase = to; to == flow.Ended {
					live = append(live[:i], live[i+1:]...)
				}
				continue
			}
			host := rapid.Uint32Range(1, 3).Draw(t, "host")
			phase := rapid.SampledFrom([]flow.Phase{flow.Opening, flow.Open}).Draw(t, "phase")
			var has, opens, mine, mineOpens int
			for _, s := range live {
				c, o := 0, 0
				if s.phase <= flow.Open {
					c = 1
				}
				if s.phase == flow.Opening {
					o = 1
				}
				if has, opens = has+c, opens+o; s.host == host {
					mine, mineOpens = mine+c, mineOpens+o
				}
			}
			over := func(has, most int) bool { return most > 0 && has >= most }
			want := Within
			switch opening := phase == flow.Opening; {
			case over(has, all.Connections):
				want = RuleConnections
			case opening && over(opens, all.HalfOpen):
				want = RuleHalfOpen
			case over(mine, one.Connections):
				want = HostConnections
			case opening && over(mineOpens, one.HalfOpen):
				want = HostHalfOpen
			}
			if _, got := d.Limit.Take(hostOf(d.Limit, host), phase, 0, true); got != want {
				t.Fatalf("dry: %d, want %d with %+v", got, want, live)
			}
			ticket, got := d.Limit.Take(hostOf(d.Limit, host), phase, 0, false)
			if got != want {
				t.Fatalf("%d, want %d with %+v", got, want, live)
			}
			if got == Within {
				live = append(live, session{ticket, host, phase})
				has++
				if phase == flow.Opening {
					opens++
				}
			}
			if c, o := d.Limit.Usage(); c != int64(has) || o != int64(opens) {
				t.Fatalf("%d connections, %d half-open; want %d and %d", c, o, has, opens)
			}
		}
	})
}

// TestLimitRate: a rule and a host may begin as many flows as their rates say, a
// burst at once, and a host that asks too often takes nothing from the others.
func TestLimitRate(t *testing.T) {
	for name, of := range map[string]func(Limits) Config{
		"rule": func(l Limits) Config { return limited(l, Limits{}) },
		"host": func(l Limits) Config { return limited(Limits{}, l) },
	} {
		_, l := limitOf(t, of(Limits{Every: 100 * time.Millisecond, Burst: 3}), nil)
		for i, s := range []struct {
			at   time.Duration
			want bool
		}{
			{0, true},
			{0, true},
			{0, true},
			{0, false},
			{90 * time.Millisecond, false},
			{101 * time.Millisecond, true},
			{101 * time.Millisecond, false},
			{202 * time.Millisecond, true},
			{time.Hour, true},
			{time.Hour, true},
			{time.Hour, true},
			{time.Hour, false},
			{60 * 24 * time.Hour, true}, // the units of hosts have wrapped meanwhile
		} {
			_, dry := l.Take(hostOf(l, 7), flow.Open, s.at, true)
			if _, got := l.Take(hostOf(l, 7), flow.Open, s.at, false); (got == Within) != s.want || got != dry {
				t.Errorf("%s, flow %d at %s: %d, and dry %d; want it let in: %t", name, i, s.at, got, dry, s.want)
			}
		}
	}
	_, l := limitOf(t, limited(Limits{Every: time.Second, Burst: 10}, Limits{Every: time.Second, Burst: 2}), nil)
	for range 100 {
		l.Take(hostOf(l, 1), flow.Open, 0, false)
	}
	for n := uint32(2); n < 6; n++ {
		for range 2 {
			if _, got := l.Take(hostOf(l, n), flow.Open, 0, false); got != Within {
				t.Errorf("host %d: %d behind a host that asked a hundred times, want it let in", n, got)
			}
		}
	}
	if _, got := l.Take(hostOf(l, 6), flow.Open, 0, false); got != RuleRate {
		t.Errorf("the eleventh flow at once: %d, want it beyond the rate of the rule", got)
	}
}

// TestLimitHosts: of IPv6 a prefix is one host, and rules do not share hosts.
func TestLimitHosts(t *testing.T) {
	cfg := limited(Limits{}, Limits{Connections: 1})
	cfg.Lists[0].Rules = append(cfg.Lists[0].Rules, cfg.Lists[0].Rules[0])
	cfg.Lists[0].Rules[1].Name, cfg.Lists[0].Rules[1].HostBits = "exact", 128
	r := compiled(t, cfg, nil)
	wide, exact := r.limits[id{list: "x", rule: "web"}], r.limits[id{list: "x", rule: "exact"}]
	at := func(l *Limit, hi, lo uint64) uint64 {
		p := Packet{Family: 6}
		p.AddressesWide([4]uint64{hi, lo, 9, 9})
		return l.Host(&p)
	}
	if at(wide, 1, 2) != at(wide, 1, 3) || at(wide, 1, 2) == at(wide, 2, 2) {
		t.Error("of IPv6 not the prefix of 64 bits is a host")
	}
	if at(exact, 1, 2) == at(exact, 1, 3) {
		t.Error("with 128 bits two addresses are one host")
	}
	if hostOf(wide, 1) == hostOf(exact, 1) {
		t.Error("two rules share a host")
	}
}

// TestLimitFlood: a hundred thousand hosts that send one flow each neither keep
// another host out, nor let one go on that has used up its rate and still asks;
// without room a host is not counted, which is said.
func TestLimitFlood(t *testing.T) {
	const flood = 100_000
	_, l := limitOf(t, limited(Limits{}, Limits{Every: time.Second, Burst: 5}), nil)
	greedy, taken := hostOf(l, 1<<31), 0
	for n := uint32(1); n <= flood; n++ {
		if _, got := l.Take(hostOf(l, n), flow.Open, 0, false); got != Within {
			t.Fatalf("flow 1 of host %d: %d", n, got)
		}
		if n%100 == 0 {
			if _, got := l.Take(greedy, flow.Open, 0, false); got == Within {
				taken++
			}
		}
	}
	if taken != 5 {
		t.Errorf("a host has got %d flows in among a flood of others, want 5", taken)
	}

	r, l := limitOf(t, limited(Limits{Connections: flood + 1}, Limits{Connections: 1}), nil)
	var tickets []flow.Ticket
	for n := uint32(1); n <= flood; n++ {
		ticket, got := l.Take(hostOf(l, n), flow.Open, 0, false)
		if got != Within {
			t.Fatalf("connection of host %d: %d", n, got)
		}
		tickets = append(tickets, ticket)
	}
	if full := r.Uncounted(); full == 0 || full > flood/2 {
		t.Errorf("%d of %d hosts found no room, want some", full, flood)
	}
	for _, ticket := range tickets {
		ticket.Limiter.Turned(ticket.Host, flow.Open, flow.Ended)
	}
	for i := range l.hosts.table().held {
		for w := range l.hosts.table().held[i] {
			if v := l.hosts.table().held[i][w].Load(); v != 0 {
				t.Fatalf("place %d %d has %#x after all connections have ended", i, w, v)
			}
		}
	}
	if c, o := l.Usage(); c != 0 || o != 0 {
		t.Errorf("%d connections, %d half-open are left", c, o)
	}
}

// TestLimitOverReload: what is counted stays with the rule of its name, under the
// bounds of the new configuration; another name begins anew.
func TestLimitOverReload(t *testing.T) {
	all := Limits{Connections: 2, Every: time.Hour, Burst: 2}
	r, l := limitOf(t, limited(all, Limits{Connections: 1}), nil)
	ticket, got := l.Take(hostOf(l, 1), flow.Open, 0, false)
	if got != Within {
		t.Fatal(got)
	}
	r2, l2 := limitOf(t, limited(all, Limits{Connections: 1}), r)
	if _, got := l2.Take(hostOf(l2, 1), flow.Open, 0, false); got != HostConnections {
		t.Errorf("a second connection of the host after a reload: %d, want %d", got, HostConnections)
	}
	if _, got := l2.Take(hostOf(l2, 2), flow.Open, 0, false); got != Within {
		t.Errorf("a second connection: %d", got)
	}
	if _, got := l2.Take(hostOf(l2, 3), flow.Open, 0, false); got != RuleConnections {
		t.Errorf("a third connection: %d, want %d", got, RuleConnections)
	}
	ticket.Limiter.Turned(ticket.Host, flow.Open, flow.Ended) // one from before the reload
	if _, got := l2.Take(hostOf(l2, 1), flow.Open, 0, false); got != RuleRate {
		t.Errorf("a third flow in an hour: %d, want %d", got, RuleRate)
	}
	other := limited(all, Limits{Connections: 1})
	other.Lists[0].Rules[0].Name = "other"
	_, l3 := limitOf(t, other, r2)
	if _, got := l3.Take(hostOf(l3, 2), flow.Open, 0, false); got != Within {
		t.Errorf("the first connection by a rule of another name: %d", got)
	}
}

// TestLimitWorkers: workers that begin and end flows at once leave nothing counted,
// and never let in more than the rule allows.
func TestLimitWorkers(t *testing.T) {
	_, l := limitOf(t, limited(Limits{Connections: 20}, Limits{Connections: 10, HalfOpen: 10}), nil)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			var mine []flow.Ticket
			for i := range 5000 {
				if ticket, got := l.Take(hostOf(l, uint32(i%5)), flow.Opening, time.Duration(i), false); got == Within {
					mine = append(mine, ticket)
				}
				if c, _ := l.Usage(); c > 20+4 {
					t.Errorf("worker %d: %d connections", worker, c)
				}
				if len(mine) > 3 {
					mine[0].Limiter.Turned(mine[0].Host, flow.Opening, flow.Ended)
					mine = mine[1:]
				}
			}
			for _, ticket := range mine {
				ticket.Limiter.Turned(ticket.Host, flow.Opening, flow.Ended)
			}
		})
	}
	wg.Wait()
	c, o := l.Usage()
	left := uint64(0)
	for i := range l.hosts.table().held {
		for w := range l.hosts.table().held[i] {
			left |= l.hosts.table().held[i][w].Load()
		}
	}
	if c != 0 || o != 0 || left != 0 {
		t.Errorf("%d connections, %d half-open and %#x of hosts are left", c, o, left)
	}
}

// TestLimitAllocatesNothing: asking a limit of any kind costs no memory.
func TestLimitAllocatesNothing(t *testing.T) {
	_, l := limitOf(t, limited(Limits{Connections: 1000, HalfOpen: 500, Every: time.Microsecond, Burst: 100}, Limits{Connections: 1000, HalfOpen: 500, Every: time.Microsecond, Burst: 100}), nil)
	now := time.Duration(0)
	if n := testing.AllocsPerRun(100, func() {
		now += time.Second
		if ticket, got := l.Take(hostOf(l, 1), flow.Opening, now, false); got == Within {
			ticket.Limiter.Turned(ticket.Host, flow.Opening, flow.Ended)
		}
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// TestLimitsAreChecked: limits that cannot be kept are refused, and only accept
// rules have some.
func TestLimitsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Rule){
		"want accept":   func(r *Rule) { r.Action = Drop },
		"none below 0":  func(r *Rule) { r.Limits.Connections = -1 },
		"a burst of 1":  func(r *Rule) { r.Limits = Limits{Every: time.Second} },
		"168h0m0s":      func(r *Rule) { r.Limits = Limits{Every: time.Hour, Burst: 169} },
		"32767 connect": func(r *Rule) { r.HostLimits.Connections = 32768 },
		"128 bits":      func(r *Rule) { r.HostBits = 129 },
	} {
		cfg := limited(Limits{Connections: 1}, Limits{})
		change(&cfg.Lists[0].Rules[0])
		if _, err := Compile(cfg, interfacesForTest(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	_, l := limitOf(t, limited(Limits{Every: 20 * time.Second, Burst: 3, Connections: 4, HalfOpen: 5}, Limits{Every: time.Second, Burst: 6, Connections: 7, HalfOpen: 8}), nil)
	var said []string
	for e := HostConnections; e <= RuleRate; e++ {
		said = append(said, l.Describe(e))
	}
	want := "[7 connections at once of one host 8 half-open connections at once of one host a new flow each 1s of one host, and 6 at once " +
		"4 connections at once 5 half-open connections at once a new flow each 20s, and 3 at once]"
	if got := fmt.Sprint(said); got != want {
		t.Errorf("limits are described as %s, want %s", got, want)
	}
}
