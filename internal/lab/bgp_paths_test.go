package lab

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var birdPath = regexp.MustCompile(`BGP\.as_path: (.*)`)

// paths are the AS paths of all routes of a prefix that a speaker has.
func (b *bgpBench) paths(name, prefix string) (list []string) {
	b.t.Helper()
	switch b.plan.seat(name).make {
	case makeBIRD:
		for _, m := range birdPath.FindAllStringSubmatch(b.run(name, "birdc show route "+prefix+" all || true"), -1) {
			list = append(list, m[1])
		}
	case makeFRR:
		var one frrPrefix
		b.decode(name, "vtysh -c 'show bgp ipv4 unicast "+prefix+" json'", &one)
		for _, p := range one.Paths {
			list = append(list, p.ASPath.String)
		}
	case makeGoBGP:
		text := b.run(name, "gobgp -j global rib "+prefix+" || true")
		if !strings.HasPrefix(text, "{") {
			return nil // it has none, and says so
		}
		list = gobgpPaths(b.t, text)
	default:
		var doc struct {
			Routes []struct{ Paths []routerdPath }
		}
		b.decode(name, "routerd show bgp route "+prefix+" -o json 2>/dev/null || echo '{}'", &doc)
		for _, r := range doc.Routes {
			for _, p := range r.Paths {
				list = append(list, p.Path)
			}
		}
	}
	slices.Sort(list)
	return list
}

// gobgpPaths are the AS paths of all routes.
func gobgpPaths(t *testing.T, text string) (list []string) {
	t.Helper()
	var all map[string][]struct{ Attrs []gobgpAttribute }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("reading what GoBGP says: %v\n%s", err, text)
	}
	for _, paths := range all {
		for _, p := range paths {
			var r bgpKnown
			for _, a := range p.Attrs {
				a.into(t, &r)
			}
			list = append(list, r.Path)
		}
	}
	return list
}

// Several paths of a prefix (RFC 7911): one make sends two, which routerd sends on to
// neighbours of the two others.
func TestBGPSeveralPaths(t *testing.T) {
	t.Parallel()
	makes := []bgpMake{makeBIRD, makeFRR, makeGoBGP}
	for turn, gatherer := range makes {
		t.Run(string(gatherer), func(t *testing.T) {
			t.Parallel()
			const prefix = "172.30.0.0/16"
			p := &bgpPlan{seats: []bgpSeat{{name: "r", make: makeRouterd, as: 65001}}}
			for i := range makes {
				p.seats = append(p.seats, bgpSeat{name: fmt.Sprintf("n%d", i), make: makes[(turn+i)%len(makes)], as: 65002 + i})
				p.nets = append(p.nets, bgpNet{seats: [2]string{"r", fmt.Sprintf("n%d", i)}, paths: true})
			}
			for i := range 2 {
				name := fmt.Sprintf("x%d", i)
				p.seats = append(p.seats, bgpSeat{name: name, make: makeBIRD, as: 65010 + i, routes: []bgpRoute{{prefix: prefix}}})
				p.nets = append(p.nets, bgpNet{seats: [2]string{"n0", name}})
			}
			b := newBGPBench(t, p)
			settled := func(as ...int) {
				t.Helper()
				for name, form := range map[string]string{"n0": "%d", "r": "65002 %d", "n1": "65001 65002 %d", "n2": "65001 65002 %d"} {
					var want []string
					for _, n := range as {
						want = append(want, fmt.Sprintf(form, n))
					}
					diff := ""
					for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
						if diff = cmp.Diff(want, b.paths(name, prefix)); diff == "" {
							break
						}
						if time.Now().After(end) {
							t.Fatalf("the paths of %s, %s (-want +got):\n%s\n%s", name, p.seat(name).make, diff, b.say())
						}
					}
				}
			}
			settled(65010, 65011)
			b.kill("x0")
			settled(65011)
			b.revive()
			settled(65010, 65011)
		})
	}
}
