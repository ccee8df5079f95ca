package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
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
	if s.Options.IPv6 {
		return fmt.Errorf("%w: NAT44 is of IPv4", ErrSkip)
	}
	nft, err := exec.LookPath("nft")
	if err != nil {
		return fmt.Errorf("%w: nft is not installed", ErrSkip)
	}
	if err := setupKernel(ctx, s); err != nil {
		return err
	}
	router := s.prefix + "r"
	rules := fmt.Sprintf(`table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "eth1" ip saddr 10.77.1.%d/26 meta l4proto udp snat to %s:%d-%d
    oifname "eth1" ip saddr 10.77.1.%d/26 snat to %s
    oifname "eth1" masquerade
  }
}
`, firstRefused, refusedPool, refusedFrom, refusedFrom+refusedPorts-1, firstServed, servedPool)
	err = InNamespace(router, func() error {
		cmd := exec.CommandContext(ctx, nft, "-f", "-")
		cmd.Stdin = strings.NewReader(rules)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: nft knows no NAT here: %s", ErrSkip, firstLine(out))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.forgetting = func(context.Context) error { return flushConntrack(router) }
	s.memory = kernelMemory
	return nil
}

// flushConntrack ends all sessions of a namespace's kernel.
func flushConntrack(namespace string) error {
	ns, err := netns.GetFromName(namespace)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", namespace, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netlink in %q: %w", namespace, err)
	}
	defer h.Close()
	if err := h.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		return fmt.Errorf("flush the sessions of %q: %w", namespace, err)
	}
	return nil
}

// setupRouterdNAT is setupRouterd with the same translation.
func setupRouterdNAT(ctx context.Context, s *Site) error {
	if s.Options.IPv6 {
		return fmt.Errorf("%w: NAT44 is of IPv4", ErrSkip)
	}
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	if err := s.runRouterd(ctx, binary, "api", routerdConfig(s)+natConfig()); err != nil {
		return err
	}
	socket := "unix://" + filepath.Join(s.dir, "api.sock")
	s.forgetting = func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, binary, "clear", "nat", "session", "--all", "--socket", socket).CombinedOutput()
		if err != nil {
			return fmt.Errorf("clear routerd's sessions: %w: %s", err, firstLine(out))
		}
		return nil
	}
	pid := s.forwarders[0].cmd.Process.Pid
	s.memory = func() (uint64, error) { return figure(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") }
	return nil
}

// natConfig is what the configuration says of translation.
func natConfig() string {
	rule := func(name, source, translation string) string {
		return fmt.Sprintf("\n[[nat.source]]\nname = %q\noutbound-interface = \"lan1\"\nsource = %q\ntranslation = %q\n", name, source, translation)
	}
	return "\n[nat]\nmax-sessions-per-host = 262144\n" +
		fmt.Sprintf("\n[nat.pool.served]\naddresses = [%q]\n", servedPool) +
		fmt.Sprintf("\n[nat.pool.refused]\naddresses = [%q]\nports = \"%d-%d\"\n", refusedPool, refusedFrom, refusedFrom+refusedPorts-1) +
		rule("refused", fmt.Sprintf("10.77.1.%d/26", firstRefused), "pool:refused") +
		rule("served", fmt.Sprintf("10.77.1.%d/26", firstServed), "pool:served") +
		rule("out", "10.77.1.0/24", "masquerade")
}

// forget ends all sessions of a path that translates.
func (s *Site) forget(ctx context.Context) error {
	if s.forgetting == nil {
		return errors.New("this path translates nothing, wanted one that does")
	}
	return s.forgetting(context.WithoutCancel(ctx))
}

// kernelMemory is what the kernel has allocated in small pieces, which
// sessions are, in bytes.
func kernelMemory() (uint64, error) { return figure("/proc/meminfo", "SUnreclaim:") }

// figure reads a line of a file of /proc that gives kilobytes, in bytes.
func figure(path, name string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name && f[2] == "kB" {
			n, err := strconv.ParseUint(f[1], 10, 64)
			if err == nil {
				return n << 10, nil
			}
		}
	}
	return 0, fmt.Errorf("read memory: %s has no line %s, wanted one in kB", path, name)
}
