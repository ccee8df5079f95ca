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

// sessionLimit lets one host have all the sessions of a daemon.
const sessionLimit = "\n[nat]\nmax-sessions-per-host = 262144\n"

// setupNft is setupKernel with rules of nftables, for which the kernel keeps
// sessions.
func setupNft(ctx context.Context, s *Site, rules string) error {
	if s.Options.IPv6 {
		return errOnlyIPv4
	}
	nft, err := exec.LookPath("nft")
	if err != nil {
		return fmt.Errorf("%w: nft is not installed", ErrSkip)
	}
	if err := setupKernel(ctx, s); err != nil {
		return err
	}
	router := s.prefix + "r"
	err = InNamespace(router, func() error {
		cmd := exec.CommandContext(ctx, nft, "-f", "-")
		cmd.Stdin = strings.NewReader(rules)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: nft cannot do this here: %s", ErrSkip, firstLine(out))
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

var errOnlyIPv4 = fmt.Errorf("%w: the flows of the bench are of IPv4", ErrSkip)

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

// setupTracking runs the real daemon with a configuration for which it keeps
// sessions.
func setupTracking(ctx context.Context, s *Site, config string) error {
	if s.Options.IPv6 {
		return errOnlyIPv4
	}
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	if err := s.runRouterd(ctx, binary, "api", config); err != nil {
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

// forget ends all sessions of a path.
func (s *Site) forget(ctx context.Context) error {
	if s.forgetting == nil {
		return errors.New("this path keeps no sessions, wanted one that does")
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
