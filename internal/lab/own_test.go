package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Down goes by what the state names, but never out of the lab's own places:
// not to files, to namespaces of others, or up the tree.
func TestTamperedStateDeletesNothingOutside(t *testing.T) {
	for name, tamper := range map[string]func(s *state, precious string){
		"a socket": func(s *state, precious string) {
			s.Routers["r1"] = Started{Config: s.Routers["r1"].Config, Socket: precious}
		},
		"a router's name":            func(s *state, precious string) { s.Routers["../../r1"] = Started{Socket: precious} },
		"a namespace by its path":    func(s *state, precious string) { s.Namespaces = append(s.Namespaces, "../.."+precious) },
		"a namespace under the name": func(s *state, precious string) { s.Namespaces = append(s.Namespaces, "pair-/../../.."+precious) },
		"another's namespace":        func(s *state, _ string) { s.Namespaces = append(s.Namespaces, "somebody-else") },
		"a bridge":                   func(s *state, _ string) { s.Bridges = append(s.Bridges, Bridge{Namespace: "somebody-else"}) },
		"a veth":                     func(s *state, _ string) { s.Veths = append(s.Veths, Veth{Ends: [2]Device{{Name: "eth0"}, {}}}) },
		"a peer's directory":         func(s *state, precious string) { s.Peers["../../../../../../"+filepath.Dir(precious)] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			precious := filepath.Join(t.TempDir(), "precious.txt")
			if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			topology := filepath.Join(dir, "pair.toml")
			if err := os.WriteFile(topology, []byte(strings.ReplaceAll(routersOnly, "NAME", "pair")), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := Load(topology, Options{Dir: dir, Binary: "/bin/false"})
			if err != nil {
				t.Fatal(err)
			}
			s := emptyState()
			for _, r := range l.plan.Routers {
				s.Routers[r.Node] = Started{Config: r.Config, Socket: r.Socket}
			}
			if err := l.writeState(s); err != nil {
				t.Fatal(err)
			}
			if _, err := l.readState(); err != nil {
				t.Fatalf("the lab's own state: %v", err)
			}
			tamper(s, precious)
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(l.statePath(), data, 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := l.Down(t.Context(), &out); err != nil {
				t.Error(err)
			}
			if !strings.Contains(out.String(), "going by the topology") {
				t.Errorf("down says\n%s\nwant that the state is not gone by", &out)
			}
			if b, err := os.ReadFile(precious); string(b) != "precious" {
				t.Errorf("the file is now %q (%v)", b, err)
			}
		})
	}
}
