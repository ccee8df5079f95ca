package control

// RIPSnapshot is what rip or ripng has counted.
type RIPSnapshot struct {
	Protocol   string
	Routes     []RIPCount // by state: learned, own, dying
	Interfaces []RIPInterface
}

// The metrics of RIP: by protocol and interface, never by neighbour or prefix.
var (
	descRIPRoutes    = describe("rip_routes", "Routes that the protocol knows, by state.", "protocol", "state")
	descRIPNeighbors = describe("rip_neighbors", "Routers that speak the protocol on the interface's link.", "protocol", "interface")
	descRIPPaths     = describe("rip_interface_routes", "Routes that neighbours on the interface's link offer and that are used by the protocol.", "protocol", "interface")
	descRIPSent      = describe("rip_sent_packets_total", "Packets that the protocol has sent, by kind.", "protocol", "interface", "kind")
	descRIPReceived  = describe("rip_received_packets_total", "Packets that the protocol has received and used, by kind.", "protocol", "interface", "kind")
	descRIPRefused   = describe("rip_refused_total", "Packets, and for the reasons entry and table_full entries, that the protocol has received and not used.", "protocol", "interface", "reason")
)

func (to sink) rip(list []RIPSnapshot) {
	for n := range list {
		s := &list[n]
		for _, c := range s.Routes {
			to.gauge(descRIPRoutes, float64(c.Count), s.Protocol, c.Kind)
		}
		for i := range s.Interfaces {
			f := &s.Interfaces[i]
			to.gauge(descRIPNeighbors, float64(f.Neighbors), s.Protocol, f.Name)
			to.gauge(descRIPPaths, float64(f.Routes), s.Protocol, f.Name)
			for _, c := range f.Sent {
				to.count(descRIPSent, c.Count, s.Protocol, f.Name, c.Kind)
			}
			for _, c := range f.Received {
				to.count(descRIPReceived, c.Count, s.Protocol, f.Name, c.Kind)
			}
			for _, c := range f.Refused {
				to.count(descRIPRefused, c.Count, s.Protocol, f.Name, c.Kind)
			}
		}
	}
}
