package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// setupRouterd runs the real daemon on two TUNs.
func setupRouterd(ctx context.Context, s *Site) error {
	binary, err := routerdBinary(ctx, s)
	if err != nil {
		return err
	}
	return s.runRouterd(ctx, binary, "api", routerdConfig(s))
}

// routerdBinary is the daemon that the options name, or one built for s.
func routerdBinary(ctx context.Context, s *Site) (string, error) {
	binary := s.Options.Routerd
	if binary == "" {
		var err error
		if binary, err = buildRouterd(ctx, s.dir); err != nil {
			return "", err
		}
	}
	if out, err := exec.CommandContext(ctx, binary, "run", "--help").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s has no verb run: %s", ErrSkip, binary, firstLine(out))
	}
	return binary, nil
}

// runRouterd starts a daemon and waits until its API, at name.sock in the
// site's directory, takes connections.
func (s *Site) runRouterd(ctx context.Context, binary, name, text string) error {
	config := filepath.Join(s.dir, name+".toml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write routerd's configuration: %w", err)
	}
	p, err := startProcess("routerd", "", binary, "run", "--config", config)
	if err != nil {
		return err
	}
	s.run(p)
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial("unix", filepath.Join(s.dir, name+".sock"))
		if err == nil {
			return c.Close()
		}
		if gone := p.gone(); gone != nil {
			return gone
		}
		if time.Now().After(deadline) {
			return p.failure(fmt.Errorf("wait for its API: %w", err))
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
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
	b.WriteString(routerdHead(s))
	for i := range s.Hosts {
		writeTUN(&b, s, i)
	}
	return b.String()
}

// routerdHead is the name and the API of a router.
func routerdHead(s *Site) string {
	return fmt.Sprintf("name = %q\n\n[api]\nlisten = [%q]\n", strings.TrimSuffix(s.prefix, "-"), "unix://"+filepath.Join(s.dir, "api.sock"))
}

// writeTUN writes the interface towards host i.
func writeTUN(b *strings.Builder, s *Site, i int) { writeHosted(b, s, i, "tun") }

// writeHosted writes an interface of a kind whose other end the daemon makes, the
// device of host i.
func writeHosted(b *strings.Builder, s *Site, i int, kind string) {
	everything := unspecified(s.host(i)).String() + "/0"
	fmt.Fprintf(b, "\n[interface.lan%d]\nkind = %q\naddresses = [%q]\nmtu = %d\n", i, kind, s.router(i), s.Options.MTU)
	fmt.Fprintf(b, "host = { netns = %q, device = %q, addresses = [%q], routes = [%q] }\n", s.Hosts[i], device, s.host(i), everything)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}
