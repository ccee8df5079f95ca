package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ensureDaemons starts a peer's daemons unless all of them run as they should.
// If they are not installed the node stays without them, and the tests that
// need them are skipped.
func (b *builder) ensureDaemons(ctx context.Context, p Peer) error {
	if lacks := b.lab.lacking(p.Node); lacks != "" {
		b.say(p.Node, "%s is not installed: nothing runs here, and tests that need it are skipped", lacks)
		return nil
	}
	started, known := b.state.Peers[p.Node]
	again := ""
	switch i := slices.IndexFunc(started, func(p process) bool { return !p.alive() }); {
	case known && b.made[p.Namespace]:
		again = " again: its namespace is a new one"
	case known && i < 0 && p.Kind == KindBIRD && b.reconfigures(p):
		return b.reconfigure(ctx, p)
	case known && !holdsText(p.taken(), p.Text):
		again = " again: it was not given this configuration"
	case i >= 0:
		again = fmt.Sprintf(" again: pid %d had ended", started[i].PID)
	case known && (len(started) != len(p.Daemons) || b.lab.probe(ctx, p) != nil):
		again = " again: it did not answer"
	case known:
		b.say(p.Node, "%s runs, %s", p.Kind, pids(started))
		return nil
	}
	if err := b.lab.stopDaemons(ctx, b.state, p.Node); err != nil {
		return err
	}
	begin := time.Now()
	b.made[p.Dir] = true
	if err := b.startDaemons(ctx, p); err != nil {
		return err
	}
	b.say(p.Node, "%s started%s, %s, ready after %d ms; ask it by: routerd lab exec %s %s %s", p.Kind, again,
		pids(b.state.Peers[p.Node]), time.Since(begin).Milliseconds(), b.lab.path, p.Node, p.Kind.terminals()[0])
	return nil
}

func pids(all []process) string {
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = strconv.Itoa(all[i].PID)
	}
	return "pid " + strings.Join(texts, " ")
}

// startDaemons starts a peer's daemons, each when the one before is ready.
func (b *builder) startDaemons(ctx context.Context, p Peer) error {
	if err := p.writeFiles(); err != nil {
		return err
	}
	for _, d := range p.Daemons {
		path, err := b.lab.findDaemon(p.Kind, d.Program)
		if err != nil {
			return err
		}
		c := command{node: p.Node, program: d.Program, path: path, args: d.Args, log: d.Log, namespace: p.Namespace}
		ended, err := b.launch(c, func(started process) { b.state.Peers[p.Node] = append(b.state.Peers[p.Node], started) })
		if err != nil {
			return err
		}
		if err := b.ready(ctx, c, ended, func(ctx context.Context) error { return b.lab.answers(ctx, p, d) }); err != nil {
			return err
		}
	}
	if p.Kind == KindFRR {
		if err := b.configureFRR(ctx, p); err != nil {
			return err
		}
	}
	return p.note()
}

// note records which configuration the daemons were given.
func (p Peer) note() error {
	if err := os.WriteFile(p.taken(), p.Text, 0o644); err != nil {
		return fmt.Errorf("noting the configuration of %s: %w", p.Node, err)
	}
	return nil
}

// reconfigures reports whether BIRD runs another configuration than it should
// have now.
func (b *builder) reconfigures(p Peer) bool {
	_, err := os.Stat(p.taken())
	return err == nil && !holdsText(p.taken(), p.Text)
}

// reconfigure has a running BIRD apply its configuration, which keeps what has
// not changed. If BIRD refuses it nothing changes.
func (b *builder) reconfigure(ctx context.Context, p Peer) error {
	if err := p.writeFiles(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.lab.options.Ready)
	defer cancel()
	if out, err := b.lab.ask(ctx, p, "configure"); err != nil {
		return fmt.Errorf("%s: giving BIRD its configuration: %w\n%s", p.Node, err, indented(out))
	}
	if err := p.note(); err != nil {
		return err
	}
	b.say(p.Node, "%s took its changed configuration, %s", p.Kind, pids(b.state.Peers[p.Node]))
	return nil
}

