package multicast

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/packet"
	"routerd/routing"
)

const eth0 routing.InterfaceID = 3

var someday = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bench is a machine with one interface, and what it said.
type bench struct {
	t    rapid.TB
	m    *Machine
	now  time.Time
	said []string // since it was last looked at
	up   InterfaceUp
}

func newBench(t rapid.TB, groups ...netip.Addr) *bench {
	b := &bench{t: t, m: New(1), now: someday}
	b.up = InterfaceUp{Interface: eth0, MTU: 1500, Source4: our4, Source6: our6, Groups: groups}
	b.step(b.up)
	return b
}

func (b *bench) step(in Input) {
	for _, s := range b.m.Step(b.now, in, nil) {
		if s.Interface != eth0 {
			b.t.Fatalf("sent by interface %d", s.Interface)
		}
		b.said = append(b.said, told(b.t, s.Packet)...)
	}
}

// pass lets time go by, deadline by deadline.
func (b *bench) pass(d time.Duration) {
	end := b.now.Add(d)
	for {
		due := b.m.Deadline()
		if due.IsZero() || due.After(end) {
			break
		}
		if due.Before(b.now) {
			b.t.Fatalf("deadline %v is before %v", due, b.now)
		}
		b.now = due
		b.step(Tick{})
		if next := b.m.Deadline(); next.Equal(due) {
			b.t.Fatalf("what was due at %v is due still", due)
		}
	}
	b.now = end
}

func (b *bench) groups(groups ...netip.Addr) {
	b.up.Groups = groups
	b.step(b.up)
}

// says compares what was said since with want, in any order.
func (b *bench) says(why string, want ...string) {
	b.t.Helper()
	got := b.said
	b.said = nil
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: said %q, want %q", why, got, want)
	}
}

// told puts a packet in words: one for each record.
func told(t rapid.TB, p []byte) (words []string) {
	t.Helper()
	six := p[0]>>4 == 6
	body, dst := packet.IPv4(p).Payload, netip.Addr{}
	var b []byte
	if six {
		ip := packet.IPv6(p)
		e := packet.WalkExtensions(ip)
		sum := packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), packet.ProtoICMPv6, len(p)-e.Offset)
		if !ip.Valid() || !e.RouterAlert || ip.HopLimit() != 1 || packet.Sum(p[e.Offset:], sum) != 0xffff {
			t.Fatalf("sent %x: want hop limit 1, a router alert and a right checksum", p)
		}
		b, dst = p[e.Offset:], ip.Dst()
	} else {
		ip := packet.IPv4(p)
		b, dst = body(), ip.Dst()
		if !ip.Valid() || !ip.HeaderChecksumOK() || !packet.WalkOptions(ip).RouterAlert || ip.TTL() != 1 || packet.Sum(b, 0) != 0xffff {
			t.Fatalf("sent %x: want TTL 1, a router alert and right checksums", p)
		}
	}
	one := func(what string, group []byte, to string) []string {
		a, _ := netip.AddrFromSlice(group)
		if to != "" && dst != netip.MustParseAddr(to) || to == "" && dst != a {
			t.Fatalf("%s of %v was sent to %v", what, a, dst)
		}
		return []string{what + " " + a.String()}
	}
	switch b[0] {
	case igmpReport1:
		return one("v1 report", b[4:8], "")
	case igmpReport2:
		return one("v2 report", b[4:8], "")
	case igmpLeave:
		return one("v2 leave", b[4:8], "224.0.0.2")
	case 131:
		return one("v2 report", b[8:24], "")
	case 132:
		return one("v2 leave", b[8:24], "ff02::2")
	}
	size := 4
	if six {
		size = 16
	}
	if dst != allVersion3s && dst != allMLDv2 {
		t.Fatalf("a report of version 3 was sent to %v", dst)
	}
	n := int(b[6])<<8 | int(b[7])
	for b = b[8:]; len(b) > 0; n-- {
		a, _ := netip.AddrFromSlice(b[4 : 4+size])
		sources := int(b[3])
		s := fmt.Sprintf("%s %v", [...]string{"?", "IS_IN", "IS_EX", "TO_IN", "TO_EX"}[b[0]], a)
		b = b[4+size:]
		for range sources {
			a, _ := netip.AddrFromSlice(b[:size])
			s += " " + a.String()
			b = b[size:]
		}
		words = append(words, s)
	}
	if n != 0 {
		t.Fatalf("a report says %d records more than it has", n)
	}
	return words
}

