package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"routerd/dataplane"
	"routerd/internal/origin"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/rib"
)

// A file of routes has one on each line, written much as `ip route` does:
//
//	PREFIX via NEXTHOP... [dev INTERFACE] [metric N] [tag N] [distance N]
//	PREFIX dev INTERFACE
//	PREFIX nexthop via NEXTHOP [dev INTERFACE] [weight N] nexthop via ...
//	blackhole | unreachable | prohibit PREFIX [metric N] [tag N] [distance N]
//
// An address alone is a host route, "default" the prefix of length 0, and what
// follows a "#" a remark. The file is read line by line; of a line only its
// prefix is kept, of what follows it each different text once.

// mostMistakes is how many mistakes of a file of routes are told one by one.
const mostMistakes = 20

// longestLine of a file of routes, in bytes.
const longestLine = 64 << 10

var staticFile = tomltext.Path{}.With("static").With("file")

// readRoutes reads the file of routes, which is named relative to dir.
func (r *reader) readRoutes(c *Config, dir string) {
	if c.RouteFile == "" {
		return
	}
	if !filepath.IsAbs(c.RouteFile) {
		c.RouteFile = filepath.Join(dir, c.RouteFile)
	}
	f, err := os.Open(c.RouteFile)
	if err != nil {
		r.Wrong(staticFile, fmt.Sprintf("reading the routes: %v", err), "a file that routerd can read, with a route on each line")
		return
	}
	defer f.Close()
	l := &routeFile{
		reader: r, c: c, ways: map[string]*readWay{},
		by: map[string]*dataplane.InterfaceConfig{}, own: map[netip.Addr]string{},
	}
	for n := range c.Dataplane.Interfaces {
		i := &c.Dataplane.Interfaces[n]
		l.by[i.Name] = i
		for _, a := range i.Addresses {
			l.own[a.Prefix.Addr()] = i.Name
		}
	}
	l.read(f)
	l.finish()
	if !Failed(r.read) {
		r.checkReach(c, r.statics)
	}
}

// routeFile is a file of routes that is being read.
type routeFile struct {
	*reader
	c       *Config
	build   rib.ListBuilder
	ways    map[string]*readWay
	by      map[string]*dataplane.InterfaceConfig // the interfaces
	own     map[netip.Addr]string                 // the interfaces of the router's own addresses
	started int                                   // ways that there are
	line    int                                   // from 1
	text    string
	told    int
	untold  int
}

// readWay is what stands behind a prefix.
type readWay struct {
	number int
	family int // of its next hops: 4, 6, or 0 where they have no address
	wrong  *mistake
}

// mistake is something wrong in a line.
type mistake struct {
	at, width     int // in bytes
	message, want string
	suggestion    string
}

func (l *routeFile) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 4096), longestLine)
	for lines.Scan() {
		l.line++
		if wrong := l.route(lines.Bytes()); wrong != nil {
			l.text = string(lines.Bytes())
			l.tell(wrong)
		}
		if l.build.Len() == rib.MostListed || l.started == rib.MostWays {
			l.text = ""
			l.line++
			l.tell(&mistake{
				message: fmt.Sprintf("there are %d routes before it that lead %d different ways", l.build.Len(), l.started),
				want:    fmt.Sprintf("fewer than %d routes, and fewer than %d ways", rib.MostListed, rib.MostWays),
			})
			return
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		l.line++
		l.text = ""
		l.tell(&mistake{message: fmt.Sprintf("the line is longer than %d bytes", longestLine), want: "a route on each line; nothing behind this place has been read"})
	case err != nil:
		l.Wrong(staticFile, fmt.Sprintf("reading the routes: %v", err), "a file that routerd can read, with a route on each line")
		l.told++
	}
}

