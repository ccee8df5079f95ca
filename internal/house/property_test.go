package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// takes reports whether a function has a parameter with a name.
func takes(f *ast.FuncLit, name string) bool {
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		return slices.ContainsFunc(p.Names, func(n *ast.Ident) bool { return n.Name == name })
	})
}

// uses gives the places where a function uses a variable of the one around it.
func uses(f *ast.FuncLit, name string) (at []*ast.Ident) {
	others := map[*ast.Ident]bool{} // names of fields
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncLit:
			return !takes(x, name)
		case *ast.SelectorExpr:
			others[x.Sel] = true
		case *ast.KeyValueExpr:
			if key, ok := x.Key.(*ast.Ident); ok {
				others[key] = true
			}
		case *ast.Ident:
			if x.Name == name && !others[x] {
				at = append(at, x)
			}
		}
		return true
	})
	return at
}

// outerReports gives where a property, the function that rapid.Check runs, uses the test
// around it in place of its own T.
func outerReports(file *ast.File) (at []*ast.Ident) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		check, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || check.Sel.Name != "Check" {
			return true
		}
		of, isName := check.X.(*ast.Ident)
		outer, isOuter := call.Args[0].(*ast.Ident)
		property, isProperty := call.Args[1].(*ast.FuncLit)
		if isName && of.Name == "rapid" && isOuter && isProperty && !takes(property, outer.Name) {
			at = append(at, uses(property, outer.Name)...)
		}
		return true
	})
	return at
}

// A property reports by the T that it is given: what goes to the test around it is neither
// made smaller by rapid nor does it come with the seed that repeats it.
func TestPropertiesReportToRapid(t *testing.T) {
	for _, s := range sources(t) {
		for _, x := range outerReports(s.file) {
			t.Errorf("%s:%d: the property uses %s, which is the test around it, want its own T", s.path, s.position(x), x.Name)
		}
	}
}

func TestOuterReportsAreFound(t *testing.T) {
	const text = `package p
func TestA(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { b := bench{t: rt}; b.t.Log(rt.t); f(func(t int) { g(t) }) })
	rapid.Check(t, func(t *rapid.T) { t.Fatal(h(t)) })
	rapid.Check(t, func(rt *rapid.T) {
		newBench(t, 1)
		_ = bench{t: t}
		f(func() { t.Fatal(1) })
	})
}`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p_test.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, x := range outerReports(file) {
		lines = append(lines, set.Position(x.Pos()).Line)
	}
	if want := []int{6, 7, 8}; !slices.Equal(lines, want) {
		t.Errorf("found in lines %d, want %d", lines, want)
	}
}
