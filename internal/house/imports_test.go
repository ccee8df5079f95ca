package house

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room says what the files of one package may import besides the standard
// library. Tests of a package may import more, see TestImports.
type room struct {
	own   []string // packages of this module
	third []string // modules of others; a package below one counts as it
}

// words are what every room may speak.
var words = []string{"internal/packet", "internal/verdict", "internal/origin"}

const (
	bart       = "github.com/gaissmai/bart"
	benchfmt   = "golang.org/x/perf/benchfmt"
	burntSushi = "github.com/BurntSushi/toml"
	cobra      = "github.com/spf13/cobra"
	ciliumEBPF = "github.com/cilium/ebpf"
	coderWS    = "github.com/coder/websocket"
	gopacket   = "github.com/gopacket/gopacket"
	goSystemd  = "github.com/coreos/go-systemd/v22"
	netlink    = "github.com/vishvananda/netlink"
	netns      = "github.com/vishvananda/netns"
	pionStun   = "github.com/pion/stun/v3"
	pelletier  = "github.com/pelletier/go-toml/v2/unstable"
	prometheus = "github.com/prometheus/client_golang"
	rate       = "golang.org/x/time/rate"
	slogJourn  = "github.com/systemd/slog-journal"
	sys        = "golang.org/x/sys"
	uniseg     = "github.com/rivo/uniseg"
	wireguard  = "golang.zx2c4.com/wireguard/tun"
)

func own(more ...string) []string { return append(slices.Clone(words), more...) }

