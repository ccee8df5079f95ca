package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// isCore reports whether a file has the methods of a protocol.Core: a Step that
// appends effects of routing/protocol.
func isCore(s source) bool {
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv == nil || f.Name.Name != "Step" || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
			continue
		}
		list, ok := f.Type.Results.List[0].Type.(*ast.ArrayType)
		if !ok {
			continue
		}
		if e, ok := list.Elt.(*ast.SelectorExpr); ok && e.Sel.Name == "Effect" {
			return true
		}
	}
	return false
}

// A protocol is joined to the router in internal/protocols and nowhere else:
// no other room knows a core, so that the next protocol costs none of them a
// line. What lies below a core, its packets, is the core's and its joining's
// too.
func TestCoresAreKnownByTheirJoiningAlone(t *testing.T) {
	var cores []string
	// A bench that plays the neighbour of what it measures speaks its packets.
	neighbours := map[string]string{"internal/bench/bgp": "routing/bgp/wire", "internal/bench/ospf": "routing/ospf/wire"}
	all := sources(t)
	for _, s := range all {
		if !s.test && strings.HasPrefix(s.dir, "routing/") && isCore(s) && !slices.Contains(cores, s.dir) {
			cores = append(cores, s.dir)
		}
	}
	if !slices.Contains(cores, "routing/rip") {
		t.Fatalf("the cores are %q, want routing/rip among them", cores)
	}
	for _, s := range all {
		if s.test || strings.HasPrefix(s.dir, "internal/protocols/") {
			continue
		}
		for _, spec := range s.file.Imports {
			name := strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), "routerd/")
			for _, core := range cores {
				if name != core && !strings.HasPrefix(name, core+"/") || s.dir == core || strings.HasPrefix(s.dir, core+"/") || neighbours[s.dir] == name {
					continue
				}
				t.Errorf("%s:%d: %s must not know a protocol: what joins %s to the rest is internal/protocols'", s.path, s.position(spec), s.dir, name)
			}
		}
	}
}

// The server, client and tables of what protocols show range over the list of
// protocols: no name and no word of one protocol is written there.
func TestProtocolsAreNamedByTheListAlone(t *testing.T) {
	rooms := []string{"internal/control", "internal/daemon", "cmd/routerd", "internal/show"}
	for _, s := range sources(t) {
		if s.test || !slices.Contains(rooms, s.dir) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BasicLit:
				if text := strings.Trim(x.Value, "\"`"); text == "rip" || text == "ripng" || strings.HasPrefix(text, "rip/") || strings.HasPrefix(text, "ripng/") {
					t.Errorf("%s:%d: %s is the name of one protocol", s.path, s.position(x), x.Value)
				}
			case *ast.Ident:
				if rest, ok := strings.CutPrefix(strings.ToLower(x.Name), "rip"); ok && (rest == "" || x.Name[3:4] == strings.ToUpper(x.Name[3:4])) {
					t.Errorf("%s:%d: %s is a word of one protocol", s.path, s.position(x), x.Name)
				}
			}
			return true
		})
	}
}
