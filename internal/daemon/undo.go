package daemon

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"routerd/dataplane/port/packet"
	"routerd/internal/localstack"
)

// Step is one thing that was done to the system and has to be undone when the
// router goes. What a descriptor owns (a TUN) is not listed: it goes by
// closing it.
type Step struct {
	Kind string `json:"kind"` // see undoers
	Path string `json:"path"`
	// Value is what was there before, for kinds that restore.
	Value string `json:"value,omitempty"`
}

// undoers knows how to take back each kind of step. Undoing what is already
// gone is not an error: a crash may have come in between.
var undoers = map[string]func(Step) error{
	"file":                   func(s Step) error { return os.Remove(s.Path) },
	packet.KindUp:            func(s Step) error { return packet.Undo(s.Kind, s.Path, s.Value) },
	localstack.KindNamespace: func(s Step) error { return localstack.Remove(s.Path) },
	"sysctl": func(s Step) error {
		return os.WriteFile(s.Path, []byte(s.Value), 0o644)
	},
}

// undoList is the one list of what has to be undone. Every step is written to
// its file before it is done, so that the next start of the same name can
// undo what a killed process left.
type undoList struct {
	path  string
	steps []Step
}

// openUndo reads the list that an earlier process of this name left, undoes
// it, and begins a new one. Call it only with the lock held. It returns what
// was cleaned up.
func openUndo(dir, name string) (*undoList, []Step, error) {
	u := &undoList{path: filepath.Join(dir, name+".undo")}
	f, err := os.Open(u.path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading what an earlier run left: %w", err)
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var s Step
		if json.Unmarshal(lines.Bytes(), &s) == nil { // a torn last line was not done yet
			u.steps = append(u.steps, s)
		}
	}
	f.Close()
	left := u.steps
	return u, left, u.undo()
}

// will notes a step that is about to be done.
func (u *undoList) will(s Step) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("noting what to undo: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("noting what to undo: %w", err)
	}
	u.steps = append(u.steps, s)
	return nil
}

// forget drops the steps about a path and value, which have been
// taken back already, from the list and its file.
func (u *undoList) forget(path, value string) error {
	kept := u.steps[:0:0]
	for _, s := range u.steps {
		if s.Path != path || s.Value != value {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(u.steps) {
		return nil
	}
	u.steps = nil
	if err := os.Remove(u.path); err != nil {
		return fmt.Errorf("rewriting what to undo: %w", err)
	}
	for _, s := range kept {
		if err := u.will(s); err != nil {
			return err
		}
	}
	return nil
}

// undo takes everything back, latest first, and removes the file. It goes on
// after an error and returns all of them.
func (u *undoList) undo() error {
	var errs []error
	for i := len(u.steps) - 1; i >= 0; i-- {
		s := u.steps[i]
		undo, known := undoers[s.Kind]
		if !known {
			errs = append(errs, fmt.Errorf("undoing %s %s: this version knows no such kind of step", s.Kind, s.Path))
			continue
		}
		if err := undo(s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("undoing %s %s: %w", s.Kind, s.Path, err))
		}
	}
	u.steps = nil
	if err := os.Remove(u.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
