package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/dataplane/port/packet"
	"routerd/dataplane/port/tap"
	"routerd/dataplane/port/tun"
	"routerd/dataplane/port/veth"
	"routerd/internal/localstack"
	"routerd/internal/origin"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/nat"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Problem is an error, or with Warning set a warning, at one place of a
// configuration.
type Problem = tomltext.Problem

// Config is a whole configuration, with defaults filled in.
type Config struct {
	Name    string
	Text    string // as it was read; "" of one that was parsed
	Log     Log
	API     API
	Metrics Metrics

	Dataplane dataplane.Config
	TUN       []tun.Config    // sorted by name; each has an interface of the same name
	TAP       []tap.Config    // likewise
	Veth      []veth.Config   // likewise
	Packet    []packet.Config // likewise
	RIB       rib.Config
	NAT       nat.Config
	ACL       acl.Config
	// RouteFile is where further static routes stand, as the configuration gives
	// it and once they have been read as a path; "" for nowhere.
	RouteFile string
	// Protocols are the configured protocols, by the name of their table.
	Protocols map[string]router.ProtocolConfig
	// Policy is [policy] as written, and Policies is the compiled form.
	Policy   policy.Config
	Policies *policy.Policies
	// Keys are the key chains, by name.
	Keys map[string][]decode.Key
	// recording has the values of all keys, for Diff.
	recording *tomltext.Recording
	// StateDir is the directory for state that survives a restart; "" leaves it
	// to the service manager.
	StateDir string
	// LocalStack is the router's own TCP/IP stack, nil for none. Its interface
	// is called localstack.Name.
	LocalStack *localstack.Config
	// StackFor is the protocol or key that it is made for where the configuration has no
	// [local-stack], "" otherwise.
	StackFor string
	// Origins has the place of each origin.ID in the other packages'
	// configurations.
	Origins origin.Table
}

// Router is what of the configuration describes the router rather than the
// machine that it runs on.
func (c *Config) Router() router.Config {
	return router.Config{Name: c.Name, Dataplane: c.Dataplane, RIB: c.RIB, NAT: c.NAT, ACL: c.ACL, Protocols: c.Protocols}
}

// Log is the [log] table.
type Log struct {
	Level  string // debug | info | warn | error
	Format string // auto | journal | text | json
}

// maxSize is the maximum size of a configuration in bytes: while it is read, it
// takes some sixty times as much memory. A file of routes may be larger, see
// routefile.go.
const maxSize = 16 << 20

// Load reads the file at path. It returns an error if the file could not be
// read, and Problems for its content. The Config may be used if none of them is
// an error.
func Load(path string) (*Config, []Problem, error) {
	data, err := readText(path, "the configuration", `static routes, where there are so many, in a file of their own: [static] file = "routes.txt"`)
	if err != nil {
		return nil, nil, err
	}
	r, c, ok := parse(path, data)
	if ok && !Failed(r.Problems()) {
		r.readKeys(c, filepath.Dir(path))
		r.readRoutes(c, filepath.Dir(path))
	}
	c.API.TLS.resolve(filepath.Dir(path))
	c.Text = string(data)
	c.Origins = r.origins
	c.recording = r.Recording()
	return c, append(r.Problems(), r.read...), nil
}

// readText reads a file of TOML, which an error calls what. Remedy is what is wanted in
// place of a file that is larger than maxSize.
func readText(path, what, remedy string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("reading %s %s: it is larger than %d MiB; want %s", what, path, maxSize>>20, remedy)
	}
	return data, nil
}

// Parse reads the text of a configuration. The file name is used in problems
// only. No other file is read, so keys have no secrets.
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
