package nat

import (
	"net/netip"
	"slices"

	"routerd/flow"
)

// HostState is one inside host, as `show nat host` shows it. The router's own
// sessions count for their source address.
type HostState struct {
	Address  netip.Addr
	Sessions int
	Ports    int          // outside ports, one for each mapping
	Traffic  flow.Traffic // of the present sessions
}

// HostStates lists the inside hosts within a prefix that have sessions, by
// address; the zero Prefix is all. It goes through the whole table, and through
// all mappings for the ports, and releases the mutex between parts: hosts that
// come or go meanwhile may be listed or not. It calls stop now and then; if
// that is true it gives up and returns nothing.
func (n *NAT) HostStates(within netip.Prefix, stop func() bool) []HostState {
	hosts := map[uint32]*HostState{}
	var list [256]flow.Session
	for cursor, got := uint32(0), 0; ; {
		got, cursor = n.sessions.Walk(cursor, list[:])
		for i := range list[:got] {
			s := &list[i]
			h := hosts[s.Host]
			if h == nil {
				a := addr(s.Host)
				if within.IsValid() && !within.Contains(a) {
					continue
				}
				h = &HostState{Address: a}
				hosts[s.Host] = h
			}
			h.Sessions++
			h.Traffic.Add(s.Traffic)
		}
		if stop() {
			return nil
		}
		if cursor == 0 {
			break
		}
	}
	for block, more := 0, true; more && !stop(); block++ {
		more = n.countPorts(hosts, block)
	}
	out := make([]HostState, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b HostState) int { return a.Address.Compare(b.Address) })
	return out
}

// countPorts counts the mappings of one block for their hosts, and reports
// whether there are more blocks.
func (n *NAT) countPorts(hosts map[uint32]*HostState, block int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if block >= len(n.mappings.blocks) {
		return false
	}
	for i := range n.mappings.blocks[block] {
		m := &n.mappings.blocks[block][i]
		if m.sessions == 0 {
			continue
		}
		if h := hosts[m.inside]; h != nil {
			h.Ports++
		}
	}
	return true
}