// rooms is the house: imports run one way only, from cmd at the top to the
// words at the bottom. A package that is not in the table has no place yet.
var rooms = map[string]room{
	// The words.
	"internal/packet":  {},
	"internal/verdict": {},
	"internal/origin":  {},

	// The hash of tables whose keys strangers choose, and what limits rates.
	"internal/siphash": {},
	"internal/bucket":  {},

	// Timers of the cores.
	"internal/timers": {},

	// Routes.
	"routing":        {own: own()},
	"routing/fib":    {own: own("routing")},
	"routing/rib":    {own: own("routing", "routing/fib"), third: []string{bart}},
	"routing/policy": {own: own("routing"), third: []string{bart}},

	// Protocols, each above its codec, and what they and their driver say.
	"routing/protocol":  {own: own("routing")},
	"routing/keys":      {},
	"routing/rip":       {own: own("internal/timers", "routing", "routing/keys", "routing/protocol", "routing/rip/wire")},
	"routing/rip/wire":  {own: []string{"routing/keys"}},
	"routing/bfd":       {own: own("routing", "routing/bfd/wire", "routing/keys", "routing/protocol")},
	"routing/bfd/wire":  {},
	"routing/ospf":      {own: []string{"internal/timers", "routing", "routing/keys", "routing/ospf/wire", "routing/protocol"}},
	"routing/ospf/wire": {own: []string{"internal/packet", "routing/keys"}},
	"routing/bgp":       {own: []string{"internal/siphash", "internal/timers", "routing", "routing/bgp/wire", "routing/policy", "routing/protocol"}},
	"routing/bgp/wire":  {},

	// Packets.
	"icmp":                    {own: own()},
	"arp":                     {own: own("icmp", "internal/bucket", "internal/siphash", "internal/timers", "routing")},
	"multicast":               {own: own("icmp", "internal/timers", "routing")},
	"dataplane/port":          {own: own()},
	"dataplane/port/memory":   {own: own("dataplane/port")},
	"dataplane/port/porttest": {own: own("dataplane", "dataplane/port", "dataplane/port/device", "dataplane/reassembly", "routing", "routing/fib"), third: []string{sys}},
	"dataplane/port/device":   {own: own("dataplane/port"), third: []string{netlink, sys}},
	"dataplane/port/tun":      {own: own("dataplane/port", "dataplane/port/device"), third: []string{wireguard, sys}},
	"dataplane/port/tap":      {own: own("dataplane/port", "dataplane/port/device")},
	"dataplane/port/veth":     {own: own("dataplane/port", "dataplane/port/device", "dataplane/port/packet"), third: []string{netlink, sys}},
	"dataplane/port/packet":   {own: own("dataplane/port", "dataplane/port/device"), third: []string{netlink, sys}},
	"dataplane/reassembly":    {own: own("routing")},
	"dataplane/offload":       {own: own("dataplane/port", "dataplane/port/device"), third: []string{ciliumEBPF, sys}},

	// The flow cache for tests.
	"dataplane/offload/offloadtest": {own: own("dataplane/offload", "dataplane/port", "dataplane/port/memory")},

	// Flows and their translation.
	"flow":        {own: []string{"internal/siphash"}},
	"nat":         {own: own("flow", "internal/siphash", "routing", "nat/ports")},
	"nat/ports":   {},
	"nat/rewrite": {own: own("flow", "nat")},

	"acl": {own: own("flow", "routing", "internal/siphash")},

	"dataplane/flowcache": {own: own("arp", "dataplane", "dataplane/offload", "internal/packet", "routing", "routing/fib"), third: []string{bart}},
	"dataplane": {own: own(
		"acl", "flow", "nat", "nat/rewrite", "arp", "dataplane/port", "dataplane/reassembly", "icmp", "internal/bucket", "internal/siphash", "routing", "routing/fib",
	)},

	// One router, and what looks at it.
	"internal/machine": {third: []string{sys}},
	"internal/router": {own: own(
		"acl", "arp", "internal/bucket", "internal/machine", "internal/siphash", "dataplane", "dataplane/flowcache", "dataplane/port", "flow", "multicast", "nat", "routing", "routing/fib", "routing/policy", "routing/protocol", "routing/rib",
	)},
	"internal/acltest": {own: own("acl", "dataplane", "dataplane/port", "flow", "icmp", "internal/router", "nat", "routing", "routing/rib")},

	// Identities, roles and keys.
	"internal/access":              {},
	"internal/tlskeys":             {},
	"internal/tlskeys/tlskeystest": {own: []string{"internal/tlskeys"}},

	"internal/topology":                      {},
	"internal/show":                          {own: []string{"internal/access"}, third: []string{uniseg}},
	"internal/protocols":                     {own: own("internal/protocols/bfd", "internal/protocols/bgp", "internal/protocols/decode", "internal/protocols/ospf", "internal/protocols/rip", "internal/protocols/running", "internal/router", "internal/tomltext")},
	"internal/protocols/running":             {own: own("internal/show", "routing", "routing/protocol")},
	"internal/protocols/running/runningtest": {own: own("internal/protocols/running", "routing", "routing/protocol")},
	"internal/protocols/rip/riptest":         {own: own("internal/protocols/running", "internal/protocols/running/runningtest", "internal/show", "routing", "routing/keys", "routing/rip")},
	"internal/protocols/decode":              {own: own("dataplane", "internal/router", "internal/tomltext", "routing", "routing/keys", "routing/policy", "routing/rib")},
	"internal/protocols/bfd/bfdtest":         {own: own("internal/protocols/running/runningtest", "routing", "routing/bfd", "routing/bfd/wire", "routing/keys")},
	"internal/protocols/bfd":                 {own: own("internal/protocols/decode", "internal/protocols/running", "internal/show", "internal/router", "internal/tomltext", "routing", "routing/bfd", "routing/bfd/wire", "routing/keys", "routing/protocol")},
	"internal/protocols/ospf/ospftest":       {own: own("internal/protocols/running/runningtest", "routing", "routing/keys", "routing/ospf", "routing/ospf/wire")},
	"internal/protocols/ospf":                {own: own("internal/protocols/decode", "internal/protocols/running", "internal/router", "internal/show", "internal/tomltext", "routing", "routing/keys", "routing/ospf", "routing/ospf/wire", "routing/policy", "routing/protocol", "routing/rib")},
	"internal/protocols/bgp/bgptest":         {own: own("internal/protocols/running/runningtest", "routing", "routing/bgp", "routing/bgp/wire")},
	"internal/protocols/bgp":                 {own: own("dataplane", "internal/protocols/decode", "internal/protocols/running", "internal/router", "internal/show", "internal/tomltext", "routing", "routing/bgp", "routing/bgp/wire", "routing/policy", "routing/protocol", "routing/rib")},
	"internal/protocols/rip":                 {own: own("internal/protocols/decode", "internal/protocols/running", "internal/show", "internal/router", "internal/tomltext", "routing", "routing/policy", "routing/protocol", "routing/rib", "routing/rip")},
	"internal/beacon":                        {own: own("routing", "routing/keys", "routing/protocol")},
	"internal/sim": {own: own(
		"arp", "dataplane", "dataplane/port", "dataplane/port/memory", "dataplane/reassembly", "icmp", "internal/protocols", "internal/router", "internal/timers", "routing", "routing/fib", "routing/protocol", "routing/rib",
	)},
	"internal/events": {},
	"internal/web":    {},
	"internal/control": {own: own(
		"arp", "dataplane", "icmp", "internal/access", "internal/bucket", "internal/events", "internal/protocols", "internal/protocols/running", "internal/show", "internal/tlskeys", "internal/topology", "internal/web", "routing", "routing/rib",
	), third: []string{coderWS, prometheus, sys}},

	// What the router itself serves and dials.
	"internal/localstack": {own: own("dataplane/port", "dataplane/port/device", "dataplane/port/tun", "internal/bucket", "routing", "routing/protocol"), third: []string{netlink, netns, sys}},

	// How texts that people write are read.
	"internal/tomltext": {own: []string{"internal/origin"}, third: []string{burntSushi, pelletier}},

	// The shipped files that are in the binary too.
	"deploy": {},

	// The configuration makes the rooms' own Config types.
	"config": {own: own(
		"acl", "arp", "deploy", "dataplane", "dataplane/port/packet", "dataplane/port/tap", "dataplane/port/tun", "dataplane/port/veth", "dataplane/reassembly", "flow", "icmp", "internal/access", "internal/acltest", "internal/localstack", "internal/protocols", "internal/protocols/decode", "internal/router", "internal/tlskeys", "internal/tomltext", "nat", "routing", "routing/keys", "routing/policy", "routing/rib",
	)},

	// The edges: the only places that know config.
	"internal/daemon": {own: own(
		"config", "internal/access", "internal/localstack", "internal/machine", "internal/protocols", "internal/protocols/running", "internal/router", "internal/control", "internal/events", "internal/show", "internal/tlskeys", "internal/topology", "acl", "arp", "dataplane", "dataplane/flowcache", "dataplane/offload", "flow", "multicast", "nat", "routing/policy", "dataplane/port", "dataplane/port/device", "dataplane/port/packet", "dataplane/port/tap", "dataplane/port/tun", "dataplane/port/veth",
		"routing", "routing/fib", "routing/protocol", "routing/rib",
	), third: []string{goSystemd, rate, slogJourn, sys}},
	"internal/lab": {own: own("config", "internal/control", "internal/tomltext", "internal/topology"), third: []string{burntSushi, netlink, netns, sys}},
	"cmd/routerd": {own: own(
		"config", "internal/acltest", "internal/daemon", "internal/control", "internal/lab", "internal/localstack", "internal/show",
	), third: []string{cobra, sys}},

	// Measuring and testing.
	"internal/bench":          {own: own(), third: []string{benchfmt, wireguard, netlink, netns, sys}},
	"internal/bench/forward":  {own: []string{"internal/bench"}},
	"internal/bench/bgp":      {own: []string{"internal/bench", "internal/bench/site", "internal/lab", "routing/bgp/wire"}},
	"internal/bench/nat":      {own: []string{"internal/bench"}},
	"internal/bench/mgmt":     {own: []string{"internal/bench"}},
	"internal/bench/converge": {own: []string{"internal/bench", "internal/bench/site", "internal/lab"}},
	"internal/bench/ospf":     {own: []string{"internal/bench", "internal/bench/site", "internal/lab", "routing/ospf/wire"}},
	"internal/bench/rip":      {own: []string{"internal/bench", "internal/bench/site", "internal/lab", "internal/protocols/rip"}},
	"internal/bench/site":     {own: []string{"internal/bench", "internal/lab"}},
	"internal/bench/table":    {own: []string{"internal/bench"}},
	"internal/corpus":         {third: []string{gopacket}},
	"internal/stun":           {third: []string{pionStun}},
	"internal/house":          {},
}

