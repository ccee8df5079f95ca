package bench

// Mark is a claim about two paths: the ratio of their figures in the same round
// is at least Least, or at most Most where less is better.
type Mark struct {
	Name   string  `json:"name"`
	Metric string  `json:"metric"`
	Path   string  `json:"path"`
	Over   string  `json:"over"`
	Least  float64 `json:"least"` // wanted of the median; 0 only reports
	Most   float64 `json:"most,omitempty"`
	// CPU: it compares what all processors spend on a packet, the source's and the
	// sink's part included, and not what is delivered.
	CPU bool `json:"cpu,omitempty"`
	// Voids: a run that misses the mark says nothing about the others, since
	// the yardstick itself is slow.
	Voids bool `json:"voids,omitempty"`
}

// Marks lists the claims that a run is judged by.
var Marks = []Mark{
	{Name: "yardstick", Metric: TCP1, Path: Bare, Over: Kernel, Least: 0.6, Voids: true},
	{Name: "routerd-bare-tcp1", Metric: TCP1, Path: Routerd, Over: Bare, Least: 0.85},
	{Name: "routerd-bare-tcp4", Metric: TCP4, Path: Routerd, Over: Bare, Least: 0.85},
	{Name: "routerd-bare-udp", Metric: UDPSmall, Path: Routerd, Over: Bare, Least: 0.85},
	{Name: "routerd-wireguard-tcp1", Metric: TCP1, Path: Routerd, Over: Wireguard, Least: 1.5},
	{Name: "routerd-wireguard-tcp4", Metric: TCP4, Path: Routerd, Over: Wireguard, Least: 1.5},
	{Name: "routerd-kernel-tcp1", Metric: TCP1, Path: Routerd, Over: Kernel},
	{Name: "routerd-kernel-udp", Metric: UDPSmall, Path: Routerd, Over: Kernel},
	{Name: "packet-kernel2-tcp1", Metric: TCP1, Path: RouterdPacket, Over: Kernel2},
	{Name: "packet-kernel2-tcp4", Metric: TCP4, Path: RouterdPacket, Over: Kernel2},
	{Name: "packet-kernel2-udp", Metric: UDPSmall, Path: RouterdPacket, Over: Kernel2},
	{Name: "tap-kernel2-tcp1", Metric: TCP1, Path: RouterdTAP, Over: Kernel2},
	{Name: "tap-kernel2-tcp4", Metric: TCP4, Path: RouterdTAP, Over: Kernel2},
	{Name: "tap-kernel2-udp", Metric: UDPSmall, Path: RouterdTAP, Over: Kernel2},
	{Name: "nat-routerd-tcp1", Metric: TCP1, Path: RouterdNAT, Over: Routerd, Least: 0.95},
	{Name: "nat-routerd-tcp4", Metric: TCP4, Path: RouterdNAT, Over: Routerd, Least: 0.95},
	{Name: "nat-nft-udp", Metric: UDPSmall, Path: RouterdNAT, Over: KernelNAT, Least: 1.8},
	{Name: "nat-nft-tcp1", Metric: TCP1, Path: RouterdNAT, Over: KernelNAT},
	{Name: "nat-nft-tcp4", Metric: TCP4, Path: RouterdNAT, Over: KernelNAT},
	{Name: "nat-nft-new", Metric: NewFlows, Path: RouterdNAT, Over: KernelNAT},
	{Name: "nft-kernel-udp", Metric: UDPSmall, Path: KernelNAT, Over: Kernel},
	{Name: "filter10-nft-new", Metric: NewFlows, Path: RouterdFilter10, Over: KernelFilter10, Least: 1},
	{Name: "filter100-nft-new", Metric: NewFlows, Path: RouterdFilter100, Over: KernelFilter100, Least: 1},
	{Name: "filter1000-nft-new", Metric: NewFlows, Path: RouterdFilter1000, Over: KernelFilter1000, Least: 2},
	{Name: "filter10-nft-udp", Metric: UDPTwo, Path: RouterdFilter10, Over: KernelFilter10, Least: 1},
	{Name: "filter100-nft-udp", Metric: UDPTwo, Path: RouterdFilter100, Over: KernelFilter100, Least: 1},
	{Name: "filter1000-nft-udp", Metric: UDPTwo, Path: RouterdFilter1000, Over: KernelFilter1000, Least: 2},
	{Name: "filter-routerd-udp", Metric: UDPTwo, Path: RouterdFilter10, Over: Routerd, Least: 0.95},
	{Name: "filter-routerd-tcp1", Metric: TCP1, Path: RouterdFilter10, Over: Routerd, Least: 0.95},
	{Name: "own-kernel-tcp1", Metric: TCP1, Path: RouterdOwn, Over: Kernel},
	{Name: "own-kernel-tcp4", Metric: TCP4, Path: RouterdOwn, Over: Kernel},

	{Name: "offload-kernel-tcp1", Metric: TCP1, Path: OffloadAuto, Over: Kernel, Least: 1.2},
	{Name: "offload-kernel-tcp4", Metric: TCP4, Path: OffloadAuto, Over: Kernel, Least: 1.2},
	{Name: "offload-nft-tcp1", Metric: TCP1, Path: OffloadAutoNAT, Over: KernelNAT, Least: 1.25},
	{Name: "offload-nft-tcp4", Metric: TCP4, Path: OffloadAutoNAT, Over: KernelNAT, Least: 1.4},
	{Name: "queue-kernel-tcp1", Metric: TCP1, Path: OffloadQueue, Over: KernelQueue, Least: 0.9},
	{Name: "queue-kernel-tcp4", Metric: TCP4, Path: OffloadQueue, Over: KernelQueue, Least: 0.9},
	{Name: "cached-kernel-udp", Metric: UDPSmall, Path: OffloadAlways, Over: Kernel, Least: 1.05},
	{Name: "cached-nft-udp", Metric: UDPSmall, Path: OffloadAlwaysNAT, Over: KernelNAT, Least: 1.4},
	{Name: "cached-kernel-cpu", Metric: UDPPaced, Path: OffloadAlways, Over: Kernel, Most: 0.95, CPU: true},
	{Name: "cached-nft-cpu", Metric: UDPPaced, Path: OffloadAlwaysNAT, Over: KernelNAT, Most: 0.7, CPU: true},
	{Name: "offload-kernel-one", Metric: UDPOne, Path: OffloadAuto, Over: Kernel, Least: 1.8},
	{Name: "offload-nft-one", Metric: UDPOne, Path: OffloadAutoNAT, Over: KernelNAT, Least: 2},
	{Name: "offload-kernel-many", Metric: UDPMany, Path: OffloadAuto, Over: Kernel, Least: 1},
	{Name: "offload-nft-many", Metric: UDPMany, Path: OffloadAutoNAT, Over: KernelNAT, Least: 1.3},
	{Name: "offload-kernel-echo", Metric: UDPEcho, Path: OffloadAuto, Over: Kernel, Most: 1.1},
	{Name: "full-ten-wide", Metric: UDPWide, Path: OffloadFull, Over: OffloadTen, Least: 0.9},
	{Name: "veth-kernel-tcp1", Metric: TCP1, Path: OffloadVeth, Over: Kernel},
	{Name: "off-kernel-tcp1", Metric: TCP1, Path: OffloadOff, Over: Kernel},
	{Name: "off-kernel-tcp4", Metric: TCP4, Path: OffloadOff, Over: Kernel},
	{Name: "off-kernel-udp", Metric: UDPSmall, Path: OffloadOff, Over: Kernel},
	{Name: "off-kernel-one", Metric: UDPOne, Path: OffloadOff, Over: Kernel},
	{Name: "cached-kernel-one", Metric: UDPOne, Path: OffloadAlways, Over: Kernel},
	{Name: "cached-nft-one", Metric: UDPOne, Path: OffloadAlwaysNAT, Over: KernelNAT},
	{Name: "off-earlier-tcp1", Metric: TCP1, Path: OffloadOff, Over: EarlierPacket, Least: 0.95},
	{Name: "off-earlier-tcp4", Metric: TCP4, Path: OffloadOff, Over: EarlierPacket, Least: 0.95},
	{Name: "off-earlier-udp", Metric: UDPSmall, Path: OffloadOff, Over: EarlierPacket, Least: 0.95},
	{Name: "tun-earlier-tcp1", Metric: TCP1, Path: Routerd, Over: EarlierTUN, Least: 0.95},
	{Name: "tun-earlier-tcp4", Metric: TCP4, Path: Routerd, Over: EarlierTUN, Least: 0.95},
	{Name: "tun-earlier-udp", Metric: UDPSmall, Path: Routerd, Over: EarlierTUN, Least: 0.95},
}

