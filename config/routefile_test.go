package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/rib"
)

// filed is a router with a file of routes.
const filed = `name = "r1"
[interface.a]
kind = "tun"
addresses = ["10.0.0.1/24", "2001:db8::1/64"]
[interface.b]
kind = "tun"
addresses = ["10.1.0.1/24"]
[interface.lo]
kind = "loopback"
addresses = ["10.9.9.9/32"]
[[static.route]]
prefix = "192.0.2.0/24"
next-hop = "10.0.0.2"
[static]
file = "routes.txt"
`

// loadFiled loads that router with a text of routes.
func loadFiled(t testing.TB, dir, routes string) (*Config, []Problem) {
	t.Helper()
	for name, text := range map[string]string{"r1.toml": filed, "routes.txt": routes} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems, err := Load(filepath.Join(dir, "r1.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return c, problems
}

func TestRouteFile(t *testing.T) {
	dir := t.TempDir()
	c, problems := loadFiled(t, dir, `# what the lab needs

203.0.113.0/24 via 10.0.0.2
198.51.100.0/24 via 10.0.0.2 10.0.0.3 metric 5 tag 4294967295   # two of them
198.51.100.7   via 10.1.0.2 dev b`+"\r"+`
default dev b
	default via fe80::2 dev a distance 200
2001:db8:1::/48 nexthop via 2001:db8::2 weight 2 nexthop dev a via 2001:db8::3 weight 3
blackhole 10.66.0.0/16
unreachable	10.67.0.0/16 tag 7
prohibit 2001:db8:66::/48
192.0.2.0/24 via 10.0.0.3 distance 7`)
	for _, p := range problems {
		t.Errorf("loading: %s", p)
	}
	hop := func(words ...string) (hops []rib.StaticNextHop) {
		for _, w := range words {
			h := rib.StaticNextHop{}
			address, name, _ := strings.Cut(w, "@")
			if address != "" {
				h.Address = netip.MustParseAddr(address)
			}
			name, weight, _ := strings.Cut(name, "*")
			h.Interface = name
			_, _ = fmt.Sscan(weight, &h.Weight)
			hops = append(hops, h)
		}
		return hops
	}
	want := map[string]rib.StaticRoute{
		"203.0.113.0/24":   {NextHops: hop("10.0.0.2"), Origin: 3},
		"198.51.100.0/24":  {NextHops: hop("10.0.0.2", "10.0.0.3"), Metric: 5, Tag: 4294967295, Origin: 4},
		"198.51.100.7/32":  {NextHops: hop("10.1.0.2@b"), Origin: 5},
		"0.0.0.0/0":        {NextHops: hop("@b"), Origin: 6},
		"::/0":             {NextHops: hop("fe80::2@a"), Distance: 200, Origin: 7},
		"2001:db8:1::/48":  {NextHops: hop("2001:db8::2@*2", "2001:db8::3@a*3"), Origin: 8},
		"10.66.0.0/16":     {Action: routing.Blackhole, Origin: 9},
		"10.67.0.0/16":     {Action: routing.Unreachable, Tag: 7, Origin: 10},
		"2001:db8:66::/48": {Action: routing.Prohibit, Origin: 11},
		"192.0.2.0/24":     {NextHops: hop("10.0.0.3"), Distance: 7, Origin: 12},
	}
	if got := c.RIB.List.Len(); got != len(want) {
		t.Errorf("%d routes, want %d", got, len(want))
	}
	for text, w := range want {
		w.Prefix = netip.MustParsePrefix(text)
		got, found := c.RIB.List.Get(w.Prefix)
		if at := c.Origins.Place(got.Origin); at != (origin.Place{File: filepath.Join(dir, "routes.txt"), Line: int(w.Origin)}) {
			t.Errorf("%s stands at %s, want line %d", text, at, w.Origin)
		}
		w.Origin = got.Origin
		if fmt.Sprint(got) != fmt.Sprint(w) || !found {
			t.Errorf("%s is %+v, want %+v", text, got, w)
		}
	}
}

// Each mistake by itself, at its place.
func TestRouteFileMistakes(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"10.0.0.0/33 via 10.0.0.2":                              `1:1+11: "10.0.0.0/33" is no prefix`,
		"  ten via 10.0.0.2":                                    `1:3+3: "ten" is no prefix`,
		"10.0.0.1/8 via 10.0.0.2":                               `1:1+10: 10.0.0.1/8 has bits behind its length`,
		"::ffff:10.0.0.0/104 dev a":                             `1:1+19: ::ffff:10.0.0.0/104 is an IPv4 prefix written as an IPv6 one`,
		"fe80::1%a dev a":                                       `1:1+9: "fe80::1%a" is no prefix`,
		"20.0.0.0/8":                                            `1:1+10: the route leads nowhere`,
		"20.0.0.0/8 metric 3":                                   `1:1+10: the route leads nowhere`,
		"20.0.0.0/8 via":                                        `1:12+3: via without a next hop`,
		"20.0.0.0/8 via dev a":                                  `1:16+3: "dev" is not the address of a neighbour`,
		"20.0.0.0/8 via 10.0.0.2 10.0.0.2":                      `1:25+8: "10.0.0.2" is a next hop that the route has already`,
		"20.0.0.0/8 via 10.0.0.2 2001:db8::2":                   `1:25+11: next hop 2001:db8::2 is of the other family than those before it`,
		"20.0.0.0/8 via 2001:db8::2":                            `1:1+10: the next hops of 20.0.0.0/8 are of the other family`,
		"20.0.0.0/8 via 10.0.0.1":                               `1:16+8: next hop 10.0.0.1 is the router's own address on a`,
		"20.0.0.0/8 via 0.0.0.0":                                `1:16+7: "0.0.0.0" is not the address of a neighbour`,
		"2001:db8:1::/48 via fe80::2":                           `1:21+7: fe80::2 is link-local and means nothing without its interface`,
		"20.0.0.0/8 dev c":                                      `1:16+1: there is no interface "c"`,
		"20.0.0.0/8 dev lo":                                     `1:16+2: the route leads by the loopback lo`,
		"20.0.0.0/8 dev":                                        `1:12+3: dev without a value`,
		"20.0.0.0/8 dev a dev b":                                `1:18+3: dev is given twice`,
		"20.0.0.0/8 dev a metric -1":                            `1:25+2: "-1" is no number from 0 to 4294967295`,
		"20.0.0.0/8 dev a distance 256":                         `1:27+3: "256" is no number from 1 to 255`,
		"20.0.0.0/8 dev a proto static":                         `1:18+5: "proto" is no word of a route`,
		"20.0.0.0/8 weight 3 via 10.0.0.2":                      `1:19+1: weight before the next hop that it is of`,
		"blackhole":                                             `1:1+9: a blackhole route without a prefix`,
		"blackhole 20.0.0.0/8 via 10.0.0.2":                     `1:26+8: a blackhole route with a next hop`,
		"20.0.0.0/8 dev a\n\n20.0.0.0/8 dev b":                  `3:1+0: a second route to 20.0.0.0/8 (the first: routes.txt:1)`,
		"192.0.2.0/24 dev b":                                    `1:1+0: a second route to 192.0.2.0/24 of the same distance, 1 (the first: r1.toml:12)`,
		"20.0.0.0/8 dev a #" + strings.Repeat(".", longestLine): fmt.Sprintf(`1:1+0: the line is longer than %d bytes`, longestLine),
		"20.0.0.0/8 via 10.77.0.1":                              `warning 1:0+0: of the route to 20.0.0.0/8 and others alike, 10.77.0.1 is not used: next hop 10.77.0.1 is unreachable: no route covers it`,
	} {
		c, problems := loadFiled(t, dir, line)
		var got []string
		for _, p := range problems {
			kind := ""
			if p.Warning {
				kind = "warning "
			} else if c.RIB.List != nil && !strings.HasPrefix(line, "192") {
				t.Errorf("%s: a list of routes in spite of %s", line, p)
			}
			if p.Place.File != filepath.Join(dir, "routes.txt") {
				t.Errorf("%s: in the file %s", line, p.Place.File)
			}
			got = append(got, strings.ReplaceAll(fmt.Sprintf("%s%d:%d+%d: %s", kind, p.Place.Line, p.Place.Column, p.Width, p.Message), dir+"/", ""))
		}
		if len(line) > 100 {
			line = line[:100]
		}
		if d := cmp.Diff([]string{want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

// Of many mistakes some are told, and how many more there are.
func TestRouteFileManyMistakes(t *testing.T) {
	_, problems := loadFiled(t, t.TempDir(), strings.Repeat("20.0.0.0/8 dev a\nnonsense\n", 500))
	if n := len(problems); n != mostMistakes+1 {
		t.Fatalf("%d problems, want %d and how many more there are", n, mostMistakes)
	}
	if p := problems[mostMistakes-1]; p.Place.Line != 2*mostMistakes || p.Line != "nonsense" {
		t.Errorf("the last problem told is %s, want line %d", p, 2*mostMistakes)
	}
	if p := problems[mostMistakes]; p.Message != "480 more mistakes are not listed" {
		t.Errorf("the last problem is %q, want 480 more", p.Message)
	}
}

func TestRouteFileMissing(t *testing.T) {
	dir := t.TempDir()
	_, _ = loadFiled(t, dir, "")
	if err := os.Remove(filepath.Join(dir, "routes.txt")); err != nil {
		t.Fatal(err)
	}
	_, problems, err := Load(filepath.Join(dir, "r1.toml"))
	if err != nil || len(problems) != 1 || problems[0].Place.Line != 15 || !strings.Contains(problems[0].Message, "no such file") {
		t.Errorf("%v, %v, want the file missed in line 15", problems, err)
	}
}

// A diff counts the routes that differ, and lists none.
func TestRouteFileDiff(t *testing.T) {
	was, _ := loadFiled(t, t.TempDir(), "20.0.0.0/8 dev a\n21.0.0.0/8 dev a\n22.0.0.0/8 dev a")
	moved, _ := loadFiled(t, t.TempDir(), "# moved\n20.0.0.0/8 dev a\n21.0.0.0/8 dev a\n22.0.0.0/8 dev a")
	is, _ := loadFiled(t, t.TempDir(), "20.0.0.0/8 dev a\n22.0.0.0/8 dev b\n23.0.0.0/8 dev a\n24.0.0.0/8 dev a")
	if d := Diff(was, moved); len(d) > 0 {
		t.Errorf("routes on other lines differ: %+v, want no difference", d)
	}
	d := Diff(was, is)
	if len(d) != 1 || d[0].Path != "static.file" || d[0].Kind != "changed" || !strings.HasSuffix(d[0].Old, "routes.txt (3 routes)") ||
		!strings.HasSuffix(d[0].New, "routes.txt (4 routes)") || d[0].Impact != "routes added: 2, removed: 1, changed: 1" {
		t.Errorf("%+v, want the numbers of routes that differ", d)
	}
	without, _ := Parse("r1.toml", []byte(strings.Replace(filed, "file = \"routes.txt\"\n", "", 1)))
	d = Diff(without, is)
	if len(d) != 1 || d[0].Kind != "changed" || d[0].Path != "static.file" || d[0].Old != "" || d[0].New != "routes.txt (4 routes)" || d[0].Impact != "routes added: 4, removed: 0, changed: 0" {
		t.Errorf("%+v, want the file added", d)
	}
	same, _ := loadFiled(t, t.TempDir(), "20.0.0.0/8 dev a\n21.0.0.0/8 dev a\n22.0.0.0/8 dev a")
	if Share(was, same); same.RIB.List != was.RIB.List {
		t.Error("the same routes are kept twice")
	}
	if Share(was, moved); moved.RIB.List == was.RIB.List {
		t.Error("the lines of routes that moved are lost")
	}
}

// FuzzRouteFile: whatever a file of routes holds is read or refused.
func FuzzRouteFile(f *testing.F) {
	f.Add("203.0.113.0/24 via 10.0.0.2 dev a weight 3 nexthop via 10.0.0.3\nblackhole ::/0 tag 3 # x")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := loadFiled(t, dir, text)
		for _, p := range problems {
			_ = p.String()
		}
		if !Failed(problems) && c.RIB.List == nil {
			t.Error("no problem and no routes")
		}
	})
}