// knowConfig are the only rooms that may read the configuration's types, in
// their tests too: everybody else gets its own Config type.
var knowConfig = []string{"config", "internal/daemon", "internal/lab", "cmd/routerd"}

// testsOnly are packages that only tests may import, and one another.
var testsOnly = []string{"internal/beacon", "internal/protocols/bfd/bfdtest", "internal/protocols/bgp/bgptest", "internal/protocols/ospf/ospftest", "internal/protocols/rip/riptest", "internal/protocols/running/runningtest", "internal/corpus", "internal/stun", "internal/sim", "internal/tlskeys/tlskeystest", "dataplane/offload/offloadtest", "dataplane/port/memory", "dataplane/port/porttest"}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	used := map[[2]string]bool{} // room, what it imports
	for _, s := range sources(t) {
		room, known := rooms[s.dir]
		if !known {
			if !seen[s.dir] {
				t.Errorf("%s: package %s has no place in the table of rooms", s.path, s.dir)
			}
			seen[s.dir] = true
			continue
		}
		seen[s.dir] = true
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s:%d: %v", s.path, s.position(spec), err)
				continue
			}
			if complaint := forbidden(s, room, name); complaint != "" {
				t.Errorf("%s:%d: %s", s.path, s.position(spec), complaint)
			}
			if !s.test {
				used[[2]string{s.dir, allowance(room, name)}] = true
			}
		}
	}
	// A table that allows what nobody does tells its reader of arrows that are
	// not there.
	for dir, room := range rooms {
		if !seen[dir] {
			t.Errorf("the table of rooms lists %s, which has no Go files", dir)
			continue
		}
		for _, name := range slices.Concat(room.own, room.third) {
			if !slices.Contains(words, name) && !used[[2]string{dir, name}] {
				t.Errorf("the table of rooms lets %s import %s, which it does not", dir, name)
			}
		}
	}
}