// wants reports whether the mark judges; it only reports otherwise.
func (m Mark) wants() bool { return m.Least > 0 || m.Most > 0 }

// minPairs is the fewest pairs that a mark may be judged by.
const minPairs = 10

// Verdicts of a mark.
const (
	Pass     = "PASS"
	Miss     = "MISS"
	Void     = "VOID"    // the yardstick is too slow, or the machine too busy, for a judgement
	TooFew   = "TOO FEW" // fewer pairs than a judgement needs
	Unmeant  = "-"       // the mark only reports
	NotTaken = "NOT RUN" // one of the two was not measured
)

// Judgement is the result of a mark.
type Judgement struct {
	Mark
	Spread  Spread    `json:"spread"` // of the ratios, one per round
	Ratios  []float64 `json:"ratios"`
	Verdict string    `json:"verdict"`
}

// judge compares the paths round by round. Marks of which neither the metric
// nor any path was asked for are left out.
func judge(marks []Mark, r *Report) []Judgement {
	var out []Judgement
	bent := false
	for _, m := range marks {
		if !r.asked(m) {
			continue
		}
		j := Judgement{Mark: m, Ratios: ratios(r.samples(m.Path, m.Metric), r.samples(m.Over, m.Metric), r.figure(m))}
		j.Spread = SpreadOf(j.Ratios)
		j.Verdict = m.verdict(j.Spread)
		bent = bent || m.Voids && j.Verdict == Miss
		out = append(out, j)
	}
	for i := range out {
		if bent && out[i].wants() && !out[i].Voids && out[i].Verdict != NotTaken {
			out[i].Verdict = Void
		}
	}
	return out
}

func (m Mark) verdict(s Spread) string {
	switch {
	case s.N == 0:
		return NotTaken
	case !m.wants():
		return Unmeant
	case s.Median < m.Least, m.Most > 0 && s.Median > m.Most:
		return Miss
	case s.N < minPairs:
		return TooFew
	}
	return Pass
}

// ratios pairs the samples of the same rounds. A round that lacks one of the
// two gives none.
func ratios(a, b []Sample, figure func(Sample) float64) []float64 {
	out := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		if below := figure(b[i]); below > 0 {
			out = append(out, figure(a[i])/below)
		}
	}
	return out
}
