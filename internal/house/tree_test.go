package house

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top of the source tree as seen from this package's tests.
const root = "../.."

// source is one Go file of the main module.
type source struct {
	path string // slash-separated, from the root
	dir  string // the package's path below the module
	test bool
	fset *token.FileSet
	file *ast.File
	line int // number of lines
}

func (s source) position(n ast.Node) int { return s.fset.Position(n.Pos()).Line }

// files calls yield with the path and content of every file of the tree that
// is not git's or built.
func files(t *testing.T, yield func(name string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another test's scratch file, already gone
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == ".git" || rel == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || rel == ".git" { // a file in a linked worktree
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		yield(rel, content)
		return nil
	})
	if err != nil {
		t.Fatalf("walk the source tree: %v", err)
	}
}

// parsed is what sources has found, for the next test that asks.
var parsed []source

// sources parses every Go file of the main module, whatever its build tags;
// tools/ is a module of its own. No test changes what it returns.
func sources(t *testing.T) []source {
	t.Helper()
	if parsed != nil {
		return parsed
	}
	var all []source
	files(t, func(name string, content []byte) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "tools/") || strings.Contains(name, "testdata/") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse %s: %v", name, err)
			return
		}
		all = append(all, source{
			path: name,
			dir:  path.Dir(name),
			test: strings.HasSuffix(name, "_test.go"),
			fset: fset,
			file: file,
			line: strings.Count(string(content), "\n"),
		})
	})
	if len(all) < 10 {
		t.Fatalf("only %d Go files found below %s", len(all), root)
	}
	if !t.Failed() {
		parsed = all
	}
	return all
}
