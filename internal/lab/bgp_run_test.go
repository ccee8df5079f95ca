package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const bgpSecret = "verysecret"

// bgpBench is a lab of BGP speakers.
type bgpBench struct {
	*bench
	plan     *bgpPlan
	dirs     map[string]string   // of speakers on hosts
	programs map[string]*program // that run on hosts
}

// newBGPBench brings a plan up: its lab, and what runs on hosts.
func newBGPBench(t *testing.T, p *bgpPlan) *bgpBench {
	t.Helper()
	for i := range p.seats {
		for _, tool := range p.seats[i].make.tools() {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("%s is not installed", tool)
			}
		}
	}
	secret := filepath.Join(t.TempDir(), "bgp")
	if err := os.WriteFile(secret, []byte(bgpSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bgpBench{bench: newRIPBench(t, p.topology(secret)), plan: p, dirs: map[string]string{}, programs: map[string]*program{}}
	for i := range p.seats {
		if p.seats[i].make.kind().foreign() {
			b.needsPeers(p.seats[i].name)
		}
	}
	b.up()
	for i := range p.seats {
		if s := &p.seats[i]; s.make.kind() == KindHost && s.make != makeRaw {
			b.prepare(s)
			b.begin(s.name)
		}
	}
	return b
}

// tools are the programs of makes that the lab does not know.
func (m bgpMake) tools() []string {
	switch m {
	case makeGoBGP:
		return []string{"gobgpd", "gobgp"}
	case makeOpenBGPD:
		return []string{"bgpctl"}
	case makeExaBGP:
		return []string{"exabgp"}
	}
	return nil
}

// prepare writes what a speaker on a host is configured with.
func (b *bgpBench) prepare(s *bgpSeat) {
	b.t.Helper()
	dir, err := os.MkdirTemp("", "bgp")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { os.RemoveAll(dir) })
	b.dirs[s.name] = dir
	text := ""
	switch s.make {
	case makeGoBGP:
		text = b.plan.gobgp(s)
	case makeOpenBGPD:
		text = b.plan.openbgpd(s, dir)
	case makeExaBGP:
		text = b.plan.exabgp(s, dir)
		b.write(filepath.Join(dir, "heard.sh"), "cat >>"+dir+"/heard\n")
	}
	b.write(filepath.Join(dir, "conf"), text)
}

func (b *bgpBench) write(path, text string) {
	b.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// begin starts a speaker on a host, and gives it its routes.
func (b *bgpBench) begin(name string) { b.beginAs(name, "") }

// beginAs does so with more arguments, which GoBGP alone gets.
func (b *bgpBench) beginAs(name, more string) {
	b.t.Helper()
	s, dir := b.plan.seat(name), b.dirs[name]
	switch s.make {
	case makeGoBGP:
		b.program(name, "exec gobgpd -t toml -f "+dir+"/conf --api-hosts 127.0.0.1:50051 "+more)
		b.waits(name, "gobgp global", b.plan.gobgpRoutes(s))
	case makeOpenBGPD:
		// Its processes lock themselves in the home of their user, which systemd would make.
		b.program(name, "mkdir -p $(getent passwd _openbgpd | cut -d: -f6) && exec /usr/sbin/bgpd -d -f "+dir+"/conf")
		b.waits(name, "bgpctl -s "+dir+"/bgpd.sock show", "true")
	case makeExaBGP:
		b.write(filepath.Join(dir, "heard"), "")
		b.program(name, fmt.Sprintf("exec env exabgp_daemon_user=root exabgp_daemon_drop=false exabgp_api_cli=false exabgp_log_level=WARNING exabgp_tcp_bind='%s' exabgp %s/conf", b.listens(name), dir))
	}
}

// listens are the addresses of a speaker's sessions.
func (b *bgpBench) listens(name string) string {
	var all []string
	for _, x := range b.plan.sessions(name) {
		all = append(all, x.local)
	}
	return strings.Join(all, " ")
}

// waits waits until a program answers, and then says more to it.
func (b *bgpBench) waits(name, question, then string) {
	b.t.Helper()
	said := ""
	within(b.t, 20*time.Second, question+" on "+name, func() bool {
		out, err := b.Run(b.t.Context(), name, question)
		said = string(out)
		if err != nil && b.programs[name].ended() {
			b.t.Fatalf("%s ended: %s%s", name, b.programs[name], said)
		}
		return err == nil
	})
	b.run(name, then)
}

// program is a long-lived command on a node.
type program struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	gone chan struct{}
	mu   sync.Mutex
	out  bytes.Buffer
}

func (p *program) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *program) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *program) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// kill ends it at once, with all that it has started.
func (p *program) kill() {
	p.stop()
	<-p.gone
}

// program runs a line of sh on a node until the test ends.
func (b *bgpBench) program(node, text string) {
	b.t.Helper()
	p := &program{gone: make(chan struct{})}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background()) // not the test's, which ends before what cleans up
	cmd, err := b.start(ctx, node, text, p)
	if err != nil {
		b.t.Fatal(err)
	}
	p.cmd = cmd
	go func() {
		_ = cmd.Wait() // it is killed in the end
		close(p.gone)
	}()
	b.t.Cleanup(func() {
		p.kill()
		if b.t.Failed() {
			b.t.Logf("%s on %s said:\n%s", text, node, p)
		}
	})
	b.programs[node] = p
}
