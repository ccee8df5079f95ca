package daemon

import (
	"testing"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// The metrics of translation are what show nat rule and show nat pool say, and
// there are none where nothing is translated.
func TestNATMetrics(t *testing.T) {
	n := newNATShown(t, `name = "r1"
[interface.lan0]
kind = "tun"
addresses = ["10.1.0.1/24"]
[interface.wan0]
kind = "tun"
addresses = ["203.0.113.1/24"]
[nat]
max-sessions-per-host = 1
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
translation = "masquerade"
`)
	n.begin(packet.ProtoUDP, "10.1.0.2:5000", "198.51.100.2:53", "lan0", "wan0")
	n.begin(packet.ProtoTCP, "10.1.0.3:5000", "198.51.100.2:80", "lan0", "wan0")
	if r := n.try(packet.ProtoUDP, "10.1.0.2:5001", "198.51.100.2:53", "lan0", "wan0"); r.Verdict != verdict.NATHostLimit {
		t.Fatalf("a host's second session is %s, want it refused", r.Verdict)
	}
	m, err := n.natMetrics(t.Context())
	if err != nil || m == nil || len(m.Rules) != 1 || len(m.Table.Pools) != 1 {
		t.Fatalf("%+v, %v; want one rule and one pool", m, err)
	}
	if s := &m.Table; s.Sessions != 2 || s.Hosts != 2 || s.Made != 2 || s.Refused.HostFull != 1 || s.Refused.Sum() != 1 || s.MaxSessionsPerHost != 1 || s.MaxSessions == 0 {
		t.Errorf("the table: %+v", s)
	}
	if r := &m.Rules[0]; r.Name != "lan-out" || r.Kind != "source" || r.Sessions != 2 || r.Made != 2 || r.Refused != m.Table.Refused {
		t.Errorf("the rule: %+v", r)
	}
	if p := &m.Table.Pools[0]; p.Name != "wan0" || p.Kind != "interface" || p.Size != 1 || p.Capacity != 65535 || p.Used.TCP != 1 || p.Used.UDP != 1 || p.Used.ICMP != 0 || p.Mappings != 2 || p.Refused != 0 {
		t.Errorf("the pool: %+v", p)
	}
	plain := newNATShown(t, `name = "r1"
[interface.lan0]
kind = "tun"
addresses = ["10.1.0.1/24"]
`)
	if m, err := plain.natMetrics(t.Context()); m != nil || err != nil {
		t.Errorf("where nothing is translated: %+v, %v", m, err)
	}
}
