package dataplane

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// choices are the bytes of a fuzzer, one for each choice; 0 behind the last.
type choices struct{ b []byte }

func (c *choices) next(n int) int {
	if len(c.b) == 0 {
		return 0
	}
	v := int(c.b[0]) % n
	c.b = c.b[1:]
	return v
}

// modelRule is a rule that the model understands.
type modelRule struct {
	family, proto uint8 // 0 = all; of ICMP 1 in either family
	host          int   // of the source; 0 = all
	port          int   // of the destination; 0 = all
	state         int   // 1 + acl.State; 0 = those that the action implies
	in            int   // 1 + the interface that it came in by; 0 = all
	action        acl.Action
}

func (c *choices) rule() modelRule {
	return modelRule{
		family: []uint8{0, 0, 4, 6}[c.next(4)], proto: []uint8{0, packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP}[c.next(4)],
		host: c.next(4), port: c.next(4), state: c.next(4), in: c.next(3), action: acl.Action(c.next(4)),
	}
}

// rule is m for the filter.
func (m modelRule) rule(name string) acl.Rule {
	r := acl.Rule{Name: name, Family: m.family, Action: m.action}
	switch m.proto {
	case 0:
	case packet.ProtoICMP:
		r.Protocols = []uint8{packet.ProtoICMP, packet.ProtoICMPv6}
	default:
		r.Protocols = []uint8{m.proto}
		if m.port > 0 {
			r.DestinationPorts = []flow.PortRange{{First: uint16(m.port), Last: uint16(m.port)}}
		}
	}
	if m.host > 0 {
		for _, of := range []string{"10.0.1.%d/32", "10.0.2.%d/32", "2001:db8:1::%d/128", "2001:db8:2::%d/128"} {
			r.Sources = append(r.Sources, flow.RangeOf(prefix(fmt.Sprintf(of, m.host))))
		}
	}
	if m.state > 0 {
		r.States = []acl.State{acl.State(m.state - 1)}
	}
	if m.in > 0 {
		r.Inbound = []string{[]string{"lan0", "lan1"}[m.in-1]}
	}
	return r
}

// modelList is a list that the model understands.
type modelList struct {
	rules    []modelRule
	fallback acl.Action
	loose    bool
}

func (c *choices) list() (l modelList) {
	for range c.next(5) {
		l.rules = append(l.rules, c.rule())
	}
	l.fallback, l.loose = acl.Action(c.next(3)), c.next(4) == 0
	return l
}

func (l *modelList) list(name string) acl.List {
	out := acl.List{Name: name, Default: l.fallback, Loose: l.loose}
	for i, r := range l.rules {
		out.Rules = append(out.Rules, r.rule(fmt.Sprint("r", i)))
	}
	return out
}

// modelPacket is a packet between hosts of the two LANs. Of ICMP the source port
// is the identifier of a request, or the destination port that of a reply.
type modelPacket struct {
	in                routing.InterfaceID // lan0 or lan1; it leaves by the other
	family, proto     uint8
	src, dst          int // hosts
	sport, dport      int
	flags             uint8
	begins, resumable bool // it may begin a flow; it may be of a forgotten connection
}

func (c *choices) packet() modelPacket {
	p := modelPacket{
		in: routing.InterfaceID(c.next(2)), family: []uint8{4, 6}[c.next(2)], proto: []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP}[c.next(3)],
		src: 2 + c.next(2), dst: 2 + c.next(2), sport: 1 + c.next(3), dport: 1 + c.next(3),
	}
	p.begins = true
	switch p.proto {
	case packet.ProtoTCP:
		p.flags = []uint8{flagSyn, flagSynAck, flagAck, flagRst, flagRst | flagAck, 0, packet.TCPFin | flagAck}[c.next(7)]
		p.begins, p.resumable = p.flags == flagSyn, p.flags == flagAck
	case packet.ProtoICMP:
		if p.begins = c.next(2) == 0; p.begins {
			p.dport = 0
		} else {
			p.sport = 0
		}
	}
	return p
}

func (p *modelPacket) raw(tb testing.TB) []byte {
	text := "%s 10.0.%d.%d:%d > 10.0.%d.%d:%d"
	if p.family == 6 {
		text = "%s [2001:db8:%d::%d]:%d > [2001:db8:%d::%d]:%d"
	}
	name := map[uint8]string{packet.ProtoTCP: "tcp", packet.ProtoUDP: "udp", packet.ProtoICMP: "icmp"}[p.proto]
	return segment(tb, fmt.Sprintf(text, name, p.in+1, p.src, p.sport, 2-p.in, p.dst, p.dport), p.flags)
}

// modelFlow is what a session is known by, in the direction of its first packet.
type modelFlow struct {
	in                     routing.InterfaceID
	family, proto          uint8
	src, dst, sport, dport int
}

// model is a filter as its documentation has it, one rule after another and with
// a set of flows.
type model struct {
	in, out  [2]*modelList
	sessions map[modelFlow]bool
}

func (m *model) fate(p *modelPacket) verdict.Verdict {
	forward := modelFlow{p.in, p.family, p.proto, p.src, p.dst, p.sport, p.dport}
	reply := modelFlow{1 - p.in, p.family, p.proto, p.dst, p.src, p.dport, p.sport}
	if m.sessions[forward] || m.sessions[reply] {
		return verdict.Forwarded
	}
	stray, loose := false, false
	for _, l := range []*modelList{m.in[p.in], m.out[1-p.in]} {
		if l == nil {
			continue
		}
		state := acl.New
		if !p.begins {
			state = acl.Invalid
			if l.loose && p.flags&flagRst == 0 {
				state, loose = acl.New, true
			}
		}
		switch l.decide(p, state) {
		case acl.Drop:
			return verdict.ACLDropped
		case acl.Reject:
			return verdict.ACLRejected
		}
		stray = stray || state == acl.Invalid
	}
	if !stray && (p.begins || p.resumable || loose) {
		m.sessions[forward] = true
	}
	return verdict.Forwarded
}

