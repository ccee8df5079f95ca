package lab

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checker turns the raw file into a Topology and collects every mistake.
type checker struct {
	places   *places
	problems Problems
	used     map[string]bool // ends of links
	node     map[string]Kind
}

func (c *checker) fail(at place, format string, args ...any) {
	c.problems = append(c.problems, c.places.problem(at, fmt.Sprintf(format, args...)))
}

var (
	nodeName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	deviceName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`) // IFNAMSIZ holds 15 and a zero
)

// unknown refuses every key that the schema does not have.
func (c *checker) unknown() {
	for _, leaf := range c.places.leaf {
		path := strings.Split(leaf, keySeparator)
		known, options := match(path)
		if known == len(path) {
			continue
		}
		words := make([]any, known+1)
		for i := range words {
			words[i] = path[i]
		}
		hint := ""
		if len(options) > 0 {
			hint = "; " + suggest(path[known], options)
		}
		c.fail(c.places.of(words...), "unknown key %q%s", path[known], hint)
	}
}

// match tells how many words of path some line of the schema begins with,
// and what could have followed instead.
func match(path []string) (known int, options []string) {
	for _, line := range schema {
		words := strings.Split(line, ".")
		n := 0
		for n < len(path) && n < len(words) && (words[n] == "*" || words[n] == path[n]) {
			n++
		}
		if n < len(words) && words[n] == "**" {
			n = len(path)
		}
		if n > known {
			known, options = n, nil
		}
		if n == known && n < len(words) && words[n] != "*" {
			options = append(options, words[n])
		}
	}
	slices.Sort(options)
	return known, slices.Compact(options)
}

// suggest names the option that is nearest to what was written, or all.
func suggest(written string, options []string) string {
	for _, o := range options {
		if distance(written, o) <= 1+len(o)/4 {
			return fmt.Sprintf("did you mean %q?", o)
		}
	}
	return "want one of " + strings.Join(options, ", ")
}

// distance is how many letters have to be added, dropped or replaced to make
// b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func (c *checker) topology(raw *rawTopology, names []string) *Topology {
	t := &Topology{Name: raw.Name}
	switch {
	case raw.Name == "":
		c.fail(place{1, 1}, "the lab has no name: want name = \"...\", the prefix of its namespaces")
	case !nodeName.MatchString(raw.Name) || len(raw.Name) > 32:
		c.fail(c.places.of("name"), "name %q: want at most 32 of lower-case letters, digits and -", raw.Name)
	}
	c.used, c.node = map[string]bool{}, map[string]Kind{}
	for _, name := range names {
		t.Nodes = append(t.Nodes, c.oneNode(name, raw.Node[name]))
	}
	if len(t.Nodes) == 0 {
		c.fail(place{1, 1}, "the lab has no nodes: want at least one [node.NAME]")
	}
	for i := range raw.Link {
		t.Links = append(t.Links, c.link(i, &raw.Link[i]))
	}
	for _, n := range t.Nodes {
		c.reserved(t, n)
	}
	seen := map[string]bool{}
	for i := range raw.Test {
		test := c.test(i, &raw.Test[i])
		if test.Name != "" && seen[test.Name] {
			c.fail(c.places.of("test", i, "name"), "a second test named %q", test.Name)
		}
		seen[test.Name] = true
		t.Tests = append(t.Tests, test)
	}
	return t
}

func (c *checker) oneNode(name string, raw rawNode) Node {
	at := c.places.of("node", name)
	if !nodeName.MatchString(name) || len(name) > 32 {
		c.fail(at, "node %q: want at most 32 of lower-case letters, digits and -", name)
	}
	n := Node{Name: name, Kind: Kind(raw.Kind), Config: raw.Config}
	c.node[name] = n.Kind
	switch n.Kind {
	case KindRouter:
	case KindHost:
		if raw.Config != nil {
			c.fail(c.places.of("node", name, "config"), "host %s has config, which only a router takes", name)
		}
	case "":
		c.fail(at, "node %s has no kind: want \"host\" or \"router\"", name)
	case "switch", "frr", "bird":
		c.fail(c.places.of("node", name, "kind"), "nodes of kind %q are not built yet: want \"host\" or \"router\"", raw.Kind)
	default:
		c.fail(c.places.of("node", name, "kind"), "kind %q: want \"host\" or \"router\"", raw.Kind)
	}
	return n
}

// reserved refuses in a router's own tables what the lab writes itself.
func (c *checker) reserved(t *Topology, n Node) {
	for _, key := range []string{"name", "api"} {
		if _, set := n.Config[key]; set {
			c.fail(c.places.of("node", n.Name, "config", key), "%s of a router is the lab's to set", key)
		}
	}
	interfaces, ok := n.Config["interface"].(map[string]any)
	if _, set := n.Config["interface"]; set && !ok {
		c.fail(c.places.of("node", n.Name, "config", "interface"), "interface: want tables [interface.NAME]")
	}
	for _, a := range t.ends(n.Name) {
		extra, ok := interfaces[a.near.Interface].(map[string]any)
		if _, set := interfaces[a.near.Interface]; set && !ok {
			c.fail(c.places.of("node", n.Name, "config", "interface", a.near.Interface), "interface %s: want a table", a.near.Interface)
		}
		for _, key := range []string{"kind", "addresses", "mtu", "host"} {
			if _, set := extra[key]; set {
				c.fail(c.places.of("node", n.Name, "config", "interface", a.near.Interface, key),
					"%s of %s comes from its [[link]]", key, a.near)
			}
		}
	}
}

func (c *checker) link(i int, raw *rawLink) Link {
	var l Link
	at := c.places.of("link", i)
	if len(raw.Endpoints) != 2 {
		c.fail(c.places.of("link", i, "endpoints"), "a link has %d endpoints: want two, [\"h1:eth0\", \"r1:lan0\"]", len(raw.Endpoints))
		return l
	}
	for j, text := range raw.Endpoints {
		l.Ends[j] = c.end(c.places.of("link", i, "endpoints", j), text)
	}
	c.pair(at, &l)
	for j := range l.Ends {
		e := &l.Ends[j]
		e.Addresses = c.prefixes(raw.Addresses[e.String()], "link", i, "addresses", e.String())
		routes, given := raw.Routes[e.String()]
		e.Routes, e.Given = c.prefixes(routes, "link", i, "routes", e.String()), given
		for k, r := range e.Routes {
			if r.IsValid() && r != r.Masked() {
				c.fail(c.places.of("link", i, "routes", e.String(), k), "route %s has host bits set: want %s", r, r.Masked())
			}
		}
		if given && c.node[e.Node] == KindRouter {
			c.fail(c.places.of("link", i, "routes", e.String()), "routes of router %s belong in [[node.%s.config.static.route]]", e.Node, e.Node)
		}
	}
	for _, table := range []struct {
		key  string
		keys map[string][]string
	}{{"addresses", raw.Addresses}, {"routes", raw.Routes}} {
		for key := range table.keys {
			if !slices.Contains(raw.Endpoints, key) {
				c.fail(c.places.of("link", i, table.key, key), "%s of %q, which is no end of this link: want %s", table.key, key, strings.Join(raw.Endpoints, " or "))
			}
		}
	}
	if raw.MTU != nil {
		l.MTU = c.mtu(c.places.of("link", i, "mtu"), *raw.MTU, &l)
	}
	return l
}

func (c *checker) end(at place, text string) End {
	node, device, ok := strings.Cut(text, ":")
	if !ok || !deviceName.MatchString(device) {
		c.fail(at, "end %q of a link: want NODE:INTERFACE, the interface at most 15 letters", text)
		return End{Node: node, Interface: device}
	}
	if _, known := c.node[node]; !known {
		c.fail(at, "end %q of a link: there is no [node.%s]", text, node)
	}
	if c.used[text] {
		c.fail(at, "end %q already has a link", text)
	}
	c.used[text] = true
	return End{Node: node, Interface: device}
}

// pair refuses what cannot be joined yet.
func (c *checker) pair(at place, l *Link) {
	a, b := l.Ends[0], l.Ends[1]
	switch {
	case a.Node == b.Node:
		c.fail(at, "a link from %s to itself: want two nodes", a.Node)
	case c.node[a.Node] == KindRouter && c.node[b.Node] == KindRouter:
		c.fail(at, "%s - %s joins two routers, which takes packet ports that are not built yet: want a router and a host", a, b)
	case c.node[a.Node] == KindHost && c.node[b.Node] == KindHost:
		c.fail(at, "%s - %s joins two hosts: want a router and a host", a, b)
	}
}

func (c *checker) prefixes(texts []string, path ...any) []netip.Prefix {
	var prefixes []netip.Prefix
	for k, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			c.fail(c.places.of(append(slices.Clone(path), k)...), "%q: want an address with its prefix length, such as 10.0.1.2/24 or 2001:db8:1::2/64", text)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

func (c *checker) mtu(at place, mtu int, l *Link) int {
	least := 68 // RFC 791 §3.2
	for _, e := range l.Ends {
		if slices.ContainsFunc(e.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			least = 1280 // RFC 8200 §5
		}
	}
	if mtu < least || mtu > 65535 {
		c.fail(at, "mtu %d: want %d to 65535 bytes with the addresses of this link", mtu, least)
	}
	return mtu
}

func (c *checker) test(i int, raw *rawTest) Test {
	at := c.places.of("test", i)
	t := Test{
		Name: raw.Name, Node: raw.Node, Run: raw.Run, Exit: raw.Exit, Tools: raw.Tool, Show: raw.Show,
		Timeout: c.duration(DefaultTimeout, raw.Timeout, "test", i, "timeout"),
		Within:  c.duration(0, raw.Within, "test", i, "within"),
		Expect:  c.patterns(raw.Expect, "test", i, "expect"),
		Reject:  c.patterns(raw.Reject, "test", i, "reject"),
	}
	if t.Name == "" {
		c.fail(at, "a test has no name")
	}
	if raw.Exit < 0 || raw.Exit > 255 {
		c.fail(c.places.of("test", i, "exit"), "exit %d: want 0 to 255", raw.Exit)
	}
	c.command(at, fmt.Sprintf("test %q", t.Name), c.places.of("test", i, "node"), t.Node, t.Run)
	if s := raw.Serve; s != nil {
		at := c.places.of("test", i, "serve")
		c.command(at, "serve", c.places.of("test", i, "serve", "node"), s.Node, s.Run)
		if s.Port < 1 || s.Port > 65535 {
			c.fail(c.places.of("test", i, "serve", "port"), "serve: port %d: want the port that its server listens to, 1 to 65535", s.Port)
		}
		t.Serve = &Serve{Node: s.Node, Run: s.Run, Port: s.Port}
	}
	return t
}

func (c *checker) command(at place, what string, nodeAt place, node, run string) {
	if node == "" {
		c.fail(at, "%s has no node to run on", what)
	} else if _, known := c.node[node]; !known {
		c.fail(nodeAt, "%s runs on %q: there is no [node.%s]", what, node, node)
	}
	if strings.TrimSpace(run) == "" {
		c.fail(at, "%s runs nothing: want run = \"...\"", what)
	}
}

func (c *checker) duration(otherwise time.Duration, text string, path ...any) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		c.fail(c.places.of(path...), "%s %q: want a duration above zero with its unit, such as \"5s\"", path[len(path)-1], text)
	}
	return d
}

func (c *checker) patterns(texts []string, path ...any) []Pattern {
	var patterns []Pattern
	for k, text := range texts {
		r, err := regexp.Compile("(?m)" + text)
		if err != nil {
			c.fail(c.places.of(append(slices.Clone(path), strconv.Itoa(k))...), "%q is no regular expression: %v", text, err)
			continue
		}
		patterns = append(patterns, Pattern{r})
	}
	return patterns
}