// family is a protocol's way of asking.
type family struct {
	name   string
	group  netip.Addr
	other  netip.Addr
	query  func(v Version, most time.Duration, group netip.Addr, sources ...netip.Addr) Received
	report func(group netip.Addr) Received
	v1     bool
}

var families = []family{
	{
		"IGMP", rip4, netip.MustParseAddr("239.1.2.3"),
		func(v Version, most time.Duration, group netip.Addr, sources ...netip.Addr) Received {
			dst := group
			if !group.IsValid() {
				group, dst = netip.IPv4Unspecified(), allHosts
			}
			body := append([]byte{0x11, byte(most / (time.Second / 10)), 0, 0}, group.AsSlice()...)
			if v == 3 {
				body = append(body, 2, 125, 0, byte(len(sources)))
				for _, s := range sources {
					body = append(body, s.AsSlice()...)
				}
			}
			return Received{eth0, igmp(dst, body...)}
		},
		func(g netip.Addr) Received {
			return Received{eth0, igmp(g, append([]byte{0x16, 0, 0, 0}, g.AsSlice()...)...)}
		},
		true,
	},
	{
		"MLD", node, rip6,
		func(v Version, most time.Duration, group netip.Addr, sources ...netip.Addr) Received {
			dst := group
			if !group.IsValid() {
				group, dst = netip.IPv6Unspecified(), allNodes
			}
			ms := uint16(most / time.Millisecond)
			body := append([]byte{byte(ms >> 8), byte(ms), 0, 0}, group.AsSlice()...)
			if v == 3 {
				body = append(body, 2, 125, 0, byte(len(sources)))
				for _, s := range sources {
					body = append(body, s.AsSlice()...)
				}
			}
			return Received{eth0, mld(dst, 130, body...)}
		},
		func(g netip.Addr) Received {
			return Received{eth0, mld(g, 131, append([]byte{0, 0, 0, 0}, g.AsSlice()...)...)}
		},
		false,
	},
}

func (f *family) source(n byte) netip.Addr {
	if f.group.Is4() {
		return netip.AddrFrom4([4]byte{10, 0, 0, n})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 15: n})
}

func TestVersion3(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			g, o := f.group.String(), f.other.String()
			b := newBench(t, f.group, allHosts, allNodes)
			b.says("at the start, at once", "TO_EX "+g)
			b.pass(time.Second)
			b.says("again, within a second", "TO_EX "+g)
			b.pass(time.Hour)
			b.says("and then no more")

			b.groups(f.group, f.other)
			b.says("joined while running", "TO_EX "+o)
			b.pass(time.Second)
			b.says("and again", "TO_EX "+o)
			b.step(f.query(3, 10*time.Second, netip.Addr{}))
			b.says("a general query: not at once")
			b.pass(10 * time.Second)
			b.says("but within its time, all", "IS_EX "+g, "IS_EX "+o)

			b.step(f.query(3, time.Second, f.other))
			b.step(f.query(3, time.Second, f.other))
			b.step(f.query(3, time.Second, netip.MustParseAddr(map[bool]string{true: "239.9.9.9", false: "ff02::99"}[f.group.Is4()])))
			b.pass(time.Second)
			b.says("a query of a group, and of one that nobody listens to", "IS_EX "+o)
			b.step(f.query(3, time.Second, f.other, f.source(1), f.source(2)))
			b.step(f.query(3, time.Second, f.other, f.source(2), f.source(3)))
			b.pass(time.Second)
			b.says("queries of sources", fmt.Sprintf("IS_IN %s %v %v %v", o, f.source(1), f.source(2), f.source(3)))
			b.step(f.query(3, time.Second, f.other, f.source(1)))
			b.step(f.query(3, time.Second, f.other))
			b.pass(time.Second)
			b.says("a query of a source, then of the group", "IS_EX "+o)
			var many []netip.Addr
			for i := range maxSources + 1 {
				many = append(many, f.source(byte(i)))
			}
			b.step(f.query(3, time.Second, f.other, many...))
			b.pass(time.Second)
			b.says("more sources than are remembered", "IS_EX "+o)
			b.step(f.query(3, time.Second/10, netip.Addr{}))
			b.step(f.query(3, 12*time.Second, f.other))
			b.pass(time.Minute)
			b.says("a group's query while the answer to all goes sooner", "IS_EX "+g, "IS_EX "+o)

			b.groups(f.group)
			b.says("left", "TO_IN "+o)
			b.groups(f.group, f.other)
			b.says("joined again before that was repeated", "TO_EX "+o)
			b.pass(time.Second)
			b.says("and again", "TO_EX "+o)
			b.groups(f.group)
			b.pass(time.Minute)
			b.says("left", "TO_IN "+o, "TO_IN "+o)
			b.step(InterfaceDown{Interface: eth0, Announce: true})
			b.says("taken off its link", "TO_IN "+g)
			if d := b.m.Deadline(); !d.IsZero() {
				t.Errorf("without an interface something is due at %v", d)
			}
		})
	}
}

