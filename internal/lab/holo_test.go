package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/internal/corpus"
)

// holoLab writes the lab of a topology of the corpora: a router of routerd's
// for each, whose lo is a loopback.
func holoLab(topo *corpus.Topology) string {
	var b strings.Builder
	b.WriteString("name = \"NAME\"\n")
	protocol := strings.NewReplacer("ripv2", "rip", "ospfv2", "ospf").Replace(topo.Protocol)
	addresses := map[string][]netip.Prefix{} // by end
	for _, r := range topo.Routers {
		fmt.Fprintf(&b, "[node.%s]\nkind = \"router\"\n", r.Name)
		if topo.Protocol == "ospfv2" {
			fmt.Fprintf(&b, "[node.%s.config.ospf]\nrouter-id = %q\n", r.Name, r.RouterID)
			for _, a := range r.Areas {
				if a.Stub {
					fmt.Fprintf(&b, "[node.%s.config.ospf.area.%q]\ntype = \"stub\"\nno-summary = %t\ndefault-cost = 10\n", r.Name, a.ID, a.NoSummary)
				}
			}
		}
		for _, i := range r.Interfaces {
			addresses[r.Name+":"+i.Name] = i.Addresses
			fmt.Fprintf(&b, "[node.%s.config.%s.interface.%s]\n", r.Name, protocol, i.Name)
			if topo.Protocol == "ospfv2" {
				b.WriteString(holoInterface(&r, i.Name))
			}
			if i.Name == "lo" {
				fmt.Fprintf(&b, "passive = true\n[node.%s.config.interface.lo]\nkind = \"loopback\"\naddresses = %s\n", r.Name, list(i.Addresses))
			}
		}
	}
	for _, l := range topo.Links {
		fmt.Fprintf(&b, "[[link]]\nendpoints = %s\n[link.addresses]\n", list(l[:]))
		for _, end := range l {
			fmt.Fprintf(&b, "%q = %s\n", end, list(addresses[end]))
		}
	}
	return b.String()
}

// holoInterface is what a router of OSPF is told of an interface.
func holoInterface(r *corpus.TopologyRouter, name string) string {
	for _, a := range r.Areas {
		if !slices.Contains(a.Interfaces, name) {
			continue
		}
		text := fmt.Sprintf("area = %q\n", a.ID)
		if name != "lo" {
			text += "network = \"point-to-point\"\ncost = 10\nhello-interval = \"3s\"\n"
		}
		return text
	}
	return ""
}

func list[T any](items []T) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = fmt.Sprintf("%q", fmt.Sprint(item))
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
	t.Parallel()
	for _, name := range []string{"holo-ripv2-topo1-1", "holo-ripng-topo1-1", "holo-ospfv2-topo1-1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topo := corpus.ReadTopology(t, name)
			protocol := "rip"
			if topo.Protocol == "ospfv2" {
				protocol = "ospf"
			}
			b := newRIPBench(t, holoLab(topo))
			b.up()
			for _, r := range topo.Routers {
				deadline := time.Now().Add(settled)
				for {
					wrong := ""
					table := readRouterd(t, b.run(r.Name, "routerd show route -o json --protocol "+protocol), whole)
					for _, want := range r.Installed {
						got, ok := table[want.Prefix.String()]
						delete(table, want.Prefix.String())
						way := want.NextHop.String() + " " + want.Interface
						if !ok || got.Metric != int(want.Metric) || got.Tag != int(want.Tag) || !strings.Contains(got.Via, way) {
							wrong += fmt.Sprintf("%s is %+v, want metric %d, tag %d, by %s\n", want.Prefix, got, want.Metric, want.Tag, way)
						}
					}
					if len(r.Installed) == 0 {
						wrong = "nothing is expected of it\n"
					}
					if len(table) > 0 {
						wrong += fmt.Sprintf("besides it has %v\n", table)
					}
					if wrong == "" {
						break
					}
					if time.Now().After(deadline) {
						t.Errorf("%s has not what it shall:\n%s", r.Name, wrong)
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
}
