package house

import (
	"go/ast"
	"testing"
)

// Lengths in lines. The lower one of each pair is the aim and only logged,
// the upper one fails.
const (
	fileAim, fileLimit         = 400, 500
	functionAim, functionLimit = 60, 80
	// Tests are stories and tables, and may be longer.
	testFileLimit, testLimit = 600, 120
)

// long lists functions that may be longer, each with its reason.
var long = map[string]string{}

func TestLength(t *testing.T) {
	for _, s := range sources(t) {
		most, limit := fileLimit, functionLimit
		if s.test {
			most, limit = testFileLimit, testLimit
		}
		switch {
		case s.line > most:
			t.Errorf("%s has %d lines, more than %d: is it one room?", s.path, s.line, most)
		case s.line > fileAim:
			t.Logf("%s has %d lines, more than the %d aimed at", s.path, s.line, fileAim)
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			lines := length(s, f)
			name := s.dir + "." + f.Name.Name
			switch reason := long[name]; {
			case reason != "":
			case lines > limit:
				t.Errorf("%s:%d: %s has %d lines, tables not counted; at most %d", s.path, s.position(f), f.Name.Name, lines, limit)
			case lines > functionAim && !s.test:
				t.Logf("%s:%d: %s has %d lines, more than the %d aimed at", s.path, s.position(f), f.Name.Name, lines, functionAim)
			}
		}
	}
}

// length counts the lines of a function without the tables in it: composite
// literals of more than five lines count as one.
func length(s source, f *ast.FuncDecl) int {
	lines := s.fset.Position(f.Body.Rbrace).Line - s.fset.Position(f.Body.Lbrace).Line
	ast.Inspect(f.Body, func(n ast.Node) bool {
		table, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if span := s.fset.Position(table.Rbrace).Line - s.fset.Position(table.Lbrace).Line; span > 5 {
			lines -= span
			return false
		}
		return true
	})
	return lines
}