// finish makes the list of what has been read.
func (l *routeFile) finish() {
	whole := l.origins.AddLines(l.c.RouteFile, l.line)
	l.text = ""
	if l.told == 0 {
		list, twice := l.build.List(whole)
		for _, t := range twice {
			l.line = t.Line
			l.tell(&mistake{
				message: fmt.Sprintf("a second route to %s (the first: %s)", t.Prefix, origin.Place{File: l.c.RouteFile, Line: t.First}),
				want:    "each prefix once, all next hops in one route",
			})
		}
		l.c.RIB.List = list
	}
	for _, s := range l.statics {
		twin, twice := l.c.RIB.List.Get(s.Prefix)
		if twice && l.c.staticDistance(&twin) == l.c.staticDistance(s.StaticRoute) {
			l.line = l.origins.Place(twin.Origin).Line
			l.tell(&mistake{
				message: fmt.Sprintf("a second route to %s of the same distance, %d (the first: %s)", s.Prefix, l.c.staticDistance(&twin), l.ValuePlace(s.at.With("prefix"))),
				want:    "another distance, or all next hops in one route",
			})
		}
	}
	if l.untold > 0 {
		l.reader.read = append(l.reader.read, Problem{Place: origin.Place{File: l.c.RouteFile}, Message: fmt.Sprintf("%d more mistakes are not listed", l.untold)})
	}
}

// tell reports a mistake in the present line.
func (l *routeFile) tell(m *mistake) {
	if l.told++; l.told > mostMistakes {
		l.untold++
		return
	}
	column := 1
	if m.at <= len(l.text) {
		column = len([]rune(l.text[:m.at])) + 1
	}
	l.reader.read = append(l.reader.read, Problem{
		Place: origin.Place{File: l.c.RouteFile, Line: l.line, Column: column}, Line: l.text, Width: m.width,
		Message: m.message, Want: m.want, Suggestion: m.suggestion,
	})
}

// route reads a line.
func (l *routeFile) route(line []byte) *mistake {
	end := len(line)
	for i, c := range line {
		if c == '#' {
			end = i
			break
		}
	}
	from, to := word(line[:end], 0)
	if from == to {
		return nil // nothing but a remark
	}
	action, begin := routing.Forward, from
	for a := routing.Blackhole; a <= routing.Prohibit; a++ {
		if string(line[from:to]) == a.String() {
			action = a
			if from, to = word(line[:end], to); from == to {
				return &mistake{begin, to - begin, "a " + a.String() + " route without a prefix", `"` + a.String() + ` 192.0.2.0/24", say`, ""}
			}
		}
	}
	for end > to && (line[end-1] == ' ' || line[end-1] == '\t' || line[end-1] == '\r') {
		end--
	}
	way := l.way(action, line[to:end])
	if way.wrong != nil {
		m := *way.wrong
		if m.width == 0 { // of the route as a whole
			m.at, m.width = from, to-from
		} else {
			m.at += to
		}
		return &m
	}
	p, wrong := readPrefix(string(line[from:to]), way.family)
	if wrong == nil && way.family != 0 && (way.family == 4) != p.Addr().Is4() {
		wrong = &mistake{message: fmt.Sprintf("the next hops of %s are of the other family", p), want: "addresses of the prefix's family"}
	}
	if wrong != nil {
		wrong.at, wrong.width = from, to-from
		return wrong
	}
	l.build.Add(p, way.number, l.line)
	return nil
}

// word gives where the next word of a line begins and ends, from a place on.
func word(line []byte, at int) (from, to int) {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r') {
		at++
	}
	from = at
	for at < len(line) && line[at] != ' ' && line[at] != '\t' && line[at] != '\r' {
		at++
	}
	return from, at
}

// readPrefix reads the prefix of a route; the family is that of its next hops.
func readPrefix(s string, family int) (netip.Prefix, *mistake) {
	if s == "default" {
		if family == 6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return p, &mistake{message: fmt.Sprintf("%q is no prefix", s), want: `a prefix like "192.0.2.0/24", or one of the words blackhole, unreachable and prohibit before it`}
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case p.Addr().Is4In6():
		return p, &mistake{message: fmt.Sprintf("%s is an IPv4 prefix written as an IPv6 one", p), want: "a prefix like 192.0.2.0/24"}
	case p != p.Masked():
		return p, &mistake{message: fmt.Sprintf("%s has bits behind its length", p), want: "the prefix alone", suggestion: fmt.Sprintf("did you mean %s?", p.Masked())}
	}
	return p, nil
}

