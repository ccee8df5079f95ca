package lab

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawn is a topology of routers r0, r1, ... and its links, "0-1 1-2 ...", with
// addresses of both families.
func drawn(t *testing.T, nodes int, links string) *Topology {
	t.Helper()
	var b strings.Builder
	b.WriteString("name = \"x\"\n")
	for i := range nodes {
		fmt.Fprintf(&b, "[node.r%d]\nkind = \"router\"\n", i)
	}
	for n, l := range strings.Fields(links) {
		from, to, _ := strings.Cut(l, "-")
		a, z := fmt.Sprintf("r%s:eth%d", from, n), fmt.Sprintf("r%s:eth%d", to, n)
		fmt.Fprintf(&b, "[[link]]\nendpoints = [%q, %q]\naddresses = { %q = [\"10.0.%d.1/24\", \"2001:db8:%d::1/64\"], %q = [\"10.0.%d.2/24\", \"2001:db8:%d::2/64\"] }\n",
			a, z, a, n, n, z, n, n)
	}
	return decode(t, b.String())
}

// complete joins each of n nodes with each other.
func complete(n int) string {
	var links []string
	for a := range n {
		for b := range a {
			links = append(links, fmt.Sprintf("%d-%d", b, a))
		}
	}
	return strings.Join(links, " ")
}

// shapes are what people build labs of.
var shapes = []struct {
	name, links string
	nodes       int
}{
	{"a pair", "0-1", 2},
	{"two links", "0-1 0-1", 2},
	{"a chain", "0-1 1-2 2-3 3-4", 5},
	{"a triangle", "0-1 1-2 2-0", 3},
	{"a ring", "0-1 1-2 2-3 3-4 4-5 5-0", 6},
	{"a large ring", "0-1 1-2 2-3 3-4 4-5 5-6 6-7 7-8 8-9 9-0", 10},
	{"a ring out of order", "0-3 3-1 1-4 4-2 2-5 5-0", 6},
	{"a ring with tails", "0-1 1-2 2-3 3-0 0-4 2-5 5-6", 7},
	{"a star", "0-1 0-2 0-3 0-4 0-5 0-6", 7},
	{"a star of eight", "0-1 0-2 0-3 0-4 0-5 0-6 0-7 0-8", 9},
	{"a backbone", "0-1 1-2 0-3 0-4 1-5 1-6 1-7 2-8", 9},
	{"a tree", "0-1 0-2 1-3 1-4 2-5 2-6 3-7 4-8 5-9 6-10", 11},
	{"a mesh of four", complete(4), 4},
	{"a mesh of five", complete(5), 5},
	{"a ladder", "0-1 1-2 3-4 4-5 0-3 1-4 2-5", 6},
	{"two parts", "0-1 2-3 3-4", 5},
	{"no links", "", 3},
}

// Nothing that is drawn covers anything else: no label a node, another label or a
// link, no node a node, and no link runs through a node that is not its own.
func TestDrawingsAreLegible(t *testing.T) {
	for _, shape := range shapes {
		for _, addresses := range []bool{true, false} {
			s := sketch{topology: drawn(t, shape.nodes, shape.links), drawing: Drawing{Addresses: addresses}}
			s.compose()
			for i, l := range s.labels {
				if clash := s.clash(i, l.box); clash > 0 {
					t.Errorf("%s, addresses %v: label %s %v at %v is in the way by %.0f", shape.name, addresses, l.name, l.small, l.box, clash)
				}
				own := s.lines[l.line]
				node := own.from
				if l.from == 1 {
					node = own.to
				}
				if far := l.box.middle().Minus(node).Length(); far > own.to.Minus(own.from).Length()*0.75+80 {
					t.Errorf("%s, addresses %v: label %s is %.0f from its node", shape.name, addresses, l.name, far)
				}
			}
			for i := range s.nodes {
				for k := range i {
					if s.nodes[i].grown(4).common(s.nodes[k]) > 0 {
						t.Errorf("%s: nodes %d and %d cover each other", shape.name, i, k)
					}
				}
				for k, l := range s.lines {
					if s.nodes[i].grown(-1).through(l.from, l.to) > 0 {
						t.Errorf("%s: link %d runs through node %d", shape.name, k, i)
					}
				}
			}
			if s.wide > 4000 || s.tall > 3000 {
				t.Errorf("%s, addresses %v: the image is %.0f by %.0f", shape.name, addresses, s.wide, s.tall)
			}
		}
	}
}

