package bench

import "fmt"

// Traffic is what a measurement sends.
type Traffic struct {
	// Streams is the number of TCP connections; 0 sends UDP.
	Streams int `json:"streams,omitempty"`
	// Flows is the number of UDP flows: that many source ports.
	Flows int `json:"flows,omitempty"`
	// Payload is the length of one datagram's payload in bytes.
	Payload int `json:"payload,omitempty"`
	// Burst is the number of consecutive datagrams of one flow: one
	// sendmmsg, or with Super one UDP_SEGMENT send.
	Burst int `json:"burst,omitempty"`
	// Rate is the number of datagrams a second; 0 sends as fast as it goes.
	Rate int `json:"rate,omitempty"`
	// Super sends each burst as one UDP_SEGMENT super-packet, and lets the
	// sink take super-packets whole (UDP_GRO).
	Super bool `json:"super,omitempty"`
	// Answered has the sink answer the first datagrams of each flow, so that a
	// filter sees it as established.
	Answered bool `json:"answered,omitempty"`
	// Fresh is how many datagrams are sent each of which is a flow of its own;
	// 0 for none. What is measured ends with the last of them.
	Fresh int `json:"fresh,omitempty"`
	// Refused has the flows come from hosts that a NAT has next to no ports for.
	Refused bool `json:"refused,omitempty"`
	// Many is the number of UDP flows that take turns, one datagram each time;
	// 0 for those of Flows.
	Many int `json:"many,omitempty"`
	// Wide has each flow go to an address of its own, all over the table of a
	// path that has one.
	Wide bool `json:"wide,omitempty"`
	// Echo sends one datagram at a time and waits for it to come back. The
	// figure is the median of the times that took.
	Echo bool `json:"echo,omitempty"`
	// IPerf has iperf3 carry the streams instead of the bench's own parts.
	IPerf bool `json:"iperf,omitempty"`
}

// Metric is one kind of traffic and the figure that it yields.
type Metric struct {
	Name    string  `json:"name"`  // what the flags and JSON call it
	Title   string  `json:"title"` // what the table calls it
	Traffic Traffic `json:"traffic"`
	Skipped string  `json:"skipped,omitempty"` // why there are no samples
}

// The kinds of traffic.
const (
	TCP1     = "tcp1"
	TCP4     = "tcp4"
	UDPSmall = "udp"
	UDPTwo   = "udp-two-way"
	UDPPaced = "udp-paced"
	UDPOne   = "udp-one"
	UDPMany  = "udp-many"
	UDPWide  = "udp-wide"
	UDPEcho  = "echo"
	UDPSuper = "udp-super"
	IPerf1   = "iperf3-1"
	IPerf4   = "iperf3-4"
	NewFlows = "new"
	NewPaced = "new-paced"
	Refusals = "refused"
)

// Sizes of the UDP traffic. 64 bytes of payload make an IPv4 packet of 92
// bytes. Eight flows take turns, sixteen packets each: enough in a row for a
// router that coalesces, and far from one endless flow.
const (
	smallPayload = 64
	udpFlows     = 8
	udpBurst     = 16
	freshFlows   = 200_000 // fewer than nf_conntrack_max allows by default
	manyFlows    = 10_000
	wideFlows    = 1 << 20
	echoRate     = 1000 // a second: the machine is idle between two of them
	superBurst   = 64   // datagrams in one UDP_SEGMENT send; the kernel's limit was 64 before 6.9
)

// DefaultPacedRate, in packets/s, is below what every path carries, so that
// CPU per packet is not that of dropping.
const DefaultPacedRate = 50000

// Metrics lists the kinds of traffic there are, the paced one at rate
// packets/s.
func Metrics(rate int) []Metric {
	small := Traffic{Flows: udpFlows, Payload: smallPayload, Burst: udpBurst}
	paced, super, answered := small, small, small
	paced.Rate = rate
	answered.Answered = true
	super.Super, super.Burst = true, superBurst
	fresh := Traffic{Fresh: freshFlows, Payload: smallPayload, Burst: udpBurst}
	freshPaced := fresh
	freshPaced.Fresh, freshPaced.Rate = rate, rate
	refused := freshPaced
	refused.Refused = true
	one, many := small, Traffic{Many: manyFlows, Payload: smallPayload, Burst: udpBurst}
	one.Flows = 1
	wide := many
	wide.Many, wide.Wide = wideFlows, true
	return []Metric{
		{Name: TCP1, Title: "TCP 1", Traffic: Traffic{Streams: 1}},
		{Name: TCP4, Title: "TCP 4", Traffic: Traffic{Streams: 4}},
		{Name: UDPSmall, Title: "UDP small", Traffic: small},
		{Name: UDPTwo, Title: "UDP two-way", Traffic: answered},
		{Name: UDPPaced, Title: fmt.Sprintf("UDP %d k/s", rate/1000), Traffic: paced},
		{Name: UDPOne, Title: "UDP 1 flow", Traffic: one},
		{Name: UDPMany, Title: "UDP 10 k flows", Traffic: many},
		{Name: UDPWide, Title: "UDP 1 M flows", Traffic: wide},
		{Name: UDPEcho, Title: "round trip", Traffic: Traffic{Echo: true, Payload: smallPayload, Rate: echoRate}},
		{Name: UDPSuper, Title: "UDP super", Traffic: super},
		{Name: IPerf1, Title: "iperf3 1", Traffic: Traffic{Streams: 1, IPerf: true}},
		{Name: IPerf4, Title: "iperf3 4", Traffic: Traffic{Streams: 4, IPerf: true}},
		{Name: NewFlows, Title: "new flows", Traffic: fresh},
		{Name: NewPaced, Title: fmt.Sprintf("new flows %d k/s", rate/1000), Traffic: freshPaced},
		{Name: Refusals, Title: fmt.Sprintf("refused %d k/s", rate/1000), Traffic: refused},
	}
}