// way gives the way of what stands behind a prefix.
func (l *routeFile) way(action routing.Action, rest []byte) *readWay {
	if action == routing.Forward {
		if known := l.ways[string(rest)]; known != nil {
			return known
		}
	}
	key := string(rest)
	if action != routing.Forward {
		key = action.String() + " " + key // no other way begins with a word
	}
	known := l.ways[key]
	if known != nil {
		return known
	}
	known = &readWay{}
	w := wayReader{route: rib.StaticRoute{Action: action}, text: string(rest), given: map[string]bool{}}
	if known.wrong = w.read(); known.wrong == nil {
		known.wrong = l.judge(&w)
	}
	if known.wrong == nil {
		known.number, known.family = l.build.Way(w.route), w.family
		l.started++
	}
	if len(l.ways) < 2*rib.MostWays { // mistakes need not be known again
		l.ways[key] = known
	}
	return known
}

// judge looks at what a way names: interfaces and neighbours.
func (l *routeFile) judge(w *wayReader) *mistake {
	for n, h := range w.route.NextHops {
		at := w.places[n]
		switch i := l.by[h.Interface]; {
		case h.Interface == "":
		case i == nil:
			return &mistake{at[0], at[1] - at[0], fmt.Sprintf("there is no interface %q", h.Interface), "the name of an interface", tomltext.Suggest(h.Interface, slices.Collect(maps.Keys(l.by)))}
		case i.Kind == dataplane.KindLoopback:
			return &mistake{at[0], at[1] - at[0], fmt.Sprintf("the route leads by the loopback %s", i.Name), "an interface with a port, or the word blackhole", ""}
		}
		if name, ours := l.own[h.Address]; ours && h.Address.IsValid() && !(isLinkLocal(h.Address) && name != h.Interface) {
			return &mistake{at[0], at[1] - at[0], fmt.Sprintf("next hop %s is the router's own address on %s", h.Address, name), "the address of a neighbour", ""}
		}
	}
	return nil
}

// withListed adds to static routes those of a list that matter for whether next
// hops are reached: one of each way, and those that hold a next hop.
func (r *reader) withListed(statics []rib.StaticRoute, list *rib.RouteList) []rib.StaticRoute {
	if list.Len() == 0 {
		return statics
	}
	all := append(statics[:len(statics):len(statics)], list.Examples()...)
	r.examples = map[origin.ID]bool{}
	seen := map[netip.Prefix]bool{}
	for _, s := range all[len(statics):] {
		r.examples[s.Origin], seen[s.Prefix] = true, true
	}
	for _, s := range all[:len(all):len(all)] {
		for _, h := range s.NextHops {
			for bits := h.Address.BitLen(); h.Address.IsValid() && h.Interface == "" && bits >= 0; bits-- {
				p := netip.PrefixFrom(h.Address, bits).Masked()
				if over, found := list.Get(p); found && !seen[p] {
					seen[p] = true
					all = append(all, over)
				}
			}
		}
	}
	return all
}

// unreached warns of a next hop in a file of routes that nothing reaches.
func (r *reader) unreached(c *Config, u *rib.Unreached) {
	if !r.examples[u.Origin] {
		return
	}
	if r.unreachedWays++; r.unreachedWays > mostMistakes {
		return
	}
	r.read = append(r.read, Problem{
		Place: r.origins.Place(u.Origin), Warning: true,
		Message: fmt.Sprintf("of the route to %s and others alike, %s is not used: %s", u.Prefix, strings.TrimSpace(hopText(u.NextHop)), u.WhyNot),
		Want:    "a next hop that an interface or another route reaches",
	})
}
