package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"routerd/dataplane"
	"routerd/dataplane/port/tun"
	"routerd/internal/origin"
	"routerd/routing/rib"
)

// Config is a whole configuration, with defaults filled in.
type Config struct {
	Name    string
	Log     Log
	API     API
	Metrics Metrics

	Dataplane dataplane.Config
	TUN       []tun.Config // sorted by name; the interface of the same name stands on each
	RIB       rib.Config
	// Origins says where each origin.ID in the rooms' configurations stands.
	Origins origin.Table
}

// Log is the [log] table.
type Log struct {
	Level  string // debug | info | warn | error
	Format string // auto | journal | text | json
}

// API is the [api] table.
type API struct {
	// Listen holds addresses as "unix:///path"; none means the socket that
	// the router's name and run directory give.
	Listen []string
}

// Metrics is the [metrics] table.
type Metrics struct {
	Listen string // "host:port"; "" = no listener of its own
}

// maxSize bounds what is read, in bytes.
const maxSize = 16 << 20

// Load reads the file at path. The error says that it could not be read at
// all; what is wrong or odd in it are Problems. The Config may be used when
// none of them is an error.
func Load(path string) (*Config, []Problem, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(data) > maxSize {
		return nil, nil, fmt.Errorf("reading the configuration %s: it is larger than %d MiB, which no configuration is", path, maxSize>>20)
	}
	c, problems := Parse(path, data)
	return c, problems, nil
}

// Parse reads the text of a configuration. The name of the file is for the
// problems.
func Parse(file string, data []byte) (*Config, []Problem) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := newReader(file, data)
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		r.syntax(err)
		return &Config{}, r.problems
	}
	if err := r.locate(); err != nil {
		r.syntax(err)
		return &Config{}, r.problems
	}
	c := r.decode(values)
	c.Origins = r.origins
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
	return c, r.problems
}

// Failed reports whether any of the problems is an error.
func Failed(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// syntax reports what the decoder stumbled over.
func (r *reader) syntax(err error) {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		r.problems = append(r.problems, r.problem(span{0, 0}, err.Error()))
		return
	}
	p := r.problem(span{pe.Position.Start, pe.Position.Start + max(pe.Position.Len, 1)}, pe.Message)
	p.Want = "valid TOML; nothing behind this place has been read"
	if key, is := strings.CutPrefix(pe.Message, "Key '"); is {
		if key, is = strings.CutSuffix(key, "' has already been defined."); is {
			p.Message = key + " is given twice"
			p.Want = "each key and table once; nothing behind this place has been read"
		}
	}
	r.problems = append(r.problems, p)
}
