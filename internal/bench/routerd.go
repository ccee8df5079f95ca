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

// buildRouterd builds the daemon of this source tree. Where that fails the
// other paths can still be measured; the marks that want routerd are not met.
func buildRouterd(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "routerd")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "routerd/cmd/routerd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: build routerd: %w: %s", ErrSkip, err, firstLine(out))
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
