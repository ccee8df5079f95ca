package nat

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/routing"
)

// endpoint4 is one end of a flow in the model.
type end4 struct {
	proto uint8
	addr  uint32
	port  uint16
}

// modelKey is whom the model's mapping is for.
type modelKey struct {
	inside     end4
	remote     uint32
	remotePort uint16
}

// model is a NAT of maps and lists: what has to come of every packet, but for
// the choice of a port, of which it says only what it may be.
type model struct {
	mapping, filtering Behavior
	outside            uint32
	sessions           []modelSession
}

type modelSession struct {
	by             modelKey
	outside        end4
	forward, reply flow.Key
}

func (m *model) established(k flow.Key) (flow.Key, bool) {
	for _, s := range m.sessions {
		if s.forward == k {
			return s.reply.Reverse(), true
		}
		if s.reply == k {
			return s.forward.Reverse(), true
		}
	}
	return flow.Key{}, false
}

// keyFor is the mapping that a new flow is of.
func (m *model) keyFor(k flow.Key) modelKey {
	x := modelKey{inside: end4{k.Proto, k.Src, k.SrcPort}}
	if m.mapping != EndpointIndependent {
		x.remote = k.Dst
	}
	if m.mapping == AddressAndPortDependent {
		x.remotePort = k.DstPort
	}
	return x
}

// outsideOf gives the outside endpoint of a mapping that has sessions.
func (m *model) outsideOf(by modelKey) (end4, bool) {
	for _, s := range m.sessions {
		if s.by == by {
			return s.outside, true
		}
	}
	return end4{}, false
}

func (m *model) taken(e end4) bool {
	return slices.ContainsFunc(m.sessions, func(s modelSession) bool { return s.outside == e })
}

// admitted says what inside endpoint a packet from outside without a session
// reaches, and whether a mapping has its destination at all.
func (m *model) admitted(k flow.Key) (inside end4, by modelKey, mapped, ok bool) {
	for _, s := range m.sessions {
		if s.outside != (end4{k.Proto, k.Dst, k.DstPort}) {
			continue
		}
		mapped, inside, by = true, s.by.inside, s.by
		switch {
		case m.filtering == EndpointIndependent:
			ok = true
		case m.filtering == AddressDependent && (s.reply.Src == k.Src || s.forward.Src == k.Src):
			ok = true // whichever of the two began: the inside endpoint speaks to that address
		}
	}
	// A host that has another mapping to the same remote endpoint cannot answer
	// by this one too.
	answer := flow.Key{Proto: k.Proto, Src: inside.addr, SrcPort: inside.port, Dst: k.Src, DstPort: k.SrcPort}
	if _, taken := m.established(answer); taken {
		ok = false
	}
	return inside, by, mapped, ok
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		behavior := rapid.SampledFrom([]Behavior{EndpointIndependent, AddressDependent, AddressAndPortDependent})
		cfg := poolOf(flow.PortRange{First: 1000, Last: 1029}, "198.51.100.2/32") // few ports, in both classes
		cfg.Mapping, cfg.Filtering = behavior.Draw(t, "mapping"), behavior.Draw(t, "filtering")
		n := New(Options{Random: rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)})
		r, _, err := n.Prepare(cfg, testInterfaces())
		if err != nil {
			t.Fatal(err)
		}
		n.Commit(r)
		s := &site{n: n}
		m := &model{mapping: cfg.Mapping, filtering: cfg.Filtering, outside: number(netip.MustParseAddr("198.51.100.2"))}
		port := rapid.Uint16Range(1000, 1006)
		proto := rapid.SampledFrom([]uint8{protoUDP, protoTCP})
		remote := rapid.SampledFrom([]uint32{0xcb007101, 0xcb007102})
		t.Repeat(map[string]func(*rapid.T){
			"outbound": func(t *rapid.T) {
				m.outbound(t, s, flow.Key{
					Proto: proto.Draw(t, "proto"), Src: 0xc0a80a02 + rapid.Uint32Range(0, 7).Draw(t, "host"),
					SrcPort: port.Draw(t, "from"), Dst: remote.Draw(t, "remote"), DstPort: port.Draw(t, "to"),
				})
			},
			"inbound": func(t *rapid.T) {
				m.inbound(t, s, flow.Key{
					Proto: proto.Draw(t, "proto"), Src: remote.Draw(t, "remote"), SrcPort: port.Draw(t, "from"),
					Dst: m.outside, DstPort: rapid.Uint16Range(1000, 1029).Draw(t, "to"),
				})
			},
			"clear": func(t *rapid.T) {
				p := port.Draw(t, "port")
				f := Filter{Port: p, Protocol: proto.Draw(t, "proto")}
				was := len(m.sessions)
				m.sessions = slices.DeleteFunc(m.sessions, func(s modelSession) bool {
					return s.forward.Proto == f.Protocol && slices.Contains([]uint16{s.forward.SrcPort, s.forward.DstPort, s.reply.SrcPort, s.reply.DstPort}, p)
				})
				if got := n.Clear(f); got != was-len(m.sessions) {
					t.Fatalf("cleared %d sessions, want %d", got, was-len(m.sessions))
				}
			},
			"": func(t *rapid.T) {
				if s.live() != len(m.sessions) {
					t.Fatalf("%d sessions, want %d", s.live(), len(m.sessions))
				}
				for _, x := range m.sessions {
					if hit := n.Sessions().Find(x.reply); hit.Session == NoSession || hit.Other != x.forward {
						t.Fatalf("the answers to %s find %s", text(x.forward), text(hit.Other))
					}
				}
			},
		})
	})
}

