package config

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/acltest"
	"routerd/internal/packet"
	"routerd/internal/tomltext"
	"routerd/internal/verdict"
	"routerd/routing/rib"
)

// FilterTests is a file of packets and of what a packet filter is wanted to make
// of them.
type FilterTests struct {
	// Config is the file of the configuration that they are about, relative to
	// their own, and Node the router that is meant if that is a topology. Both
	// may be "".
	Config, Node string
	// Routes are those that protocols would learn. They have no place in the
	// configuration.
	Routes []rib.StaticRoute
	Tests  []acltest.Test
}

// LoadFilterTests reads a file of tests. It returns an error if the file could
// not be read, and Problems for its content.
func LoadFilterTests(path string) (*FilterTests, []Problem, error) {
	data, err := readText(path, "the file of tests", "several files")
	if err != nil {
		return nil, nil, err
	}
	t, problems := ParseFilterTests(path, data)
	return t, problems, nil
}

// ParseFilterTests reads the text of a file of tests.
func ParseFilterTests(file string, data []byte) (*FilterTests, []Problem) {
	doc, ok := tomltext.Parse(file, data)
	if !ok {
		return &FilterTests{}, doc.Problems()
	}
	doc.Noun = "the file of tests"
	r := &reader{Document: doc}
	r.watches.Document = doc
	t := r.decodeFilterTests(doc.Root())
	return t, doc.Problems()
}

func (r *reader) decodeFilterTests(top *tomltext.Section) *FilterTests {
	t := &FilterTests{
		Config: tomltext.Get(top, "config", "", tomltext.Text("the path of a configuration or a topology")),
		Node:   tomltext.Get(top, "node", "", tomltext.Text("the name of a router of the topology")),
	}
	static := top.Section("static")
	for _, s := range static.Sections("route") {
		if route := r.decodeStatic(s, &Config{}); route != nil {
			route.Origin = 0
			t.Routes = append(t.Routes, *route.StaticRoute)
		}
	}
	static.Done()
	names := map[string]bool{}
	tests := top.Sections("test")
	top.Done()
	for _, s := range tests {
		t.Tests = append(t.Tests, r.decodeFilterTest(s, names))
	}
	if len(tests) == 0 && !top.Has("test") {
		r.Wrong(nil, "the file has no tests", "[[test]] with a name, a packet and what is wanted of it")
	}
	return t
}

// decodeFilterTest reads a test: a packet, and those that come after it.
func (r *reader) decodeFilterTest(s *tomltext.Section, names map[string]bool) acltest.Test {
	t := acltest.Test{Name: tomltext.Get(s, "name", "", tomltext.Text("what it proves"))}
	switch {
	case !s.Has("name"):
		r.WrongKey(s.At, fmt.Sprintf("%s has no name", s.At), `name = "what it proves"`)
	case t.Name != "" && names[t.Name]:
		r.Wrong(s.At.With("name"), fmt.Sprintf("a second test named %q", t.Name), "a name of its own")
	}
	names[t.Name] = true
	then := s.Sections("then")
	t.Steps = append(t.Steps, r.decodeStep(s, true))
	for _, next := range then {
		t.Steps = append(t.Steps, r.decodeStep(next, false))
	}
	return t
}

// answerWords are the words for answers.
var answerWords = []string{"reply", "port-unreachable", "too-big", "time-exceeded"}

func (r *reader) decodeStep(s *tomltext.Section, first bool) acltest.Step {
	p := acltest.Packet{
		In:  tomltext.Get(s, "inbound-interface", "", interfaceName),
		Src: tomltext.Get(s, "source", netip.Addr{}, tomltext.Address),
	}
	if !first {
		p.Answers = tomltext.Get(s, "answers", acltest.None, tomltext.OneOf(answerWords,
			[]acltest.Answer{acltest.Reply, acltest.Unreachable, acltest.TooBig, acltest.TimeExceeded}))
	}
	if !s.Has("answers") || first {
		r.decodeTestPacket(s, &p)
	}
	step := acltest.Step{Packet: p, Want: r.decodeWant(s), Place: r.KeyPlace(s.At)}
	s.Done()
	return step
}

