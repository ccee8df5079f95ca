package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// verify refuses a state that names anything outside the lab's own places. What
// the state names gets removed, so a manipulated state must not name anything
// else.
func (l *Lab) verify(s *state) error {
	namespaces := append([]string(nil), s.Namespaces...)
	for _, b := range s.Bridges {
		namespaces = append(namespaces, b.Namespace)
	}
	for _, v := range s.Veths {
		namespaces = append(namespaces, v.Ends[0].Namespace, v.Ends[1].Namespace)
	}
	for _, name := range namespaces {
		if node, ours := strings.CutPrefix(name, namespaceOf(l.Topology, "")); !ours || !isName(node) {
			return fmt.Errorf("it names network namespace %q, which is not of this lab", name)
		}
	}
	for node, r := range s.Routers {
		if !isName(node) {
			return fmt.Errorf("it names router %q, which no node can be called", node)
		}
		if want := filepath.Join(l.dir, node+".toml"); r.Config != want {
			return fmt.Errorf("it names the configuration %q, which is not of this lab: %s is wanted", r.Config, want)
		}
		if want := filepath.Join(l.options.Dir, namespaceOf(l.Topology, node)+".sock"); r.Socket != want {
			return fmt.Errorf("it names the socket %q, which is not of this lab: %s is wanted", r.Socket, want)
		}
	}
	for node := range s.Peers {
		if !isName(node) {
			return fmt.Errorf("it names node %q, which no node can be called", node)
		}
	}
	return nil
}