func (m *model) outbound(t *rapid.T, s *site, k flow.Key) {
	known, established := m.established(k)
	got := s.pass(packetOf(k, lan), wan)
	if established {
		if got.To != known || got.Verdict != 0 {
			t.Fatalf("%s leaves as %s (%s), want %s", text(k), text(got.To), got.Verdict, text(known))
		}
		return
	}
	by := m.keyFor(k)
	outside, mapped := m.outsideOf(by)
	own := end4{k.Proto, m.outside, k.SrcPort}
	chosen := end4{k.Proto, got.To.Src, got.To.SrcPort}
	switch {
	case !mapped && !m.free(k.Proto, k.SrcPort):
		if got.Verdict.Label() != "nat_pool_exhausted" {
			t.Fatalf("%s leaves as %s (%s) although no port is free", text(k), text(got.To), got.Verdict)
		}
		return
	case got.Verdict != 0:
		t.Fatalf("%s: %s", text(k), got.Verdict)
	case mapped && chosen != outside:
		t.Fatalf("%s leaves as %s, want the mapping's %v", text(k), text(got.To), outside)
	case !mapped && m.taken(chosen):
		t.Fatalf("%s leaves as %s, which another mapping has", text(k), text(got.To))
	case !mapped && !m.taken(own) && chosen != own:
		t.Fatalf("%s leaves as %s although its own port is free", text(k), text(got.To))
	case chosen.addr != m.outside || chosen.port < 1000 || chosen.port > 1029 || k.SrcPort > 1023 && chosen.port < 1024:
		t.Fatalf("%s leaves as %s, beyond the pool or its class", text(k), text(got.To))
	case got.To.Dst != k.Dst || got.To.DstPort != k.DstPort:
		t.Fatalf("%s leaves as %s", text(k), text(got.To))
	}
	m.sessions = append(m.sessions, modelSession{by, chosen, k, got.To.Reverse()})
}

// free reports whether a mapping for the port could be made.
func (m *model) free(proto uint8, like uint16) bool {
	first := uint16(1000)
	if like > 1023 {
		first = 1024
	}
	for p := first; p <= 1029; p++ {
		if !m.taken(end4{proto, m.outside, p}) {
			return true
		}
	}
	return false
}

func (m *model) inbound(t *rapid.T, s *site, k flow.Key) {
	want, established := m.established(k)
	inside, by, mapped, ok := m.admitted(k)
	got := s.pass(packetOf(k, wan), routing.InterfaceID(lan))
	switch {
	case established:
		if got.To != want || got.Verdict != 0 {
			t.Fatalf("%s goes in as %s (%s), want %s", text(k), text(got.To), got.Verdict, text(want))
		}
	case !mapped && k.Proto == protoTCP:
		if got.Verdict.Label() != "nat_no_mapping" {
			t.Fatalf("%s, a SYN, goes in as %s (%s), want silence", text(k), text(got.To), got.Verdict)
		}
	case !mapped:
		if got.To != k || got.Verdict != 0 {
			t.Fatalf("%s goes in as %s (%s), want it for the router", text(k), text(got.To), got.Verdict)
		}
	case !ok:
		if got.Verdict.Label() != "nat_filtered" {
			t.Fatalf("%s goes in as %s (%s), want it filtered", text(k), text(got.To), got.Verdict)
		}
	default:
		want := k
		want.Dst, want.DstPort = inside.addr, inside.port
		if got.To != want || got.Verdict != 0 {
			t.Fatalf("%s goes in as %s (%s), want %s", text(k), text(got.To), got.Verdict, text(want))
		}
		m.sessions = append(m.sessions, modelSession{by, end4{k.Proto, k.Dst, k.DstPort}, k, want.Reverse()})
	}
}
