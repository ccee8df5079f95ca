package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/veth"
	"routerd/internal/control"
	"routerd/internal/localstack"
)

// kindSocket is the kind of step for a listener's socket.
const kindSocket = "socket"

// Step is one change to the system that has to be undone when the router ends.
// What a descriptor owns (a TUN) is not listed: closing it removes it.
type Step struct {
	Kind string `json:"kind"` // see undoers
	Path string `json:"path"`
	// Value is the earlier state, for kinds that restore it, and part of the
	// identification for the others.
	Value string `json:"value,omitempty"`
	// Made is the identity of what was made, for kinds that can tell it from a
	// replacement by somebody else. It is "" in the line that was written
	// before making it.
	Made string `json:"made,omitempty"`
}

// undoers has a function to undo each kind of step. If the thing is gone, or is
// no longer ours, that is no error: a crash may have come in between.
var undoers = map[string]func(Step) error{
	kindSocket: func(s Step) error { return control.RemoveSocket(s.Path, s.Made) },
	// Earlier versions recorded a socket before they made it: what is there may
	// belong to anybody, so only a socket at which nobody answers is removed.
	"file":                   func(s Step) error { return control.RemoveStale(s.Path) },
	packet.KindUp:            func(s Step) error { return packet.Undo(s.Kind, s.Path, s.Value) },
	veth.KindPair:            func(s Step) error { return veth.Undo(s.Path, s.Value) },
	localstack.KindNamespace: func(s Step) error { return localstack.Undo(s.Path, s.Made) },
}

// noted is a step with its line in the file. A line that this version cannot
// read is kept as it is.
type noted struct {
	Step
	line []byte
}

// undoList is the one list of what has to be undone. A step whose result only
// this list could find is written to the file before it is done, so that the
// next start with the same name can undo what a killed process left. Its
// methods may be called from any goroutine.
type undoList struct {
	path  string
	mu    sync.Mutex // guards steps and the file
	steps []noted
}

// openUndo reads the list that an earlier process of this name left. Call it
// only with the lock held. If the list cannot be read, its contents would be
// lost with the first step of this run, so the router must not start.
func openUndo(dir, name string) (*undoList, error) {
	u := &undoList{path: filepath.Join(dir, name+".undo")}
	data, err := os.ReadFile(u.path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of what an earlier run has left to undo: %w: make the file readable, or remove it if nothing of that run is left", err)
	}
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		var s Step
		if err := json.Unmarshal(line, &s); err != nil && !whole {
			continue // not written completely, so the step was not done yet
		} else if err != nil || s.Kind == "" {
			s = Step{}
		}
		if len(line) > 0 {
			u.add(noted{s, bytes.Clone(line)})
		}
	}
	return u, nil
}

// add appends a step, or replaces the one that it says was made.
func (u *undoList) add(n noted) {
	about := n.Step
	about.Made = ""
	if at := slices.IndexFunc(u.steps, func(o noted) bool { return o.Step == about }); at >= 0 && n.Made != "" {
		u.steps[at] = n
		return
	}
	u.steps = append(u.steps, n)
}

// will records a step that is about to be done, or with Made one that was done.
func (u *undoList) will(s Step) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("noting what to undo: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("noting what to undo: %w", err)
	}
	u.add(noted{s, line})
	return nil
}

// forget drops steps that have been undone from the list and its file.
func (u *undoList) forget(gone ...Step) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.keep(func(n noted) bool { return !slices.Contains(gone, n.Step) })
}

// keep drops the other steps from the list and its file.
func (u *undoList) keep(wanted func(noted) bool) error {
	kept := u.steps[:0:0]
	for _, n := range u.steps {
		if wanted(n) {
			kept = append(kept, n)
		}
	}
	if len(kept) == len(u.steps) {
		return nil
	}
	u.steps = kept
	return u.write()
}

// write replaces the file atomically, so that no step is lost by a kill, and
// removes it if nothing is left to undo.
func (u *undoList) write() error {
	var err error
	if len(u.steps) == 0 {
		if err = os.Remove(u.path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	} else {
		var b []byte
		for _, n := range u.steps {
			b = append(append(b, n.line...), '\n')
		}
		next := u.path + ".next"
		if err = os.WriteFile(next, b, 0o600); err == nil {
			err = os.Rename(next, u.path)
		}
	}
	if err != nil {
		return fmt.Errorf("rewriting what to undo: %w", err)
	}
	return nil
}

// undo undoes everything, latest first. It goes on after an error and returns
// all of them; what could not be undone stays in the list and its file, for the
// next start to try again. It returns what was undone.
func (u *undoList) undo() (done []Step, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var errs []error
	for _, n := range slices.Backward(u.steps) {
		if err := n.undo(); err != nil {
			errs = append(errs, fmt.Errorf("%w; %s keeps it for the next start", err, u.path))
			continue
		}
		done = append(done, n.Step)
	}
	errs = append(errs, u.keep(func(n noted) bool { return !slices.Contains(done, n.Step) }))
	return done, errors.Join(errs...)
}

func (n noted) undo() error {
	if n.Kind == "" {
		return fmt.Errorf("undoing %.80q: this version cannot read it as a step", n.line)
	}
	undo, known := undoers[n.Kind]
	if !known {
		return fmt.Errorf("undoing %s %.80s: this version knows no such kind of step", n.Kind, n.Path)
	}
	if err := undo(n.Step); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("undoing %s %.80s: %w", n.Kind, n.Path, err)
	}
	return nil
}

// steps are the steps of one port. One goroutine at a time may use it.
type steps struct {
	undo  *undoList
	list  []Step
	again bool // the stack was made in the namespace that was left
}

func (s *steps) will(kind, path, value string) error {
	return s.note(Step{Kind: kind, Path: path, Value: value})
}

// made records that a step that will announced was done, and what was made.
func (s *steps) made(kind, path, value, made string) error {
	return s.note(Step{Kind: kind, Path: path, Value: value, Made: made})
}

func (s *steps) note(step Step) error {
	s.list = append(s.list, step)
	return s.undo.will(step)
}

// forget drops all of them: they have been undone.
func (s *steps) forget() error {
	if len(s.list) == 0 {
		return nil
	}
	return s.undo.forget(s.list...)
}