// A ring is one, whatever order its nodes and links are in.
func TestRingIsDrawnAsARing(t *testing.T) {
	for _, links := range []string{"0-1 1-2 2-3 3-4 4-5 5-0", "0-3 3-1 1-4 4-2 2-5 5-0"} {
		at := drawn(t, 6, links).arrange()
		var middle point
		for _, p := range at {
			middle = middle.Plus(p.Times(1 / 6.0))
		}
		for i, p := range at {
			if r := p.Minus(middle).Length(); math.Abs(r-1) > 1e-9 {
				t.Errorf("%s: node %d is %v from the middle, want 1", links, i, r)
			}
		}
		for _, l := range strings.Fields(links) {
			if d := at[l[0]-'0'].Minus(at[l[2]-'0']).Length(); math.Abs(d-1) > 1e-9 {
				t.Errorf("%s: link %s is %v long, want 1: neighbours beside each other", links, l, d)
			}
		}
	}
}

func TestChainIsDrawnAsALine(t *testing.T) {
	at := drawn(t, 5, "2-0 0-4 4-1 1-3").arrange()
	for k, i := range []int{2, 0, 4, 1, 3} {
		if math.Abs(at[i].X-float64(k)) > 1e-9 || math.Abs(at[i].Y) > 1e-9 {
			t.Errorf("node %d is at %v, want %d on a line", i, at[i], k)
		}
	}
}

// contents reads an image as the XML that it is, and gives what is written in it.
func contents(t *testing.T, image []byte) (text string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(image))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text
		}
		if err != nil {
			t.Fatalf("the image is no XML: %v\n%s", err, image)
		}
		if c, is := token.(xml.CharData); is {
			text += " " + string(c)
		}
	}
}

func TestSVG(t *testing.T) {
	topology := decode(t, example)
	status := &Status{}
	for range topology.Nodes {
		status.Nodes = append(status.Nodes, NodeStatus{Up: true})
	}
	for range topology.Links {
		status.Links = append(status.Links, LinkStatus{State: LinkUp})
	}
	all := contents(t, topology.SVG(Drawing{Addresses: true, Status: status}))
	for _, want := range []string{"Lab demo", "h1", "host", "r1", "routerd", "eth0", "lan0", "10.0.1.1/24", "mtu 1400", "does not run"} {
		if !strings.Contains(all, " "+want) {
			t.Errorf("%q is not drawn in:\n%s", want, all)
		}
	}
	if bare := contents(t, topology.SVG(Drawing{})); strings.Contains(bare, "10.0.1.1") || strings.Contains(bare, "does not run") || !strings.Contains(bare, "lan0") {
		t.Errorf("without addresses and state there is:\n%s", bare)
	}
	whole := topology.SVG(Drawing{Status: status})
	status.Nodes[1].Up, status.Links[0].State = false, LinkCut
	broken := topology.SVG(Drawing{Status: status})
	count := func(image []byte, what string) int { return bytes.Count(image, []byte(what)) }
	if n := count(broken, lost) - count(whole, lost); n != 3 {
		t.Errorf("a node that has ended and a cut link make %d marks, want a dot, a line and a cross", n)
	}
	if !bytes.Equal(broken, topology.SVG(Drawing{Status: status})) {
		t.Error("it is drawn in two ways")
	}
}

func TestShippedLabsAreLegible(t *testing.T) {
	labs, _ := filepath.Glob("../../deploy/labs/*.toml")
	for _, path := range labs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := sketch{topology: decode(t, string(data)), drawing: Drawing{Addresses: true}}
		s.compose()
		if i := slices.IndexFunc(s.labels, func(l label) bool {
			return s.clash(slices.IndexFunc(s.labels, func(o label) bool { return o.box == l.box }), l.box) > 0
		}); i >= 0 {
			t.Errorf("%s: label %s %v is in the way", path, s.labels[i].name, s.labels[i].small)
		}
	}
}
