package control

// NATSnapshot has the counters of address translation.
type NATSnapshot struct {
	Rules []NATRule
	Table NATPoolList
}

// The metrics of translation: by rule and by pool, never by host or flow.
var (
	descNATSessions = describe("nat_sessions", "Sessions of address translation.")
	descNATMost     = describe("nat_sessions_max", "How many sessions of address translation there may be: max-sessions.")
	descNATHosts    = describe("nat_hosts", "Inside hosts that have sessions.")
	descNATHostMost = describe("nat_host_sessions_max", "How many sessions an inside host may have: max-sessions-per-host.")
	descNATMade     = describe("nat_sessions_created_total", "Sessions made.")
	descNATRefused  = describe("nat_refused_total", "New flows that got no session, by what was wanting.", "reason")
	descNATEvicted  = describe("nat_evicted_total", "Sessions without an answer that were ended to make room for others, by what was wanting.", "reason")

	descNATRuleSessions = describe("nat_rule_sessions", "Sessions by the rule that they stand on.", "kind", "rule")
	descNATRuleMade     = describe("nat_rule_sessions_created_total", "Sessions made by the rule, since it is what it is.", "kind", "rule")
	descNATRuleRefused  = describe("nat_rule_refused_total", "New flows that the rule was for and that got no session, by what was wanting.", "kind", "rule", "reason")

	descNATPoolSize     = describe("nat_pool_addresses", "Addresses of the pool.", "kind", "pool")
	descNATPoolPorts    = describe("nat_pool_ports", "Ports, of each protocol, of all addresses of the pool.", "kind", "pool")
	descNATPoolUsed     = describe("nat_pool_ports_used", "Ports in use, by mappings, rules, listeners and the router itself; of ICMP, identifiers.", "kind", "pool", "protocol")
	descNATPoolMappings = describe("nat_pool_mappings", "Inside endpoints that have a port of the pool.", "kind", "pool")
	descNATPoolRefused  = describe("nat_pool_refused_total", "New flows that got no port of the pool.", "kind", "pool")
)

func (to sink) nat(s *NATSnapshot) {
	if s == nil {
		return
	}
	t := &s.Table
	to.gauge(descNATSessions, float64(t.Sessions))
	to.gauge(descNATMost, float64(t.MaxSessions))
	to.gauge(descNATHosts, float64(t.Hosts))
	to.gauge(descNATHostMost, float64(t.MaxSessionsPerHost))
	to.count(descNATMade, t.Made)
	t.Refused.each(func(reason string, n uint64) { to.count(descNATRefused, n, reason) })
	to.count(descNATEvicted, t.Evicted.Exhausted, "port_exhausted")
	to.count(descNATEvicted, t.Evicted.TableFull, "table_full")
	for i := range s.Rules {
		r := &s.Rules[i]
		to.gauge(descNATRuleSessions, float64(r.Sessions), r.Kind, r.Name)
		to.count(descNATRuleMade, r.Made, r.Kind, r.Name)
		r.Refused.each(func(reason string, n uint64) { to.count(descNATRuleRefused, n, r.Kind, r.Name, reason) })
	}
	for i := range t.Pools {
		p := &t.Pools[i]
		to.gauge(descNATPoolSize, float64(p.Size), p.Kind, p.Name)
		to.gauge(descNATPoolPorts, float64(p.Capacity), p.Kind, p.Name)
		to.gauge(descNATPoolUsed, float64(p.Used.TCP), p.Kind, p.Name, "tcp")
		to.gauge(descNATPoolUsed, float64(p.Used.UDP), p.Kind, p.Name, "udp")
		to.gauge(descNATPoolUsed, float64(p.Used.ICMP), p.Kind, p.Name, "icmp")
		to.gauge(descNATPoolMappings, float64(p.Mappings), p.Kind, p.Name)
		to.count(descNATPoolRefused, p.Refused, p.Kind, p.Name)
	}
}

// each calls f with the metric label of each reason.
func (r NATRefused) each(f func(reason string, n uint64)) {
	f("port_exhausted", r.Exhausted)
	f("table_full", r.TableFull)
	f("host_full", r.HostFull)
}
