package lab

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/internal/corpus"
)

// holo is a topology of the corpora: routers with their addresses, and the
// routes that each shall learn.
type holo struct {
	Protocol string
	Routers  map[string]struct {
		Addresses []struct{ Ifname, Addr string }
		Indexes   map[string]struct{ Ifindex int } `json:"interfaces"`
		Expected  []struct {
			Prefix      string
			Metric, Tag int
			Nexthops    []struct {
				Address struct {
					Ifindex int
					Addr    string
				}
			}
		} `json:"expected_installed_routes"`
	}
}

// topology writes the lab: a router of routerd's for each, whose eth-rt2 leads
// to rt2, and whose lo is a loopback.
func (h *holo) topology() string {
	var b strings.Builder
	b.WriteString("name = \"NAME\"\n")
	protocol := strings.Replace(h.Protocol, "ripv2", "rip", 1)
	ends := map[string]map[string][]string{} // by link and end
	for _, node := range slices.Sorted(maps.Keys(h.Routers)) {
		fmt.Fprintf(&b, "[node.%s]\nkind = \"router\"\n", node)
		byName := map[string][]string{}
		for _, a := range h.Routers[node].Addresses {
			byName[a.Ifname] = append(byName[a.Ifname], a.Addr)
		}
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			fmt.Fprintf(&b, "[node.%s.config.%s.interface.%s]\n", node, protocol, name)
			if name == "lo" {
				fmt.Fprintf(&b, "passive = true\n[node.%s.config.interface.lo]\nkind = \"loopback\"\naddresses = %s\n", node, list(byName[name]))
				continue
			}
			pair := []string{node, strings.TrimPrefix(name, "eth-")}
			slices.Sort(pair)
			link := strings.Join(pair, " ")
			if ends[link] == nil {
				ends[link] = map[string][]string{}
			}
			ends[link][node+":"+name] = byName[name]
		}
	}
	for _, link := range slices.Sorted(maps.Keys(ends)) {
		names := slices.Sorted(maps.Keys(ends[link]))
		fmt.Fprintf(&b, "[[link]]\nendpoints = %s\n[link.addresses]\n", list(names))
		for _, name := range names {
			fmt.Fprintf(&b, "%q = %s\n", name, list(ends[link][name]))
		}
	}
	return b.String()
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = fmt.Sprintf("%q", t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// whole has next hops with their link-local addresses, which are given here.
func whole(addresses, interfaces []string) string {
	var all []string
	for n, a := range addresses {
		all = append(all, a+" "+interfaces[n])
	}
	return strings.Join(all, ", ")
}

// Routers in the places of another implementation's learn what those did.
// Where ways are equal the others kept one, of which ours has to be part.
func TestHoloTopologies(t *testing.T) {
	for _, file := range []string{"holo-ripv2-topo1-1.json", "holo-ripng-topo1-1.json"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(corpus.Dir(t), "topologies", file))
			if err != nil {
				t.Fatal(err)
			}
			var h holo
			if err := json.Unmarshal(text, &h); err != nil {
				t.Fatal(err)
			}
			b := newRIPBench(t, h.topology())
			b.up()
			for node, r := range h.Routers {
				names := map[int]string{}
				for name, i := range r.Indexes {
					names[i.Ifindex] = name
				}
				deadline := time.Now().Add(20 * time.Second)
				for {
					wrong := ""
					table := readRouterd(t, b.run(node, "routerd show route -o json --protocol rip"), whole)
					for _, want := range r.Expected {
						got, ok := table[want.Prefix]
						delete(table, want.Prefix)
						hop := want.Nexthops[0].Address
						if way := hop.Addr + " " + names[hop.Ifindex]; !ok || got.Metric != want.Metric || got.Tag != want.Tag || !strings.Contains(got.Via, way) {
							wrong += fmt.Sprintf("%s is %+v, want metric %d, tag %d, by %s\n", want.Prefix, got, want.Metric, want.Tag, way)
						}
					}
					if len(r.Expected) == 0 {
						wrong = "nothing is expected of it\n"
					}
					if len(table) > 0 {
						wrong += fmt.Sprintf("besides it has %v\n", table)
					}
					if wrong == "" {
						break
					}
					if time.Now().After(deadline) {
						t.Errorf("within 20 s %s has not what it shall:\n%s", node, wrong)
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
}
