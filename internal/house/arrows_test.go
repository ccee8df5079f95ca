package house

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The arrows that ARCHITECTURE.md draws are imports that the table allows, and
// so, by TestImports, imports that exist.
func TestArrowsExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	arrows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "    ") || !strings.Contains(line, " -> ") {
			continue
		}
		chain := strings.Split(strings.TrimSpace(line), " -> ")
		for i := range chain[1:] {
			// Of several in the middle of a chain the last one leads on.
			from := strings.Split(chain[i], ", ")
			if i > 0 {
				from = from[len(from)-1:]
			}
			for _, a := range from {
				for _, b := range strings.Split(chain[i+1], ", ") {
					arrows++
					if a, b := roomNamed(t, a), roomNamed(t, b); !slices.Contains(rooms[a].own, b) {
						t.Errorf("ARCHITECTURE.md draws an arrow from %s to %s, which may not import it", a, b)
					}
				}
			}
		}
	}
	if arrows < 20 {
		t.Errorf("found %d arrows in ARCHITECTURE.md, want the picture of the imports", arrows)
	}
}

// roomNamed finds the room that the picture calls name: its path, or the end of
// that.
func roomNamed(t *testing.T, name string) string {
	t.Helper()
	if name == "cmd" {
		return "cmd/routerd"
	}
	if _, is := rooms[name]; is {
		return name
	}
	var found []string
	for dir := range rooms {
		if strings.HasSuffix(dir, "/"+name) {
			found = append(found, dir)
		}
	}
	if len(found) > 1 { // routing/rip rather than internal/protocols/rip
		found = slices.DeleteFunc(found, func(dir string) bool { return strings.HasPrefix(dir, "internal/") })
	}
	if len(found) != 1 {
		t.Errorf("ARCHITECTURE.md draws an arrow at %q, which names the rooms %q, want one", name, found)
		return ""
	}
	return found[0]
}
