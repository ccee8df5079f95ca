package bgp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

// longLivedStand has a neighbour whose routes are kept for long when it goes, another one
// with a longer path, and two who are sent routes, of whom the first keeps stale ones too.
type longLivedStand struct {
	*stand
	feeder, other, keeps, drops *player
	list                        []netip.Prefix // of the feeder; the first has another path
}

const (
	restartTime = 100 * time.Second
	staleFor    = 1000 * time.Second
)

func newLongLivedStand(t testing.TB, restart time.Duration, most time.Duration) *longLivedStand {
	s := newStand(t, 4, func(i int, c *NeighborConfig) { c.Families[wire.IPv4Unicast].LongLived = most })
	x := &longLivedStand{stand: s, feeder: s.peers[0], other: s.peers[1], keeps: s.peers[2], drops: s.peers[3], list: manyPrefixes(3)}
	both := wire.Of(wire.IPv4Unicast)
	c := &x.feeder.open.Capabilities
	c.Restart = wire.GracefulRestart{Present: true, Time: uint16(restart / time.Second), Families: both, Forwarding: both}
	c.LongLived = wire.LongLived{Present: true, Families: both, Forwarding: both}
	c.LongLived.Stale[wire.IPv4Unicast] = uint32(staleFor / time.Second)
	x.keeps.open.Capabilities.LongLived.Present = true
	for _, p := range s.peers {
		s.connectNow(p)
	}
	s.say(x.feeder, x.feeder.route(1, x.feeder.address, x.list[:2]...))
	s.say(x.feeder, x.feeder.marked(1, wire.NoLLGR, x.list[2]))
	var k wire.Packer
	var a wire.Attributes
	for range 4 {
		a.ASPath = a.ASPath.AppendPrepended(nil, x.other.as, 1)
	}
	a.NextHop.Address = x.other.address
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop} {
		a.Set(code)
	}
	k.Begin(nil, &x.other.session)
	k.Announce(wire.IPv4Unicast, &a)
	k.Add(0, x.list[0])
	s.say(x.other, k.Bytes())
	return x
}

// marked is an announcement with a community.
func (p *player) marked(as uint32, c wire.Community, prefixes ...netip.Prefix) []byte {
	var k wire.Packer
	var a wire.Attributes
	a.ASPath = a.ASPath.AppendPrepended(nil, as, 1)
	a.ASPath = a.ASPath.AppendPrepended(nil, p.as, 1)
	a.NextHop.Address = p.address
	a.Communities = binary.BigEndian.AppendUint32(nil, uint32(c))
	for _, code := range []wire.Attribute{wire.AttrOrigin, wire.AttrASPath, wire.AttrNextHop, wire.AttrCommunities} {
		a.Set(code)
	}
	k.Begin(nil, &p.session)
	k.Announce(wire.IPv4Unicast, &a)
	for _, x := range prefixes {
		k.Add(0, x)
	}
	return k.Bytes()
}

// want checks whose route is used for each prefix, 0 = none, and whether those who keep
// stale routes, and those who do not, have one, "stale" with the community.
func (x *longLivedStand) want(t testing.TB, when string, from [3]int, keeps, drops [3]string) {
	t.Helper()
	for i, p := range x.list {
		got := 0
		for _, r := range x.machine.Routes(p) {
			for k, peer := range x.peers {
				if r.Best && r.From == peer.address {
					got = k + 1
				}
			}
		}
		if got != from[i] {
			t.Errorf("%s: the route to %v is of neighbour %d, want %d", when, p, got, from[i])
		}
		for peer, want := range map[*player]string{x.keeps: keeps[i], x.drops: drops[i]} {
			words, has := peer.holds[p.String()]
			is := ""
			switch {
			case strings.Contains(words, "llgr-stale"):
				is = "stale"
			case has:
				is = "fresh"
			}
			if is != want {
				t.Errorf("%s: neighbour %v has %q to %v, want it %q", when, peer.address, words, p, want)
			}
		}
	}
}

var (
	allFresh = [3]string{"fresh", "fresh", "fresh"}
	noneHave = [3]string{"fresh", "", ""} // by the other neighbour
)

