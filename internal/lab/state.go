package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// state is what a lab has made on this machine. It is written before a thing is
// made, so that a killed lab leaves a list of what to remove.
type state struct {
	Topology   string               `json:"topology"` // path of the file
	Namespaces []string             `json:"namespaces"`
	Bridges    []Bridge             `json:"bridges"`
	Veths      []Veth               `json:"veths"`
	Routers    map[string]Started   `json:"routers"`        // by node
	Peers      map[string][]process `json:"peers"`          // by node, in the order of their start
	Cut        []string             `json:"cut"`            // the ends at which links are cut
	Wire       Wire                 `json:"wire,omitempty"` // Options.Wire
}

func emptyState() *state {
	return &state{Routers: map[string]Started{}, Peers: map[string][]process{}}
}

// Started is a router that was started.
type Started struct {
	process
	Config string `json:"config"`
	Socket string `json:"socket"`
}

// recordedWire gives the wire that the lab with that directory was brought up with,
// "" if with none, or if that cannot be read, which whoever reads the whole state
// reports.
func recordedWire(dir string) Wire {
	var s struct{ Wire Wire }
	if data, err := os.ReadFile(filepath.Join(dir, stateFile)); err != nil || json.Unmarshal(data, &s) != nil || !slices.Contains(Wires, s.Wire) {
		return ""
	}
	return s.Wire
}

// stateFile is the state's name in the lab's directory.
const stateFile = "state.json"

func (l *Lab) statePath() string { return filepath.Join(l.dir, stateFile) }

// readState reads the state; that of a lab that was never up is empty.
func (l *Lab) readState() (*state, error) {
	s := emptyState()
	data, err := os.ReadFile(l.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err == nil {
		err = l.verify(s)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of lab %s: %w", l.Topology.Name, err)
	}
	if s.Routers == nil {
		s.Routers = map[string]Started{}
	}
	if s.Peers == nil {
		s.Peers = map[string][]process{}
	}
	return s, nil
}

// writeState replaces the state file atomically: a reader sees the old one or
// the new one.
func (l *Lab) writeState(s *state) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.MkdirAll(l.dir, 0o755)
	}
	if err == nil {
		next := l.statePath() + ".next"
		if err = os.WriteFile(next, append(data, '\n'), 0o600); err == nil {
			err = os.Rename(next, l.statePath())
		}
	}
	if err != nil {
		return fmt.Errorf("writing the state of lab %s: %w", l.Topology.Name, err)
	}
	return nil
}

func (s *state) forget(namespace string) {
	s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n string) bool { return n == namespace })
}

// lock locks the lab against other commands until it is released or the process
// ends. It waits for another holder and says so once.
func (l *Lab) lock(ctx context.Context, out io.Writer) (release func(), err error) {
	if err := os.MkdirAll(l.options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the directory for labs: %w", err)
	}
	return l.hold(ctx, out, l.dir+".lock") // beside the directory, which Down removes
}

// hold takes one of the lab's locks.
func (l *Lab) hold(ctx context.Context, out io.Writer, path string) (release func(), err error) {
	said := false
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening the lock of lab %s: %w", l.Topology.Name, err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			_ = f.Truncate(0) // the holder's name is only information for waiting commands
			_, _ = fmt.Fprintf(f, "%d", os.Getpid())
			return func() { f.Close() }, nil
		}
		holder, _ := io.ReadAll(f)
		f.Close()
		if err == nil {
			continue // Down removed this file meanwhile: take the new one
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking lab %s: %w", l.Topology.Name, err)
		}
		if !said {
			said = true
			fmt.Fprintf(out, "waiting for another command that works on lab %s, pid %s\n", l.Topology.Name, strings.TrimSpace(string(holder)))
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, fmt.Errorf("waiting for lab %s: %w", l.Topology.Name, err)
		}
	}
}

// sameFile reports whether path still names the open file.
func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
