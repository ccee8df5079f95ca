package sim

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/internal/beacon"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// puppet is a core that does what the test says and remembers what it hears.
type puppet struct {
	connected []protocol.Connected
	closed    []protocol.Closed
	at        []time.Time // of closed
	read      map[protocol.StreamID][]byte
	room      map[protocol.StreamID]int
}

type do []protocol.Effect

func (p *puppet) Deadline() time.Time { return time.Time{} }

func (p *puppet) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	switch in := in.(type) {
	case do:
		return append(out, in...)
	case protocol.Connected:
		p.connected = append(p.connected, in)
		p.room[in.ID] = in.Room
	case protocol.Read:
		p.read[in.ID] = append(p.read[in.ID], in.Data...)
	case protocol.Written:
		p.room[in.ID] = in.Room
	case protocol.Closed:
		p.closed, p.at = append(p.closed, in), append(p.at, now)
	}
	return out
}

func puppetOf(n *Node) *puppet { return n.Router.Protocol("puppet").Core().(*puppet) }

// order has a node's puppet do something.
func order(n *Node, effects ...protocol.Effect) {
	n.Router.Protocol("puppet").Deliver(do(effects))
	n.wake()
}

// puppets is a row of routers, the ends of which have a stack and a loopback:
// 10.255.0.1 at r0 and 10.255.0.2 at the last one, and with IPv6 2001:db8::1 and
// ::2. Between two routers N and N+1 there is 10.0.N.0/24 and 2001:db8:N::/64.
func puppets(t *testing.T, seed uint64, size int, f Faults) (*Network, *Node, *Node) {
	t.Helper()
	n := New(seed)
	n.Kinds = []router.Kind{{Name: "puppet", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core {
		return &puppet{read: map[protocol.StreamID][]byte{}, room: map[protocol.StreamID]int{}}
	}}}
	for i := range size {
		n.Add(fmt.Sprintf("r%d", i))
	}
	for i := range size - 1 {
		if _, err := n.Join(f, fmt.Sprintf("r%d:right", i), fmt.Sprintf("r%d:left", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range n.Nodes {
		var interfaces []string
		if i > 0 {
			interfaces = append(interfaces, fmt.Sprintf("left 10.0.%d.2/24 2001:db8:%x::2/64", i-1, i))
		}
		if i < size-1 {
			interfaces = append(interfaces, fmt.Sprintf("right 10.0.%d.1/24 2001:db8:%x::1/64", i, i+1))
		}
		switch i {
		case 0:
			interfaces = append(interfaces, "stack", "lo 10.255.0.1/32 2001:db8::1/128")
		case size - 1:
			interfaces = append(interfaces, "stack", "lo 10.255.0.2/32 2001:db8::2/128")
		}
		cfg := config(node.Name, interfaces...)
		if i > 0 {
			cfg = static(cfg, "10.255.0.1/32", fmt.Sprintf("10.0.%d.1", i-1))
			cfg = static(cfg, "2001:db8::1/128", fmt.Sprintf("2001:db8:%x::1", i))
		}
		if i < size-1 {
			cfg = static(cfg, "10.255.0.2/32", fmt.Sprintf("10.0.%d.2", i))
			cfg = static(cfg, "2001:db8::2/128", fmt.Sprintf("2001:db8:%x::2", i+1))
		}
		cfg.Protocols = map[string]router.ProtocolConfig{"puppet": {}}
		if err := node.Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	run(t, n, 10*time.Second) // addresses are looked at for duplicates
	return n, n.Nodes[0], n.Nodes[size-1]
}

const (
	near4 = "10.255.0.1:0"
	far4  = "10.255.0.2:179"
	near6 = "[2001:db8::1]:0"
	far6  = "[2001:db8::2]:179"
)

func listenAll(o protocol.StreamOptions, peers ...protocol.StreamPeer) []protocol.Effect {
	return []protocol.Effect{
		protocol.Listen{ID: 1, Local: netip.MustParseAddrPort("0.0.0.0:179"), StreamOptions: o, Peers: peers},
		protocol.Listen{ID: 2, Local: netip.MustParseAddrPort("[::]:179"), StreamOptions: o, Peers: peers},
	}
}

func dialTo(id protocol.StreamID, from, to string, o protocol.StreamOptions) protocol.Dial {
	return protocol.Dial{ID: id, Local: netip.MustParseAddrPort(from), Remote: netip.MustParseAddrPort(to), Link: routing.NoInterface, StreamOptions: o}
}

// Octets arrive whole and in order over links that lose, double and reorder, both
// families, both directions, and a run is repeated by its seed.
func TestStreamOverBadLinks(t *testing.T) {
	f := Faults{Delay: 5 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.05, Duplicate: 0.02}
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 131 >> 5)
	}
	play := func(seed uint64) (*Network, time.Duration) {
		n, a, b := puppets(t, seed, 4, f)
		n.At(0, func() { order(b, listenAll(protocol.StreamOptions{})...) })
		n.At(time.Second, func() {
			order(a, dialTo(1, near4, far4, protocol.StreamOptions{}), dialTo(2, near6, far6, protocol.StreamOptions{Secret: "s"}), dialTo(3, near6, far6, protocol.StreamOptions{}))
		})
		left := map[protocol.StreamID][]byte{}
		pump := func(node *Node) {
			p := puppetOf(node)
			for _, c := range p.connected {
				rest, begun := left[c.ID]
				if !begun {
					rest = data
				}
				if k := min(p.room[c.ID], len(rest)); k > 0 {
					order(node, protocol.Write{ID: c.ID, Data: bytes.Clone(rest[:k])})
					p.room[c.ID], left[c.ID] = p.room[c.ID]-k, rest[k:]
				}
			}
		}
		began := n.Now()
		for n.Now().Sub(began) < 10*time.Minute {
			run(t, n, 100*time.Millisecond)
			pump(a)
			pump(b)
			if whole(puppetOf(a), data) == 2 && whole(puppetOf(b), data) == 2 {
				break
			}
		}
		if x, y := whole(puppetOf(a), data), whole(puppetOf(b), data); x != 2 || y != 2 {
			t.Fatalf("seed %d: after %v %d and %d connections have brought everything, want 2 and 2; ended: %v, %v",
				seed, n.Now().Sub(began), x, y, puppetOf(a).closed, puppetOf(b).closed)
		}
		return n, n.Now().Sub(began)
	}
	for seed := range uint64(4) {
		n, took := play(seed)
		if seed == 0 {
			m, again := play(seed)
			if n.Frames != m.Frames || n.Lost != m.Lost || took != again {
				t.Errorf("the same seed: %d frames of which %d were lost in %v, then %d, %d in %v", n.Frames, n.Lost, took, m.Frames, m.Lost, again)
			}
		}
		if n.Lost == 0 {
			t.Errorf("seed %d lost nothing, so it shows nothing", seed)
		}
	}
}

// whole counts the connections of a puppet by which exactly data came.
func whole(p *puppet, data []byte) (n int) {
	for _, got := range p.read {
		if bytes.Equal(got, data) {
			n++
		}
	}
	return n
}

// Why there is no connection, and when that is known.
func TestStreamThatCannotBe(t *testing.T) {
	n, a, b := puppets(t, 1, 3, Faults{Delay: time.Millisecond})
	order(b, listenAll(protocol.StreamOptions{TTL: 255, MinTTL: 254}, protocol.StreamPeer{
		Remote: netip.MustParsePrefix("2001:db8::/64"), StreamOptions: protocol.StreamOptions{Secret: "right"},
	})...)
	run(t, n, time.Second)
	order(a,
		dialTo(1, near4, far4, protocol.StreamOptions{TTL: 255}), // one router between: 254 arrive
		dialTo(2, near4, far4, protocol.StreamOptions{TTL: 254}),
		dialTo(3, near4, far4, protocol.StreamOptions{TTL: 255, MinTTL: 255}), // the answer comes from too far away
		dialTo(4, near6, far6, protocol.StreamOptions{Secret: "right"}),
		dialTo(5, near6, far6, protocol.StreamOptions{Secret: "wrong"}),
		dialTo(6, near6, far6, protocol.StreamOptions{}),
		dialTo(7, near4, "10.255.0.2:9", protocol.StreamOptions{}),
		dialTo(8, "10.255.0.77:0", far4, protocol.StreamOptions{}),
		dialTo(1, near4, far4, protocol.StreamOptions{}),
		dialTo(protocol.AcceptedStream, near4, far4, protocol.StreamOptions{}),
	)
	began := n.Now()
	run(t, n, 5*time.Minute)
	p := puppetOf(a)
	if len(p.connected) != 2 || p.connected[0].ID != 1 || p.connected[1].ID != 4 {
		t.Errorf("connected %+v, want 1 and 4", p.connected)
	}
	why := map[protocol.StreamID]error{}
	when := map[protocol.StreamID]time.Duration{}
	for i, c := range p.closed {
		why[c.ID], when[c.ID] = c.Err, p.at[i].Sub(began)
	}
	for _, id := range []protocol.StreamID{2, 3, 5, 6} {
		if !errors.Is(why[id], protocol.ErrStreamTimeout) || when[id] != 127*time.Second {
			t.Errorf("%d: %v after %v, want no answer after 127s", id, why[id], when[id])
		}
	}
	if !errors.Is(why[7], protocol.ErrStreamRefused) || when[7] > time.Second {
		t.Errorf("nobody listens: %v after %v", why[7], when[7])
	}
	for id, says := range map[protocol.StreamID]string{8: "no such address", 1: "in use", protocol.AcceptedStream: "are wanted"} {
		if why[id] == nil || !strings.Contains(why[id].Error(), says) {
			t.Errorf("%#x: %v, want it to say %q", uint64(id), why[id], says)
		}
	}
	// A router without a stack.
	order(n.Nodes[1], dialTo(1, "10.0.0.2:0", far4, protocol.StreamOptions{}))
	run(t, n, time.Second)
	if c := puppetOf(n.Nodes[1]).closed; len(c) != 1 || !errors.Is(c[0].Err, protocol.ErrNoStack) {
		t.Errorf("without a stack: %v", c)
	}
}

// A path that is cut carries nothing; mended in time, all arrives, and if not, the
// connection ends as TCP's do.
func TestStreamDependsOnItsPath(t *testing.T) {
	n, a, b := puppets(t, 2, 3, Faults{Delay: time.Millisecond})
	order(b, listenAll(protocol.StreamOptions{})...)
	run(t, n, time.Second)
	order(a, dialTo(1, near4, far4, protocol.StreamOptions{}))
	run(t, n, time.Second)
	to := puppetOf(b)
	if len(to.connected) != 1 {
		t.Fatalf("accepted %v, want one", to.connected)
	}
	id := to.connected[0].ID
	n.Links[1].SetSilent(true)
	order(a, protocol.Write{ID: 1, Data: []byte("hello")})
	run(t, n, time.Minute)
	if got := to.read[id]; len(got) != 0 || len(puppetOf(a).closed) != 0 {
		t.Errorf("by a path that is cut %q arrived, and ended: %v", got, puppetOf(a).closed)
	}
	n.Links[1].SetSilent(false)
	run(t, n, 2*time.Minute)
	if got := to.read[id]; string(got) != "hello" {
		t.Errorf("by a path that was mended %q arrived, want hello", got)
	}
	n.Links[0].SetUp(false)
	order(a, protocol.Write{ID: 1, Data: []byte("again")})
	run(t, n, 30*time.Minute)
	if c := puppetOf(a).closed; len(c) != 1 || !errors.Is(c[0].Err, protocol.ErrStreamTimeout) {
		t.Errorf("by a path that stays cut: %v, want that the other side does not answer", c)
	}
}

// What is written before a connection is closed arrives; Reset is heard as such; a
// stack that is made anew ends connections and keeps listeners.
func TestStreamEnds(t *testing.T) {
	n, a, b := puppets(t, 3, 3, Faults{Delay: time.Millisecond})
	order(b, listenAll(protocol.StreamOptions{})...)
	run(t, n, time.Second)
	order(a, dialTo(1, near4, far4, protocol.StreamOptions{}), dialTo(2, near6, far6, protocol.StreamOptions{}))
	run(t, n, time.Second)
	order(a, protocol.Write{ID: 1, Data: []byte("goodbye")}, protocol.CloseStream{ID: 1}, protocol.CloseStream{ID: 2, Reset: true})
	run(t, n, time.Second)
	p := puppetOf(b)
	if len(p.closed) != 2 || whole(p, []byte("goodbye")) != 1 {
		t.Fatalf("ended %v, read %v", p.closed, p.read)
	}
	for _, c := range p.closed {
		want := protocol.ErrStreamReset
		if len(p.read[c.ID]) > 0 {
			want = protocol.ErrStreamEnd
		}
		if !errors.Is(c.Err, want) {
			t.Errorf("%v, want %v", c.Err, want)
		}
	}
	if c := puppetOf(a).closed; len(c) != 0 {
		t.Errorf("who has closed hears %v, want nothing", c)
	}
	order(a, dialTo(5, near4, far4, protocol.StreamOptions{}))
	run(t, n, time.Second)
	b.RemakeStack()
	order(a, protocol.Write{ID: 5, Data: []byte("anybody?")}, dialTo(6, near4, far4, protocol.StreamOptions{}))
	run(t, n, time.Second)
	if c := p.closed; len(c) != 3 || !strings.Contains(c[2].Err.Error(), "made anew") {
		t.Errorf("the stack was made anew: %v", c)
	}
	if c := puppetOf(a); len(c.closed) != 1 || c.closed[0].ID != 5 || !errors.Is(c.closed[0].Err, protocol.ErrStreamReset) || c.connected[len(c.connected)-1].ID != 6 {
		t.Errorf("its other end: ended %v, connected %v", c.closed, c.connected)
	}
	if left := len(a.tcp.conns) + len(b.tcp.conns); left != 2 {
		t.Errorf("%d ends of connections are left, want the two of one", left)
	}
}

// The protocol for tests talks by connections, signed and of one hop; it loses
// them with the path and has them again.
func TestProtocolTalks(t *testing.T) {
	n := beacons(t, 5)
	for i := range n.Nodes {
		cfg := beaconConfig(i)
		cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, config("", "stack").Dataplane.Interfaces...)
		c := cfg.Protocols["beacon"].Config.(beacon.Config)
		c.Keys = keys.Chain{{ID: 1, Algorithm: keys.HMACSHA256, Secret: []byte("k")}}
		c.Streams = &beacon.Streams{StreamOptions: protocol.StreamOptions{TTL: 255, MinTTL: 255, Secret: "md5"}, Bulk: 400_000}
		cfg.Protocols["beacon"] = router.ProtocolConfig{Config: c}
		if err := n.Nodes[i].Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	talks := func(when string, times int, pairs ...[2]int) {
		t.Helper()
		for _, pair := range pairs {
			low, high := min(pair[0], pair[1]), max(pair[0], pair[1])
			other := netip.MustParseAddr(fmt.Sprintf("10.1.%d.%d", 10*low+high, pair[1]+1))
			s := beaconCore(n.Nodes[pair[0]]).Neighbors[other]
			if s == nil || !s.Stream.Up || s.Stream.Times != times || !strings.HasPrefix(string(s.Stream.Heard), "hello"+strings.Repeat(".", 400_000)) {
				t.Errorf("%s: r%d has with r%d %.300v", when, pair[0], pair[1], fmt.Sprintf("%+v", s))
			}
		}
	}
	all := [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}}
	run(t, n, 10*time.Second)
	talks("at first", 1, all...)
	for _, node := range n.Nodes {
		if c := beaconCore(node); c.Forged > 0 || c.Refused() != nil {
			t.Errorf("%s: %d forged, %v", node.Name, c.Forged, c.Refused())
		}
	}
	n.Links[0].SetSilent(true) // between r0 and r1
	run(t, n, 10*time.Second)
	for _, node := range n.Nodes[:2] {
		if k := len(beaconCore(node).Neighbors); k != 1 {
			t.Errorf("%s has %d neighbours, want one", node.Name, k)
		}
	}
	n.Links[0].SetSilent(false)
	run(t, n, 10*time.Second)
	talks("when it is mended", 1, all...) // to a neighbour that is new
	n.Nodes[0].RemakeStack()
	run(t, n, 10*time.Second)
	talks("with a new stack", 2, all[:4]...)
	talks("with a new stack elsewhere", 1, all[4:]...)
}

// Between link-local addresses a connection goes by its own link, though two links
// lead to the same neighbour.
func TestProtocolTalksByLinkLocalAddresses(t *testing.T) {
	n := New(7)
	n.Kinds = []router.Kind{{Name: "beacon", Source: routing.SourceOSPF, New: beacon.New}}
	for i := range 2 {
		n.Add(fmt.Sprintf("r%d", i))
	}
	for _, l := range []string{"a", "b"} {
		if _, err := n.Join(Faults{Delay: time.Millisecond, Loss: 0.02}, "r0:"+l, "r1:"+l); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range n.Nodes {
		cfg := config(node.Name, fmt.Sprintf("a 2001:db8:a::%d/64", i+1), fmt.Sprintf("b 2001:db8:b::%d/64", i+1), "stack")
		cfg.Protocols = map[string]router.ProtocolConfig{"beacon": {Config: beacon.Config{
			Family: 6, Interfaces: []string{"a", "b"}, Interval: time.Second, Dead: 3 * time.Second,
			Announce: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("2001:db8:9:%d::/64", i))},
			Streams:  &beacon.Streams{StreamOptions: protocol.StreamOptions{TTL: 255, MinTTL: 255, Secret: "md5"}, Bulk: 50_000},
		}}}
		if err := node.Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	up := func() (list []string) {
		for _, node := range n.Nodes {
			c := beaconCore(node)
			for _, name := range []string{"a", "b"} {
				l, ok := c.Link(name)
				for a, x := range c.Neighbors {
					if ok && x.Link == l.Link && a.IsLinkLocalUnicast() && x.Stream.Up && len(x.Stream.Heard) > 50_000 {
						list = append(list, node.Name+":"+name)
					}
				}
			}
		}
		return list
	}
	run(t, n, 30*time.Second)
	if got := fmt.Sprint(up()); got != "[r0:a r0:b r1:a r1:b]" {
		t.Errorf("connections by %s, want one by each link at both ends", got)
	}
	n.Links[1].SetSilent(true)
	run(t, n, 30*time.Second)
	if got := fmt.Sprint(up()); got != "[r0:a r1:a]" {
		t.Errorf("with b silent connections by %s, want those by a alone", got)
	}
}

// Claims for all links at once, groups joined and left, and another key, while the
// routers run.
func TestProtocolChangesWhatItHears(t *testing.T) {
	n := beacons(t, 8)
	key := func(secret string) keys.Chain {
		return keys.Chain{{ID: 1, Algorithm: keys.HMACSHA256, Secret: []byte(secret)}}
	}
	apply := func(i int, change func(*beacon.Config)) {
		t.Helper()
		cfg := beaconConfig(i)
		c := cfg.Protocols["beacon"].Config.(beacon.Config)
		change(&c)
		cfg.Protocols["beacon"] = router.ProtocolConfig{Config: c}
		if err := n.Nodes[i].Apply(cfg); err != nil {
			t.Fatal(err)
		}
	}
	neighbors := func(when string, want ...int) {
		t.Helper()
		run(t, n, 10*time.Second)
		for i, node := range n.Nodes {
			if got := len(beaconCore(node).Neighbors); got != want[i] {
				t.Errorf("%s: %s has %d neighbours, want %d", when, node.Name, got, want[i])
			}
		}
	}
	other := netip.MustParseAddr("239.255.70.2")
	neighbors("at first", 2, 2, 2)
	for i := range n.Nodes {
		apply(i, func(c *beacon.Config) { c.Wide, c.Groups, c.Keys = true, []netip.Addr{beacon.Group, other}, key("a") })
	}
	neighbors("in two groups", 2, 2, 2)
	apply(0, func(c *beacon.Config) { c.Groups, c.Keys = []netip.Addr{other}, key("a") })
	neighbors("r0 in one of them", 2, 2, 2)
	apply(1, func(c *beacon.Config) { c.Keys = key("a") }) // in the other one
	neighbors("r0 and r1 in different ones", 1, 1, 2)
	apply(2, func(c *beacon.Config) { c.Groups, c.Keys = []netip.Addr{beacon.Group, other}, key("b") })
	neighbors("r2 with another key", 0, 0, 0)
	for _, node := range n.Nodes {
		if beaconCore(node).Forged == 0 {
			t.Errorf("%s has heard nothing with a wrong key", node.Name)
		}
		if g := node.Router.View().Listeners.Groups(); len(g) != 0 {
			t.Errorf("%s is on all links in the groups %v", node.Name, g)
		}
	}
}
