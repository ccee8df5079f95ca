package control

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"routerd/icmp"
	"routerd/internal/access"
	"routerd/internal/packet"
	"routerd/internal/show"
	"routerd/internal/verdict"
)

// ProbeSeconds is how long a router waits for the answer to a probe.
const ProbeSeconds = 2

// ProbeQuery describes a packet to send, in the words of PacketQuery.
type ProbeQuery struct {
	Src      netip.Addr `query:"src"` // an address of the router; absent: it chooses
	Dst      netip.Addr `query:"dst"` // a host beyond the router
	Protocol string     `query:"protocol"`
	SrcPort  uint16     `query:"src_port"` // 0: it chooses
	DstPort  uint16     `query:"dst_port"`
	Size     int        `query:"size,max=65535"`
	DF       bool       `query:"df"`
	TTL      uint8      `query:"ttl"`
}

// ProbeResult is what was predicted of a packet that the router has sent, and what was
// observed.
type ProbeResult struct {
	Packet      string           `json:"packet"` // as Describe words it
	Prediction  ProbePrediction  `json:"prediction"`
	Observation ProbeObservation `json:"observation"`
	// Agrees: what the router did with the packet is what it had predicted. It says
	// nothing of what others made of it.
	Agrees bool   `json:"agrees"`
	Says   string `json:"says"` // the comparison, in a sentence
}

// ProbePrediction is the packet's way through the stages by the tables that it was sent
// by, as of explain packet.
type ProbePrediction struct {
	Steps    []Step `json:"steps"`
	Verdict  string `json:"verdict"`
	Class    string `json:"class"` // passed | local | dropped; local: it waits for its next hop
	Sentence string `json:"sentence"`
	Out      string `json:"out,omitempty"` // the interface that sends it; absent if it is not sent
}

// ProbeObservation is what became of the packet.
type ProbeObservation struct {
	Verdict  string     `json:"verdict"`
	Class    string     `json:"class"`
	Sentence string     `json:"sentence"`
	Out      string     `json:"out,omitempty"`       // as of the prediction
	NextHop  netip.Addr `json:"next_hop,omitzero"`   // whom it was sent to, or waits for; absent where nobody has to be named
	MAC      string     `json:"mac,omitempty"`       // of the next hop, on an Ethernet link
	Left     float64    `json:"left_after,omitzero"` // seconds until it left; absent if it has not
	// Answer is what came back first. Absent if nothing did in ProbeSeconds.
	Answer *ProbeAnswer `json:"answer,omitempty"`
}

// ProbeAnswer is a packet that answers a probe.
type ProbeAnswer struct {
	Kind   string     `json:"kind"`   // echo_reply | icmp_error | tcp_accepted | tcp_refused | udp
	Text   string     `json:"text"`   // "an echo reply", "time exceeded", "a SYN+ACK: somebody listens"
	From   netip.Addr `json:"from"`   // who sent it
	In     string     `json:"in"`     // the interface that it came in by
	Packet string     `json:"packet"` // as Describe words it
	After  float64    `json:"after"`  // seconds from the probe until it came
}

var probeNoun = show.Spec[Router, ProbeQuery, ProbeResult]{
	Path: "probe", Changes: true, Takes: access.Operate,
	Check: (*ProbeQuery).check,
	Ask:   func(ctx context.Context, r Router, q ProbeQuery) (ProbeResult, error) { return r.Probe(ctx, q) },
}.Noun()

func (p *ProbeQuery) check() error {
	if p.Protocol == "" {
		p.Protocol = "icmp"
	}
	switch {
	case !p.Dst.IsValid():
		return show.BadRequest("a probe needs dst")
	case p.Src.IsValid() && p.Src.Is4() != p.Dst.Is4():
		return show.BadRequest("a probe from %s to %s: both addresses have to be of one family", p.Src, p.Dst)
	case !slices.Contains([]string{"tcp", "udp", "icmp"}, p.Protocol):
		return show.BadRequest("parameter protocol is %q, wanted tcp, udp or icmp", p.Protocol)
	case p.Protocol == "icmp" && (p.SrcPort != 0 || p.DstPort != 0):
		return show.BadRequest("a packet of icmp has no ports")
	case p.Protocol != "icmp" && p.DstPort == 0:
		return show.BadRequest("a probe by %s needs dst_port", p.Protocol)
	}
	return nil
}

// Probe makes the router send a packet and tell what becomes of it.
func (c *Client) Probe(ctx context.Context, q ProbeQuery) (r ProbeResult, err error) {
	return r, c.do(ctx, http.MethodPost, "probe", show.Values(q), &r)
}

// AnswerKind returns the Kind and the Text of a ProbeAnswer: protocol is the IP
// protocol of the packet, upper its whole transport header and what follows.
func AnswerKind(protocol uint8, upper []byte) (kind, text string) {
	switch protocol {
	case packet.ProtoTCP:
		if packet.TCP(upper).Flags()&packet.TCPRst != 0 {
			return "tcp_refused", "a reset: nobody listens there"
		}
		return "tcp_accepted", "a SYN+ACK: somebody listens there"
	case packet.ProtoUDP:
		return "udp", "a datagram"
	}
	m := packet.ICMP(upper)
	if t := m.Type(); protocol == packet.ProtoICMP && t == icmp.EchoReply || protocol == packet.ProtoICMPv6 && t == icmp.EchoReply6Type {
		return "echo_reply", "an echo reply"
	}
	return "icmp_error", icmpWords(protocol, m)
}

// Judge compares the prediction with the observation.
func (r *ProbeResult) Judge() {
	p, o := &r.Prediction, &r.Observation
	const resolving = "resolving"
	sent := o.Class == "passed"
	switch {
	case p.Verdict == resolving && sent && p.Out == o.Out:
		r.Agrees = true
		r.Says = fmt.Sprintf("the tables send it by %s to a next hop that had to be asked for first, which answered, and it left", o.Out)
	case p.Verdict == resolving && o.Verdict == resolving:
		r.Says = fmt.Sprintf("the tables send it by %s, and its next hop %s has not answered within %d s: it has not left", p.Out, o.NextHop, ProbeSeconds)
	case !sent && (p.Verdict == resolving || o.Verdict == verdict.EgressRefused.Label()): // which no table tells
		r.Says = fmt.Sprintf("the tables send it by %s, and it did not leave: %s", p.Out, o.Sentence)
	case p.Verdict != o.Verdict || p.Out != o.Out:
		r.Says = fmt.Sprintf("predicted was %s, and observed %s: what the router knows has changed meanwhile", wording(p.Verdict, p.Out), wording(o.Verdict, o.Out))
	case !sent:
		r.Agrees = true
		r.Says = "as predicted, it did not leave: " + o.Sentence
	default:
		r.Agrees = true
		r.Says = "as predicted, it left by " + o.Out
	}
	switch {
	case !sent:
	case o.Answer != nil:
		r.Says += fmt.Sprintf("; %s answered with %s", o.Answer.From, o.Answer.Text)
	default:
		r.Says += fmt.Sprintf("; nothing came back within %d s, and from here on others decide", ProbeSeconds)
	}
}

func wording(verdict, out string) string {
	if out == "" {
		return verdict
	}
	return verdict + " by " + out
}
