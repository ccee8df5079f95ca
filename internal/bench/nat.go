package bench

import (
	"context"
	"fmt"
)

// Both NATs translate the same: the source host as the router's own address,
// the flows' hosts by a pool that has ports for all of them, and those to be
// refused by one address with a handful of ports.
const (
	servedPool  = "198.18.0.1-198.18.0.254"
	refusedPool = "198.18.1.1"
	refusedFrom = 40000
)

// setupKernelNAT is setupKernel with nftables translating.
func setupKernelNAT(ctx context.Context, s *Site) error {
	return setupNft(ctx, s, fmt.Sprintf(`table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "eth1" ip saddr 10.77.1.%d/26 meta l4proto udp snat to %s:%d-%d
    oifname "eth1" ip saddr 10.77.1.%d/26 snat to %s
    oifname "eth1" masquerade
  }
}
`, firstRefused, refusedPool, refusedFrom, refusedFrom+refusedPorts-1, firstServed, servedPool))
}

// setupRouterdNAT is setupRouterd with the same translation.
func setupRouterdNAT(ctx context.Context, s *Site) error {
	return setupTracking(ctx, s, routerdConfig(s)+natConfig())
}

// natConfig is what the configuration says of translation.
func natConfig() string {
	rule := func(name, source, translation string) string {
		return fmt.Sprintf("\n[[nat.source]]\nname = %q\noutbound-interface = \"lan1\"\nsource = %q\ntranslation = %q\n", name, source, translation)
	}
	return sessionLimit +
		fmt.Sprintf("\n[nat.pool.served]\naddresses = [%q]\n", servedPool) +
		fmt.Sprintf("\n[nat.pool.refused]\naddresses = [%q]\nports = \"%d-%d\"\n", refusedPool, refusedFrom, refusedFrom+refusedPorts-1) +
		rule("refused", fmt.Sprintf("10.77.1.%d/26", firstRefused), "pool:refused") +
		rule("served", fmt.Sprintf("10.77.1.%d/26", firstServed), "pool:served") +
		rule("out", "10.77.1.0/24", "masquerade")
}
