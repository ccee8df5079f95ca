package control

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/show"
)

// PacketQuery describes a packet to explain.
type PacketQuery struct {
	In       string     `query:"in"`  // the interface that receives it
	Src      netip.Addr `query:"src"` // of the same family as Dst
	Dst      netip.Addr `query:"dst"`
	Protocol string     `query:"protocol"` // "tcp", "udp" or "icmp", for IPv6 too; "" = icmp, an echo request
	SrcPort  uint16     `query:"src_port"` // tcp and udp only
	DstPort  uint16     `query:"dst_port"`
	Size     int        `query:"size,max=65535"` // bytes of the whole packet; 0 = the minimum
	DF       bool       `query:"df"`             // do not fragment
	TTL      uint8      `query:"ttl"`            // or hop limit; 0 = 64
}

// PacketExplanation is the way of one packet through the stages.
type PacketExplanation struct {
	In       string `json:"in"`
	Packet   string `json:"packet"` // as Describe words it
	Steps    []Step `json:"steps"`
	Verdict  string `json:"verdict"`
	Class    string `json:"class"` // passed | local | dropped
	Sentence string `json:"sentence"`
	Out      string `json:"out,omitempty"` // the interface that sends it; absent if it is not sent
	// Answer is the router's own packet in reply: an ICMP error or an echo
	// reply. Absent if there is none.
	Answer *Answer `json:"answer,omitempty"`
	// Carried is what the kernel carries of the packet's flow; absent if it does not
	// carry it. Then a step says why, where it carries others.
	Carried *Carried `json:"carried,omitempty"`
}

// Carried is a flow that the kernel carries, as it is now.
type Carried struct {
	Since   time.Time `json:"since"`
	Packets uint64    `json:"packets"`
	Bytes   uint64    `json:"bytes"`
}

// Step is what one stage decided.
type Step struct {
	Stage  string `json:"stage"`
	Text   string `json:"text"`
	Answer bool   `json:"answer"`           // the step concerns the router's answer, not the packet itself
	Origin string `json:"origin,omitempty"` // the configuration line that decided; absent if none
}

// Answer is the router's own packet in reply.
type Answer struct {
	Packet   string `json:"packet"`
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Out      string `json:"out,omitempty"` // absent if it would not be sent
}

// explainNouns are nouns without a show command: the command line has other
// verbs for them.
var explainNouns = []Noun{probeNoun, explainPacketNoun, explainRouteNoun, explainPolicyNoun, diffNoun, reloadNoun}

var explainPacketNoun = show.Spec[Router, PacketQuery, PacketExplanation]{
	Path:  "explain/packet",
	Check: (*PacketQuery).check,
	Ask: func(ctx context.Context, r Router, q PacketQuery) (PacketExplanation, error) {
		return r.ExplainPacket(ctx, q)
	},
}.Noun()

func (p *PacketQuery) check() error {
	if p.Protocol == "" {
		p.Protocol = "icmp"
	}
	switch {
	case p.In == "" || !p.Src.IsValid() || !p.Dst.IsValid():
		return show.BadRequest("a packet to explain needs in, src and dst")
	case p.Src.Is4() != p.Dst.Is4():
		return show.BadRequest("a packet from %s to %s: both addresses have to be of one family", p.Src, p.Dst)
	case !slices.Contains([]string{"tcp", "udp", "icmp"}, p.Protocol):
		return show.BadRequest("parameter protocol is %q, wanted tcp, udp or icmp", p.Protocol)
	case p.Protocol == "icmp" && (p.SrcPort != 0 || p.DstPort != 0):
		return show.BadRequest("a packet of icmp has no ports")
	}
	return nil
}
