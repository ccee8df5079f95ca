package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"routerd/dataplane"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/tap"
	"routerd/dataplane/port/tun"
	"routerd/internal/localstack"
	"routerd/internal/origin"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/nat"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Problem is something wrong, or as a Warning merely odd, at one place of a
// configuration.
type Problem = tomltext.Problem

// Config is a whole configuration, with defaults filled in.
type Config struct {
	Name    string
	Log     Log
	API     API
	Metrics Metrics

	Dataplane dataplane.Config
	TUN       []tun.Config    // sorted by name; the interface of the same name stands on each
	TAP       []tap.Config    // likewise
	Packet    []packet.Config // likewise
	RIB       rib.Config
	NAT       nat.Config
	// Protocols are those that are spoken, by the name of their table.
	Protocols map[string]router.ProtocolConfig
	// Policy is [policy] as it stands, and Policies what it comes to.
	Policy   policy.Config
	Policies *policy.Policies
	// Keys are the chains of keys, by name.
	Keys map[string][]decode.Key
	// recording is what the text comes to, key by key, for Diff.
	recording *tomltext.Recording
	// StateDir is where what has to survive a restart is kept; "" leaves it to
	// the service manager.
	StateDir string
	// LocalStack is the router's own TCP/IP stack; nil for none. The interface
	// called localstack.Name stands on it.
	LocalStack *localstack.Config
	// Origins says where each origin.ID in the rooms' configurations stands.
	Origins origin.Table
}

// Log is the [log] table.
type Log struct {
	Level  string // debug | info | warn | error
	Format string // auto | journal | text | json
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
	r, c, ok := parse(path, data)
	if ok && !Failed(r.Problems()) {
		r.readKeys(c, filepath.Dir(path))
	}
	c.recording = r.Recording()
	return c, r.Problems(), nil
}

// Parse reads the text of a configuration. The name of the file is for the
// problems. No other file is read, so keys have no secrets.
func Parse(file string, data []byte) (*Config, []Problem) {
	r, c, _ := parse(file, data)
	c.recording = r.Recording()
	return c, r.Problems()
}

func parse(file string, data []byte) (*reader, *Config, bool) {
	doc, ok := tomltext.Parse(file, data)
	r := &reader{Document: doc}
	if !ok {
		return r, &Config{}, false
	}
	doc.Noun, doc.Refuse = "the configuration", refuse
	c := r.decode()
	c.Origins = r.origins
	return r, c, true
}

// Failed reports whether any of the problems is an error.
func Failed(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}