func (l *modelList) decide(p *modelPacket, state acl.State) acl.Action {
	for _, r := range l.rules {
		switch {
		case r.family != 0 && r.family != p.family, r.proto != 0 && r.proto != p.proto, r.host != 0 && r.host != p.src, r.in != 0 && r.in-1 != int(p.in):
		case r.port != 0 && (r.proto == packet.ProtoTCP || r.proto == packet.ProtoUDP) && r.port != p.dport:
		case r.state != 0 && acl.State(r.state-1) != state, r.state == 0 && r.action == acl.Accept && state == acl.Invalid:
		case r.action == acl.Count:
		default:
			return r.action
		}
	}
	return l.fallback
}

// filterModel is a network with a filter that fuzzing draws anew, and its model.
type filterModel struct {
	*network
	batch *Batch
}

func newFilterModel(tb testing.TB) *filterModel {
	return &filterModel{newFilterNetwork(tb), NewBatch(8, &Counters{}, &DropRing{})}
}

func newFilterNetwork(tb testing.TB) *network {
	n := newNetwork(tb).filter(tb, acl.Config{}, nat.Config{MaxSessions: 1000, MaxSessionsPerHost: -1})
	n.view.Sessions6 = flow.NewWide(flow.Config{MaxSessions: 1000})
	return n
}

// newCachedFilter is newFilterModel with a flow cache beside.
func newCachedFilter(tb testing.TB) *filterModel {
	return &filterModel{cached(tb, func() *network { return newFilterNetwork(tb) }), NewBatch(8, &Counters{}, &DropRing{})}
}

// try draws filter and packets from the choices, and then sends the raw packet.
func (f *filterModel) try(t *testing.T, drawn, last []byte) {
	c := &choices{drawn}
	lists := [2]modelList{c.list(), c.list()}
	m := model{sessions: map[modelFlow]bool{}}
	cfg := acl.Config{Lists: []acl.List{lists[0].list("a"), lists[1].list("b")}}
	for i, name := range []string{"lan0", "lan1"} {
		bound := acl.Binding{Interface: name}
		if which := c.next(3); which > 0 {
			m.in[i], bound.In = &lists[which-1], cfg.Lists[which-1].Name
		}
		if which := c.next(3); which > 0 {
			m.out[i], bound.Out = &lists[which-1], cfg.Lists[which-1].Name
		}
		cfg.Interfaces = append(cfg.Interfaces, bound)
	}
	rules, err := acl.Compile(cfg, []acl.Interface{{ID: lan0, Name: "lan0"}, {ID: lan1, Name: "lan1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.view.ACL = rules
	f.clear()
	for len(c.b) > 0 {
		p, times := c.packet(), 1
		if f.mirror != nil {
			times = 2 // the first has the flow cached
		}
		for range times {
			want := m.fate(&p)
			if got := f.one(t, p.in, p.raw(t)); got != want {
				t.Fatalf("packet %+v: %s, want %s, by filter %+v", p, got, want, cfg)
			}
		}
	}
	if got := f.view.NAT.Sessions().Len() + f.view.Sessions6.Len(); got != len(m.sessions) {
		t.Errorf("%d sessions, want %d: %v", got, len(m.sessions), m.sessions)
	}
	if f.mirror != nil {
		f.mirror.same(t, f.network)
	}
	f.one(t, lan1, last)
}

// one sends one packet, and gives its verdict.
func (f *filterModel) one(t *testing.T, in routing.InterfaceID, data []byte) verdict.Verdict {
	f.runIn(t, f.batch, in, raw(data))
	for _, p := range f.ports {
		p.Take()
	}
	got := f.batch.Packets()[0].Verdict
	if got == verdict.None || int(got) >= verdict.Count {
		t.Errorf("packet %x: verdict %d, want one", data, got)
	}
	return got
}

// TestFilterAgainstModel: random filters decide about random packets as the naive
// one does, and make the same sessions.
func TestFilterAgainstModel(t *testing.T) {
	for _, f := range []*filterModel{newFilterModel(t), newCachedFilter(t)} {
		random, drawn := rand.New(rand.NewPCG(16, 4)), make([]byte, 600)
		for range 300 {
			for i := range drawn {
				drawn[i] = byte(random.Uint32())
			}
			f.try(t, slices.Clone(drawn), drawn[:random.IntN(100)])
		}
		if f.mirror != nil && f.mirror.carried < 100 {
			t.Errorf("%d packets were carried: too few to compare", f.mirror.carried)
		}
	}
}

// FuzzFilter draws filters and packets: none panics, each packet gets one
// verdict, and those between hosts the model's.
func FuzzFilter(f *testing.F) {
	for _, tt := range fates(f) {
		f.Add(tt.packet, tt.packet)
	}
	plain, cached := newFilterModel(f), newCachedFilter(f)
	f.Fuzz(func(t *testing.T, drawn, last []byte) {
		if len(drawn) < 2000 && len(last) < 9000 {
			plain.try(t, drawn, last)
			cached.try(t, drawn, last)
		}
	})
}
