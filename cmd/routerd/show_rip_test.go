package main

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
)

// RIPRoutes gives a page of one route after the other if pages are wanted.
func (f *fake) RIPRoutes(_ context.Context, protocol string, q control.RIPQuery) (control.RIPRoutePage, error) {
	p, err := answer[control.RIPRoutePage](f, protocol+"-route")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rip = q
	p.Next = netip.Prefix{}
	if q.Prefix.IsValid() {
		p.Routes = slices.DeleteFunc(p.Routes, func(r control.RIPRoute) bool { return r.Prefix != q.Prefix })
		return p, err
	}
	if q.After.IsValid() {
		at := slices.IndexFunc(p.Routes, func(r control.RIPRoute) bool { return r.Prefix == q.After })
		p.Routes = p.Routes[at+1:]
	}
	if f.page > 0 && len(p.Routes) > f.page {
		p.Routes = p.Routes[:f.page]
		p.Next = p.Routes[f.page-1].Prefix
	}
	return p, err
}

func (f *fake) RIPNeighbors(_ context.Context, protocol string, q control.RIPQuery) (control.RIPNeighborList, error) {
	f.mu.Lock()
	f.rip = q
	f.mu.Unlock()
	return answer[control.RIPNeighborList](f, protocol+"-neighbor")
}

func (f *fake) RIPInterfaces(_ context.Context, protocol string, q control.RIPQuery) (control.RIPInterfaceList, error) {
	l, err := answer[control.RIPInterfaceList](f, protocol+"-interface")
	l.Interfaces = slices.DeleteFunc(l.Interfaces, func(i control.RIPInterface) bool {
		return q.Interface != "" && i.Name != q.Interface
	})
	return l, err
}

func (f *fake) ClearRIP(_ context.Context, protocol string, q control.RIPQuery) (control.RIPClearResult, error) {
	f.mu.Lock()
	f.rip = q
	f.mu.Unlock()
	return answer[control.RIPClearResult](f, "clear-"+protocol)
}

func TestRIPGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for name, line := range map[string]string{
		"rip-route":          "show rip route",
		"rip-route-wide":     "show rip route -o wide",
		"rip-route-json":     "show rip route 10.0.2.0/24 -o json",
		"rip-neighbor":       "show rip neighbor",
		"rip-neighbor-wide":  "show rip neighbors -o wide",
		"rip-interface":      "show rip interface",
		"rip-interface-wide": "show rip interface core0 -o wide",
		"rip-interface-json": "show rip interface lan0 -o json",
		"ripng-route":        "show ripng route",
		"ripng-neighbor":     "show ripng neighbor",
		"ripng-interface":    "show ripng interface",
		"clear-rip":          "clear rip",
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
			if code != exitOK || stderr != "" {
				t.Errorf("%s: exit %d, %s", line, code, stderr)
			}
			for l := range strings.Lines(stdout) {
				if strings.TrimRight(l, " \n") != strings.TrimRight(l, "\n") {
					t.Errorf("trailing blanks: %q", l)
				}
				if n := utf8.RuneCountInString(l) - 1; n > 100 && !strings.Contains(line, "-o") {
					t.Errorf("%d columns: %q", n, l)
				}
			}
			compare(t, name+".txt", stdout)
		})
	}
}

// What is asked of the router, by the command line.
func TestRIPQueries(t *testing.T) {
	f := &fake{}
	t.Setenv(control.SocketVariable, serve(t, f))
	heard := control.RIPQuery{Interface: "core0", Neighbor: netip.MustParseAddr("10.0.12.2")}
	one := control.RIPQuery{Prefix: netip.MustParsePrefix("10.0.2.0/24")}
	for line, want := range map[string]control.RIPQuery{
		"show rip route": {},
		"show rip route --interface core0 --neighbor 10.0.12.2":    heard,
		"show rip route 10.0.2.7/24":                               one,
		"show rip neighbor --interface core0 --neighbor 10.0.12.2": heard,
		"clear rip --interface core0 --neighbor ::ffff:10.0.12.2":  heard,
		"clear ripng --interface core0":                            {Interface: "core0"},
	} {
		if code, _, stderr := routerd(strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if d := cmp.Diff(want, f.rip, equal); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
	for line, want := range map[string]string{
		"show rip":                        "routerd: routerd show rip what? It takes route, neighbor, interface",
		"show rip route 10.0.0.0":         `routerd: "10.0.0.0": wanted a prefix such as 10.0.0.0/8`,
		"show rip route 10.7.0.0/16":      "routerd: rip knows nothing of exactly 10.7.0.0/16",
		"show rip route --neighbor x":     `routerd: invalid argument "x" for "--neighbor" flag: wanted an address such as 10.0.0.1`,
		"show ripng interface lan0":       "routerd: lan0 does not speak ripng now",
		"clear rip --neighbor fe80::1%a0": `routerd: invalid argument "fe80::1%a0" for "--neighbor" flag`,
	} {
		if code, stdout, stderr := routerd(strings.Fields(line)...); code == exitOK || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q%q, want %q", line, code, stdout, stderr, want)
		}
	}
}

// A table that comes in pages is shown as a whole.
func TestRIPPages(t *testing.T) {
	whole, paged := &fake{}, &fake{page: 1}
	_, want, _ := routerd("show", "rip", "route", "-o", "json", "--socket", serve(t, whole))
	code, got, stderr := routerd("show", "rip", "route", "-o", "json", "--socket", serve(t, paged))
	if code != exitOK || got != want {
		t.Errorf("exit %d, %s (-whole +paged):\n%s", code, stderr, cmp.Diff(want, got))
	}
	if paged.asked != 5 {
		t.Errorf("the table of five came in %d pages", paged.asked)
	}
}