// allowance is the entry of r that lets its files import name, "" if there is
// none.
func allowance(r room, name string) string {
	if own, inside := strings.CutPrefix(name, "routerd/"); inside {
		if slices.Contains(r.own, own) {
			return own
		}
		return ""
	}
	for _, module := range r.third {
		if name == module || strings.HasPrefix(name, module+"/") {
			return module
		}
	}
	return ""
}

// forbidden says what is wrong with s, a file of room r, importing path; "" if
// nothing is.
func forbidden(s source, r room, path string) string {
	name, inside := strings.CutPrefix(path, "routerd/")
	switch {
	case inside && name == "config" && !slices.Contains(knowConfig, s.dir):
		return s.dir + " must not know config: config makes this room's own Config type"
	case s.test:
		return "" // the tests of a room may stand on whatever they need
	case inside && slices.Contains(testsOnly, name) && !slices.Contains(testsOnly, s.dir):
		return name + " is for tests only"
	case !inside && standard(name), allowance(r, path) != "":
		return ""
	case inside:
		return "room " + s.dir + " must not import " + name + "; it may import " + strings.Join(r.own, ", ")
	}
	return "room " + s.dir + " must not import the module " + name
}

// standard reports whether name is of the standard library: its first
// element has no dot.
func standard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".")
}

// The table itself must run one way: no room may reach itself.
func TestRoomsRunOneWay(t *testing.T) {
	const (
		walking = 1
		walked  = 2
	)
	state := map[string]int{}
	var walk func(dir string, way []string)
	walk = func(dir string, way []string) {
		way = append(way, dir)
		switch state[dir] {
		case walking:
			t.Errorf("the table of rooms has a circle: %s", strings.Join(way, " -> "))
			return
		case walked:
			return
		}
		state[dir] = walking
		for _, next := range rooms[dir].own {
			walk(next, way)
		}
		state[dir] = walked
	}
	for dir := range rooms {
		walk(dir, nil)
	}
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		dir, name string
		test, ok  bool
	}{
		{"routing/fib", "routerd/routing", false, true},
		{"routing", "routerd/routing/fib", false, false},
		{"dataplane", "routerd/routing/rib", false, false},
		{"dataplane", "routerd/config", true, false},
		{"dataplane", "routerd/dataplane/port/memory", false, false},
		{"dataplane", "routerd/dataplane/port/memory", true, true},
		{"dataplane", "net/netip", false, true},
		{"dataplane", "github.com/vishvananda/netlink", false, false},
		{"dataplane/port/device", "github.com/vishvananda/netlink/nl", false, true},
		{"dataplane/port/device", "github.com/vishvananda/netlinkage", false, false},
		{"internal/daemon", "routerd/config", false, true},
	} {
		s := source{dir: c.dir, test: c.test}
		if got := forbidden(s, rooms[c.dir], c.name); (got == "") != c.ok {
			t.Errorf("%s importing %s (test %v): complaint %q, want ok %v", c.dir, c.name, c.test, got, c.ok)
		}
	}
}
