package control

// FlowSnapshot has the counters of the flows that the kernel carries.
type FlowSnapshot struct {
	Flows, Max int
	Made       uint64
	// Ended and Refused have every reason that there is, those too that never
	// were.
	Ended, Refused []FlowCount
	Lost           uint64 // packets
}

// FlowCount is how many flows there were for a reason.
type FlowCount struct {
	Reason string // a word for a label
	Count  uint64
}

// The metrics of carried flows: by interface and reason, never by flow.
var (
	descFlows        = describe("carried_flows", "Flows that the kernel carries.")
	descFlowsMost    = describe("carried_flows_max", "How many flows the kernel may carry at once: offload-flows.")
	descFlowsMade    = describe("carried_flows_made_total", "Flows that the kernel was given to carry.")
	descFlowsEnded   = describe("carried_flows_ended_total", "Flows that the kernel has stopped to carry, by what ended them.", "reason")
	descFlowsRefused = describe("carried_flows_refused_total", "Flows that seemed worth it and that the kernel was not given, by why not.", "reason")
	descFlowsLost    = describe("carried_lost_packets_total", "Packets of carried flows that were lost because the kernel had no memory to change them.")

	descCarries        = describe("interface_carries", "Whether the kernel carries flows that come in by the interface, where that is wanted: 1 or 0.", "interface")
	descCarriedPackets = describe("interface_carried_packets_total", "Packets that came in by the interface and that the kernel carried. They count in the interface's other counters too.", "interface")
	descCarriedBytes   = describe("interface_carried_bytes_total", "Bytes of these packets.", "interface")
)

func (to sink) flows(s *FlowSnapshot) {
	if s == nil {
		return
	}
	to.gauge(descFlows, float64(s.Flows))
	to.gauge(descFlowsMost, float64(s.Max))
	to.count(descFlowsMade, s.Made)
	for _, e := range s.Ended {
		to.count(descFlowsEnded, e.Count, e.Reason)
	}
	for _, r := range s.Refused {
		to.count(descFlowsRefused, r.Count, r.Reason)
	}
	to.count(descFlowsLost, s.Lost)
}

func (to sink) carries(f *InterfaceSnapshot) {
	if f.Offload == nil {
		return
	}
	to.gauge(descCarries, oneIf(f.Offload.Carries), f.Name)
	to.count(descCarriedPackets, f.Offload.Carried.Packets, f.Name)
	to.count(descCarriedBytes, f.Offload.Carried.Bytes, f.Name)
}
