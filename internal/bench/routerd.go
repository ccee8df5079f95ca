package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// setupRouterd runs the real daemon on two TUNs.
func setupRouterd(ctx context.Context, s *Site) error {
	binary := s.Options.Routerd
	if binary == "" {
		var err error
		if binary, err = buildRouterd(ctx, s.dir); err != nil {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, binary, "run", "--help").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s has no verb run: %s", ErrSkip, binary, firstLine(out))
	}
	config := filepath.Join(s.dir, "routerd.toml")
	if err := os.WriteFile(config, []byte(routerdConfig(s)), 0o600); err != nil {
		return fmt.Errorf("write routerd's configuration: %w", err)
	}
	p, err := startProcess("routerd", "", binary, "run", "--config", config)
	if err != nil {
		return err
	}
	s.run(p)
	return nil
}

// buildRouterd builds the daemon of this source tree.
func buildRouterd(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "routerd")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "routerd/cmd/routerd").CombinedOutput(); err != nil {
		if strings.Contains(string(out), "is not in std") || strings.Contains(string(out), "no Go files") {
			return "", fmt.Errorf("%w: there is no cmd/routerd to build", ErrSkip)
		}
		return "", fmt.Errorf("build routerd: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return binary, nil
}

// routerdConfig is the configuration of a router with nothing but two TUNs.
func routerdConfig(s *Site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name = %q\n\n[api]\nlisten = [%q]\n", strings.TrimSuffix(s.prefix, "-"), "unix://"+filepath.Join(s.dir, "api.sock"))
	everything := unspecified(s.host(0)).String() + "/0"
	for i, host := range s.Hosts {
		fmt.Fprintf(&b, "\n[interface.lan%d]\nkind = \"tun\"\naddresses = [%q]\nmtu = %d\n", i, s.router(i), s.Options.MTU)
		fmt.Fprintf(&b, "host = { netns = %q, device = %q, addresses = [%q], routes = [%q] }\n", host, device, s.host(i), everything)
	}
	return b.String()
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}