// A neighbour that does not come back within its restart time has its routes kept as the
// least preferred ones, which go on to those alone who keep such routes, and not those that
// must not be kept (RFC 9494 §4.2, §4.3).
func TestLongLived(t *testing.T) {
	for _, test := range []struct {
		name          string
		restart, most time.Duration
		lasts         time.Duration // from the end of the restart time on
	}{
		{"as long as it asks for", restartTime, time.Hour, staleFor},
		{"as long as it may", restartTime, staleFor / 2, staleFor / 2},
		{"without a restart time", 0, time.Hour, staleFor},
		{"not at all", restartTime, 0, 0},
	} {
		x := newLongLivedStand(t, test.restart, test.most)
		x.want(t, test.name+", up", [3]int{1, 1, 1}, allFresh, allFresh)
		x.lose(x.feeder)
		if test.restart > 0 {
			x.run(test.restart - time.Second)
			x.want(t, test.name+", within the restart time", [3]int{1, 1, 1}, allFresh, allFresh)
			x.run(time.Second)
		}
		x.run(time.Second)
		if test.lasts > 0 {
			x.want(t, test.name+", after the restart time", [3]int{2, 1, 0}, [3]string{"fresh", "stale", ""}, noneHave)
			if f := x.machine.Neighbors()[0].Families[0]; !f.LongLived || f.Stale != 2 || f.LongLivedUntil.Sub(x.now) != test.lasts-time.Second {
				t.Errorf("%s: %+v, want 2 stale routes for %v", test.name, f, test.lasts-time.Second)
			}
			x.run(test.lasts - 3*time.Second)
			x.want(t, test.name+", before the end", [3]int{2, 1, 0}, [3]string{"fresh", "stale", ""}, noneHave)
			x.run(3 * time.Second)
		}
		x.want(t, test.name+", in the end", [3]int{2, 0, 0}, noneHave, noneHave)
		if f := x.machine.Neighbors()[0].Families[0]; f.LongLived || f.Stale != 0 {
			t.Errorf("%s: %+v in the end", test.name, f)
		}
	}
}

// One that comes back has its long-lived routes kept until it has sent all, if it has kept
// them itself, and else they are dropped at once.
func TestLongLivedComesBack(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *wire.Capabilities)
		kept   bool
	}{
		{"with all", func(*wire.Capabilities) {}, true},
		{"with nothing", func(c *wire.Capabilities) { c.LongLived.Forwarding = 0 }, false},
		{"without the family", func(c *wire.Capabilities) { c.LongLived.Families, c.LongLived.Forwarding = 0, 0 }, false},
		{"without the capability", func(c *wire.Capabilities) { c.LongLived = wire.LongLived{} }, false},
		{"without graceful restart", func(c *wire.Capabilities) { c.Restart = wire.GracefulRestart{} }, false},
	} {
		x := newLongLivedStand(t, restartTime, time.Hour)
		x.lose(x.feeder)
		x.run(restartTime + 10*time.Second)
		test.change(&x.feeder.open.Capabilities)
		x.connectNow(x.feeder)
		x.run(time.Second)
		if test.kept {
			x.want(t, test.name+", before it has sent anything", [3]int{2, 1, 0}, [3]string{"fresh", "stale", ""}, noneHave)
			x.run(staleFor / 4)
			x.want(t, test.name+", later", [3]int{2, 1, 0}, [3]string{"fresh", "stale", ""}, noneHave)
		} else {
			x.want(t, test.name+", before it has sent anything", [3]int{2, 0, 0}, noneHave, noneHave)
		}
		x.say(x.feeder, x.feeder.route(1, x.feeder.address, x.list[0]))
		x.say(x.feeder, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
		x.run(time.Second)
		x.want(t, test.name+", when it has sent all", [3]int{1, 0, 0}, noneHave, noneHave)
		x.run(2 * staleFor)
		x.want(t, test.name+", long afterwards", [3]int{1, 0, 0}, noneHave, noneHave)
	}
}

// Routes that are stale elsewhere are the least preferred here too (RFC 9494 §4.3).
func TestLongLivedOfOthers(t *testing.T) {
	x := newLongLivedStand(t, restartTime, 0)
	x.say(x.feeder, x.feeder.marked(1, wire.LLGRStale, x.list[0], x.list[1]))
	x.want(t, "stale elsewhere", [3]int{2, 1, 1}, [3]string{"fresh", "stale", "fresh"}, [3]string{"fresh", "", "fresh"})
}

// What a neighbour has left goes at once when the operator ends the session.
func TestLongLivedCleared(t *testing.T) {
	x := newLongLivedStand(t, restartTime, time.Hour)
	x.lose(x.feeder)
	x.run(restartTime + 10*time.Second)
	x.step(Clear{Address: x.feeder.address, Link: x.config.Neighbors[0].Link})
	x.run(time.Second)
	x.want(t, "cleared", [3]int{2, 0, 0}, noneHave, noneHave)
}
