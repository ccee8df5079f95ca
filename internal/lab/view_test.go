package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
	"routerd/internal/protocols/ospf/ospftest"
	protocols "routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/internal/topology"
)

// speaking is a router that speaks one protocol, or none.
type speaking struct {
	control.Router
	protocol string
}

func (s speaking) Protocol(_ context.Context, name string) (protocols.Protocol, error) {
	if name != s.protocol {
		return nil, show.NotFound("%s is not spoken here", name)
	}
	return ospftest.New(), nil
}

// viewed is a lab of two routers that answer, of which the second speaks ospf.
func viewed(t *testing.T) *Lab {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "v.toml")
	text := "name = \"v\"\n[node.r1]\nkind = \"router\"\n[node.r2]\nkind = \"router\"\n[node.h1]\nkind = \"host\"\n" +
		"[[link]]\nendpoints = [\"r1:eth0\", \"r2:eth0\"]\naddresses = { \"r1:eth0\" = \"10.0.0.1/24\", \"r2:eth0\" = \"10.0.0.2/24\" }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(file, Options{Dir: dir, Binary: "/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for node, protocol := range map[string]string{"r1": "", "r2": "ospf"} {
		r, _ := l.router(node)
		listener, err := net.Listen("unix", r.Socket)
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- control.New(speaking{protocol: protocol}, control.Options{}).Serve(ctx, listener) }()
	}
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

// The database of the first router that has one, with its shortest paths thick and
// all other links dotted.
func TestView(t *testing.T) {
	l := viewed(t)
	want := `graph LR
  %% ospf as r2 sees it: thick arrows are its shortest paths
  subgraph a1["area 0.0.0.0"]
    a1_0(["r2<br/>10.255.0.1<br/>abr asbr<br/>at 0"])
    a1_1{{"10.0.12.0/24<br/>at 10"}}
    a1_2(["10.255.0.2<br/>abr asbr<br/>at 10"])
    a1_3(["10.255.0.3<br/>at 10"])
    a1_4(["10.255.0.4<br/>at 15"])
  end
  a1_0 ==>|"10 / 0"| a1_1
  a1_1 ==>|"0 / 10"| a1_2
  a1_0 ==>|"10 / 10"| a1_3
  a1_2 ==>|"5 / 5"| a1_4
  a1_3 ==>|"5 / 5"| a1_4
  subgraph a2["area 0.0.0.7"]
    a2_0(["r2<br/>10.255.0.1<br/>abr asbr<br/>at 0"])
  end
`
	for _, from := range []string{"", "r2"} {
		got, err := l.View(t.Context(), "ospf", from)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("from %q (-want +got):\n%s", from, d)
		}
	}
	for from, want := range map[string]string{
		"r1": "asking r1: ospf is not spoken here", "r3": `"r3" is no routerd of the lab`, "h1": `"h1" is no routerd of the lab`,
	} {
		if _, err := l.View(t.Context(), "ospf", from); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("from %s: %v, want %s", from, err, want)
		}
	}
	if _, err := l.View(t.Context(), "rip", ""); err == nil || !strings.Contains(err.Error(), `there is no view "rip", wanted one of ospf`) {
		t.Errorf("a view that there is not: %v", err)
	}
}

// A link that no shortest path takes is dotted, and two links between the same nodes
// are one line with both costs.
func TestViewOfOtherLinks(t *testing.T) {
	node := func(id, parents, links string) pathNode {
		read := func(text string) (list []topology.GraphLink) {
			for _, word := range strings.Fields(text) {
				var cost uint32
				var to string
				if _, err := fmt.Sscanf(word, "%1s:%d", &to, &cost); err != nil {
					t.Fatal(err)
				}
				list = append(list, topology.GraphLink{Kind: "router", ID: addrOf(to), Cost: cost})
			}
			return list
		}
		return pathNode{GraphNode: topology.GraphNode{Area: addrOf("0"), Kind: "router", ID: addrOf(id), Links: read(links)}, Parents: read(parents)}
	}
	p := paths{Nodes: []pathNode{node("1", "", "2:1 2:5 3:1"), node("2", "1:1", "1:1 1:5 3:7"), node("3", "1:1", "1:1 2:9")}}
	got := p.graph("ospf", "r1", nil)
	for _, want := range []string{`a1_0 ==>|"1 5 / 1 5"| a1_1`, `a1_0 ==>|"1 / 1"| a1_2`, `a1_1 -.-|"7 / 9"| a1_2`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func addrOf(last string) netip.Addr { return netip.MustParseAddr("0.0.0." + last) }