// configureFRR has vtysh give each of FRR's daemons its part of the
// configuration.
func (b *builder) configureFRR(ctx context.Context, p Peer) error {
	ctx, cancel := context.WithTimeout(ctx, b.lab.options.Ready)
	defer cancel()
	if out, err := b.lab.ask(ctx, p, "-b"); err != nil {
		return fmt.Errorf("%s: giving FRR its configuration: %w\n%s", p.Node, err, indented(out))
	}
	return nil
}

// ask has birdc or vtysh send a command to a peer's daemons, and gives the
// output.
func (l *Lab) ask(ctx context.Context, p Peer, what ...string) ([]byte, error) {
	terminal, err := l.findDaemon(p.Kind, p.Kind.terminals()[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, terminal, append(p.address(), what...)...)
	cmd.WaitDelay = time.Second
	return cmd.CombinedOutput()
}

// taken is the path of the configuration that the daemons were given. It may
// not exist, if the lab was killed just then.
func (p Peer) taken() string { return filepath.Join(p.Dir, "taken.conf") }

// writeFiles makes the directory of a peer with its configuration. FRR's
// daemons make their sockets in it as a user of their own.
func (p Peer) writeFiles() error {
	err := os.MkdirAll(p.Dir, 0o755)
	if err == nil {
		err = os.WriteFile(p.Config, p.Text, 0o644)
	}
	if err == nil && p.Kind == KindFRR {
		// vtysh complains if it has no file of its own.
		err = os.WriteFile(filepath.Join(p.Dir, "vtysh.conf"), nil, 0o644)
		if frr, unknown := user.Lookup("frr"); err == nil && unknown == nil {
			uid, _ := strconv.Atoi(frr.Uid)
			gid, _ := strconv.Atoi(frr.Gid)
			err = os.Chown(p.Dir, uid, gid)
		}
	}
	if err != nil {
		return fmt.Errorf("preparing %s: %w", p.Node, err)
	}
	return nil
}

// probe finds out whether all of a peer's daemons take commands.
func (l *Lab) probe(ctx context.Context, p Peer) error {
	var errs []error
	for _, d := range p.Daemons {
		errs = append(errs, l.answers(ctx, p, d))
	}
	return errors.Join(errs...)
}

// answers finds out whether a daemon takes commands. BIRD listens at its socket
// before it has read its configuration, so it has to be asked.
func (l *Lab) answers(ctx context.Context, p Peer, d Daemon) error {
	if err := dial(ctx, d.Socket); err != nil || p.Kind != KindBIRD {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := l.ask(ctx, p, "show", "status")
	if err == nil && !bytes.Contains(out, []byte("Daemon is up and running")) {
		err = errors.New("BIRD does not say that it is up and running")
	}
	if err != nil {
		return fmt.Errorf("asking BIRD for its status: %w\n%s", err, indented(out))
	}
	return nil
}

// dial finds out whether somebody listens at a socket.
func dial(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}

// holdsText reports whether the content of a file is text.
func holdsText(path string, text []byte) bool {
	now, err := os.ReadFile(path)
	return err == nil && bytes.Equal(now, text)
}

// stopDaemons ends a node's daemons, also those that were started and not
// recorded, and removes their files.
func (l *Lab) stopDaemons(ctx context.Context, s *state, node string) error {
	all := slices.Clone(s.Peers[node])
	if p, ok := l.peer(node); ok {
		for _, d := range p.Daemons {
			for _, found := range running(d.Args) {
				if !slices.Contains(all, found) {
					all = append(all, found)
				}
			}
		}
	}
	for _, p := range slices.Backward(all) { // zebra last, as it was first
		if err := p.end(ctx, l.options.Grace); err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
	}
	if err := os.RemoveAll(l.peerDir(node)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: removing what its daemons kept: %w", node, err)
	}
	delete(s.Peers, node)
	return l.writeState(s)
}

// peerDir is the directory of a node's daemons.
func (l *Lab) peerDir(node string) string { return filepath.Join(l.dir, node) }