// decodeTestPacket reads a packet that is no answer.
func (r *reader) decodeTestPacket(s *tomltext.Section, p *acltest.Packet) {
	p.Dst = tomltext.Get(s, "destination", netip.Addr{}, tomltext.Address)
	p.Protocol = tomltext.Get(s, "protocol", 0, aclProtocol)
	port := tomltext.Whole(0, 65535)
	p.SrcPort = uint16(tomltext.Get(s, "source-port", 0, port))
	p.DstPort = uint16(tomltext.Get(s, "destination-port", 0, port))
	for _, f := range tomltext.Distinct(s, "tcp-flags", tomltext.OneOf(flagWords, flagBits)) {
		p.TCPFlags |= f.Value
	}
	if word := tomltext.Get(s, "icmp-type", "", tomltext.Text("a type of ICMP")); word != "" {
		t, ok := aclICMPType(word, p.Dst.Is6())
		if !ok {
			r.Wrong(s.At.With("icmp-type"), fmt.Sprintf("%s is %q", s.At.With("icmp-type"), word),
				`a name such as "echo-request" of the packet's family, or a number, "3", or one with a code, "3/4"`)
		}
		p.ICMP = &dataplane.ICMPType{Type: t.Type, Code: t.Code}
	}
	p.DSCP = tomltext.Get(s, "dscp", 0, aclDSCP)
	p.TTL = uint8(tomltext.Get(s, "ttl", 0, tomltext.Whole(1, 255)))
	p.Length = tomltext.Get(s, "length", 0, tomltext.Whole(packet.IPv4MinHeader, 65535))
	p.Fragments = tomltext.Get(s, "fragments", false, tomltext.Bool)
	r.checkTestPacket(s, p)
}

// The TCP flags that a packet may have.
var flagWords, flagBits = func() (words []string, bits []uint8) {
	for _, word := range sortedKeys(tcpFlags) {
		words, bits = append(words, word), append(bits, tcpFlags[word])
	}
	return words, bits
}()

// checkTestPacket refuses what does not go together, and gives a packet that
// says no source port the first dynamic one (RFC 6335 §6).
func (r *reader) checkTestPacket(s *tomltext.Section, p *acltest.Packet) {
	for _, key := range []string{"inbound-interface", "source", "destination"} {
		if !s.Has(key) {
			r.WrongKey(s.At, fmt.Sprintf("%s has no %s", s.At, key), `inbound-interface, source and destination of its packet`)
			return
		}
	}
	if !p.Src.IsValid() || !p.Dst.IsValid() {
		return // reported already
	}
	wrong := func(key, what, want string) {
		r.Wrong(s.At.With(key), fmt.Sprintf("%s: %s", s.At.With(key), what), want)
	}
	isICMP := p.Protocol == 0 || p.Protocol == packet.ProtoICMP || p.Protocol == packet.ProtoICMPv6
	ports := p.Protocol == packet.ProtoTCP || p.Protocol == packet.ProtoUDP
	switch {
	case p.Src.Is4() != p.Dst.Is4():
		wrong("destination", fmt.Sprintf("it is of another family than the source %s", p.Src), "two addresses of one family")
	case p.Protocol == packet.ProtoICMP && p.Dst.Is6(), p.Protocol == packet.ProtoICMPv6 && p.Dst.Is4():
		wrong("protocol", fmt.Sprintf("%s has no %s", p.Dst, aclProtocolText(p.Protocol)), `"icmp" for IPv4 and "icmpv6" for IPv6`)
	case s.Has("icmp-type") && !isICMP:
		wrong("icmp-type", "its protocol is "+aclProtocolText(p.Protocol), `protocol = "icmp" or "icmpv6"`)
	case s.Has("tcp-flags") && p.Protocol != packet.ProtoTCP:
		wrong("tcp-flags", "its protocol is not tcp", `protocol = "tcp"`)
	case ports && !s.Has("destination-port"):
		r.WrongKey(s.At, fmt.Sprintf("%s has no destination-port", s.At), "one, of a packet of "+aclProtocolText(p.Protocol))
	case ports && !s.Has("source-port"):
		p.SrcPort = packet.FirstDynamicPort
	case !ports && (s.Has("source-port") || s.Has("destination-port")):
		r.WrongKey(s.At, fmt.Sprintf("%s has ports", s.At), `protocol = "tcp" or "udp"`)
	}
}

// decodeWant reads what is wanted to become of a packet.
func (r *reader) decodeWant(s *tomltext.Section) acltest.Want {
	w := acltest.Want{
		Outcome: tomltext.Get(s, "want", acltest.Any, tomltext.OneOf([]string{"accept", "drop", "reject"},
			[]acltest.Outcome{acltest.Accept, acltest.Drop, acltest.Reject})),
		Verdict: tomltext.Get(s, "verdict", verdict.None, verdictReading),
		List:    tomltext.Get(s, "acl", "", aclName),
		Rule:    tomltext.Get(s, "rule", "", tomltext.Text("the name of a rule, or "+acltest.DefaultAction)),
		Out:     tomltext.Get(s, "outbound-interface", "", interfaceName),
	}
	if state := tomltext.Get(s, "state", acl.New, aclState); s.Has("state") {
		w.State = &state
	}
	if s.Has("want") == s.Has("verdict") {
		r.WrongKey(s.At, fmt.Sprintf("%s has to say once what is wanted to become of its packet", s.At),
			`want = "accept", "drop" or "reject", or verdict = one of show drops and explain packet`)
	}
	return w
}

var verdictReading = func() tomltext.Reading[verdict.Verdict] {
	all := slices.Collect(verdict.All)
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = v.Label()
	}
	how := tomltext.OneOf(words, all)
	how.Want = `a verdict as explain packet and show drops name it, like "forwarded" or "no_route"`
	return how
}()