// The querier says how often everything is said.
func TestRobustness(t *testing.T) {
	b := newBench(t)
	q := igmp(allHosts, 0x11, 10, 0, 0, 0, 0, 0, 0, 4, 125, 0, 0)
	b.step(Received{eth0, q})
	b.pass(time.Second)
	b.groups(rip4)
	b.pass(time.Minute)
	b.says("with robustness 4", "TO_EX 224.0.0.9", "TO_EX 224.0.0.9", "TO_EX 224.0.0.9", "TO_EX 224.0.0.9")
}

func TestOlderVersions(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			g, o := f.group.String(), f.other.String()
			b := newBench(t, f.group)
			b.says("at the start", "TO_EX "+g)
			b.step(f.query(2, time.Second, netip.Addr{})) // before the repetition
			b.says("not at once")
			b.pass(time.Second)
			b.says("only the old version's answer", "v2 report "+g)
			b.step(f.query(3, time.Second, netip.Addr{}))
			b.pass(time.Minute)
			b.says("a newer querier beside it is answered as the older one", "v2 report "+g)

			b.groups(f.group, f.other)
			b.says("joined", "v2 report "+o)
			b.pass(10 * time.Second)
			b.says("and again", "v2 report "+o)
			b.step(f.query(2, time.Second, f.other))
			b.pass(time.Second)
			b.says("a query of the group", "v2 report "+o)
			b.groups(f.group)
			b.says("left, last to report it", "v2 leave "+o)
			b.groups(f.group, f.other)
			b.says("joined", "v2 report "+o)
			b.step(f.report(f.other))
			b.pass(time.Minute)
			b.says("another has reported it")
			b.groups(f.group)
			b.says("left, not the last to report it")

			// RV * QI + the query's time to answer, after the last one.
			b.step(f.query(2, time.Second, netip.Addr{}))
			b.pass(250*time.Second + 900*time.Millisecond)
			b.said = nil
			b.groups(f.group, f.other)
			b.says("while the older querier counts", "v2 report "+o)
			b.pass(100 * time.Millisecond)
			b.groups(f.group)
			b.says("once it is gone", "TO_IN "+o)
			b.step(InterfaceDown{Interface: eth0})
			b.says("down")
		})
	}
}

func TestVersion1(t *testing.T) {
	f := families[0]
	b := newBench(t, rip4)
	b.pass(time.Minute)
	b.said = nil
	b.step(f.query(1, 0, netip.Addr{}))
	b.pass(10 * time.Second)
	b.says("version 1's query, which means ten seconds", "v1 report 224.0.0.9")
	b.step(f.query(2, time.Second, netip.Addr{}))
	b.pass(time.Second)
	b.says("version 2's beside it", "v1 report 224.0.0.9")
	b.groups()
	b.says("version 1 knows no leaving")
}

// Before an address may be used reports come from nowhere, and again from it
// once it may (RFC 3590 §4).
func TestSource(t *testing.T) {
	b := &bench{t: t, m: New(1), now: someday}
	b.up = InterfaceUp{Interface: eth0, MTU: 1500, Groups: []netip.Addr{node, rip4}}
	from := func() map[netip.Addr]bool {
		all := map[netip.Addr]bool{}
		for _, s := range append(b.m.Step(b.now, b.up, nil), b.m.Step(b.now.Add(time.Second), Tick{}, nil)...) {
			if s.Packet[0]>>4 == 4 {
				all[packet.IPv4(s.Packet).Src()] = true
			} else {
				all[packet.IPv6(s.Packet).Src()] = true
			}
		}
		b.now = b.now.Add(time.Second)
		return all
	}
	if got := from(); len(got) != 2 || !got[netip.IPv6Unspecified()] || !got[netip.IPv4Unspecified()] {
		t.Errorf("while no address is usable reports come from %v", got)
	}
	b.up.Source4, b.up.Source6 = our4, our6
	if got := from(); len(got) != 2 || !got[our4] || !got[our6] {
		t.Errorf("when addresses become usable reports come from %v", got)
	}
	if got := from(); len(got) != 0 {
		t.Errorf("when nothing has changed reports come from %v", got)
	}
}

