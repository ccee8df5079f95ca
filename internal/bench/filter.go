package bench

import (
	"context"
	"fmt"
	"strings"
)

// filterRule is a rule of the lists that both filters have: it accepts a
// protocol from one network to another, to a range of ports.
type filterRule struct {
	protocol, source, destination string
	first, last                   uint16
}

// filterRules is a list of n rules, at least 4, such as a gateway has for its
// networks and services. The bench's traffic matches the last three alone: its
// streams, its datagrams, and the last one its new flows. The others differ from
// these in turn by the network that a packet comes from, by the one that it goes
// to, and by the port.
func filterRules(n int) (list []filterRule) {
	const clients, servers = "10.77.1.0/24", "10.77.2.0/24"
	for i := range n - 3 {
		r := filterRule{[]string{"tcp", "udp"}[i%2], clients, servers, uint16(1 + i%1023), uint16(1 + i%1023)}
		switch other := fmt.Sprintf("10.%d.%d.0/24", 100+i>>8, i&255); i % 3 {
		case 0:
			r.source = other
		case 1:
			r.destination = other
		}
		list = append(list, r)
	}
	return append(list,
		filterRule{"tcp", clients, servers, 1024, 65535},
		filterRule{"udp", "10.77.1.0/25", servers, 1024, 65535},
		filterRule{"udp", fmt.Sprintf("10.77.1.%d/25", firstServed), servers, 1024, 65535},
	)
}

// setupKernelFilter is setupKernel with a list of so many rules in nftables.
func setupKernelFilter(rules int) func(context.Context, *Site) error {
	return func(ctx context.Context, s *Site) error { return setupNft(ctx, s, nftFilter(filterRules(rules))) }
}

// nftFilter is the list as a firewall of nftables usually has it: packets of
// flows that are known pass before it.
func nftFilter(list []filterRule) string {
	var b strings.Builder
	b.WriteString("table ip filter {\n  chain forward {\n    type filter hook forward priority filter; policy drop;\n")
	b.WriteString("    ct state established,related accept\n    ct state invalid drop\n")
	for _, r := range list {
		fmt.Fprintf(&b, "    ip saddr %s ip daddr %s %s dport %s accept\n", r.source, r.destination, r.protocol, r.ports())
	}
	b.WriteString("  }\n}\n")
	return b.String()
}

// setupRouterdFilter is setupRouterd with the same list on both interfaces.
func setupRouterdFilter(rules int) func(context.Context, *Site) error {
	return func(ctx context.Context, s *Site) error {
		return setupTracking(ctx, s, filterConfig(s, filterRules(rules)))
	}
}

func filterConfig(s *Site, list []filterRule) string {
	var b strings.Builder
	for i := range s.Hosts {
		writeTUN(&b, s, i)
		b.WriteString("acl-in = \"forward\"\n")
	}
	b.WriteString("\n[acl.forward]\ndefault-action = \"drop\"\n")
	for i, r := range list {
		fmt.Fprintf(&b, "\n[[acl.forward.rule]]\nname = \"rule-%d\"\naction = \"accept\"\n", i+1)
		fmt.Fprintf(&b, "protocol = %q\nsource = %q\ndestination = %q\ndestination-port = %q\n", r.protocol, r.source, r.destination, r.ports())
	}
	return routerdHead(s) + sessionLimit + b.String()
}

// ports is how both filters write the ports of r.
func (r filterRule) ports() string {
	if r.first == r.last {
		return fmt.Sprint(r.first)
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}