// More groups than go into a packet are reported in several.
func TestLargeReports(t *testing.T) {
	var groups []netip.Addr
	for i := range 200 {
		groups = append(groups, netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: byte(i), 14: 7}))
		groups = append(groups, netip.AddrFrom4([4]byte{239, 0, 0, byte(i)}))
	}
	m := New(1)
	out := m.Step(someday, InterfaceUp{Interface: eth0, MTU: 1280, Groups: groups}, nil)
	records := 0
	for _, s := range out {
		if len(s.Packet) > 1280 {
			t.Errorf("a packet of %d bytes on a link of 1280", len(s.Packet))
		}
		records += len(told(t, s.Packet))
	}
	if records != 400 || len(out) < 5 {
		t.Errorf("%d records in %d packets, want 400", records, len(out))
	}
}

// What is refused changes nothing, and is counted; so is what is not.
func TestCounters(t *testing.T) {
	b := newBench(t, rip4)
	b.step(Received{eth0, []byte{0x45}})
	b.step(Received{eth0, igmp(rip4, 0x11, 10, 0, 0, 0, 0, 0, 0)})
	b.step(families[0].query(3, time.Second, netip.Addr{}))
	b.step(Received{Interface: eth0 + 1, Packet: igmp(rip4, 0x11, 10, 0, 0, 0, 0, 0, 0)})
	b.pass(time.Minute)
	for l := range b.m.Walk {
		if l.Refused != 2 || l.Queries != 1 || l.Reports != 3 || l.IGMP != 3 || l.MLD != 3 || !slices.Equal(l.Groups, []netip.Addr{rip4}) {
			t.Errorf("shown as %+v", l)
		}
		return
	}
	t.Error("nothing is shown")
}

// Whatever happens, a router that hears all that is said knows exactly the
// groups that are listened to: at the latest when it has asked once.
func TestModel(t *testing.T) {
	pool := []netip.Addr{rip4, netip.MustParseAddr("224.0.0.2"), netip.MustParseAddr("239.1.1.1"), rip6, node, netip.MustParseAddr("ff05::7"), allHosts, allNodes}
	rapid.Check(t, func(rt *rapid.T) {
		b := &bench{t: rt, m: New(rapid.Uint64().Draw(rt, "seed")), now: someday}
		b.up = InterfaceUp{Interface: eth0, MTU: 1500, Source4: our4}
		known := map[string]bool{}
		hear := func() {
			for _, s := range b.said {
				what, group, _ := strings.Cut(s, " ")
				if what == "v1" || what == "v2" {
					what, group, _ = strings.Cut(group, " ")
				}
				switch what {
				case "TO_IN", "leave":
					delete(known, group)
				default:
					known[group] = true
				}
			}
			b.said = nil
		}
		b.step(b.up)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			f := families[rapid.IntRange(0, 1).Draw(rt, "family")]
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				b.groups(rapid.SliceOfDistinct(rapid.SampledFrom(pool), func(a netip.Addr) netip.Addr { return a }).Draw(rt, "groups")...)
			case 1:
				v := Version(rapid.IntRange(2, 3).Draw(rt, "version"))
				b.step(f.query(v, time.Duration(rapid.IntRange(1, 120).Draw(rt, "tenths"))*time.Second/10, netip.Addr{}))
			case 2:
				b.up.Source6 = rapid.SampledFrom([]netip.Addr{{}, our6}).Draw(rt, "source")
				b.step(b.up)
			case 3:
				b.pass(time.Duration(rapid.IntRange(0, 400_000).Draw(rt, "ms")) * time.Millisecond)
			}
		}
		b.pass(time.Hour) // whatever waits is said
		b.said, known = nil, map[string]bool{}
		for _, f := range families {
			b.step(f.query(3, 10*time.Second, netip.Addr{}))
		}
		b.pass(10 * time.Second)
		hear()
		for _, a := range pool {
			if want := Reportable(a) && slices.Contains(b.up.Groups, a); known[a.String()] != want {
				rt.Fatalf("%v is reported: %v, want %v", a, !want, want)
			}
		}
		if d := b.m.Deadline(); !d.IsZero() {
			rt.Fatalf("an hour later something is due at %v", d)
		}
	})
}
