package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// ErrNotUp is returned for a node that has not been made.
var ErrNotUp = errors.New("the lab is not up")

// Exec replaces this process by the command on a node: inside its namespace if
// it has one, and on a router with control.SocketVariable naming its API, so
// that `routerd show route` asks that router. It returns only on failure.
func (l *Lab) Exec(node string, argv []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("nothing to run on %s: want a command", node)
	}
	if err := l.reachable(node); err != nil {
		return err
	}
	env := l.environment(node)
	path, err := l.find(argv[0])
	if err != nil {
		return err
	}
	argv = l.addressed(node, argv)
	// exec keeps only the calling thread, with its namespace.
	return inNamespace(l.namespace(node), func() error {
		if err := unix.Exec(path, argv, env); err != nil {
			return fmt.Errorf("running %s on %s: %w", argv[0], node, err)
		}
		return nil
	})
}

// reachable returns an error if nothing can run on a node.
func (l *Lab) reachable(node string) error {
	n, known := l.Topology.Node(node)
	if !known {
		names := make([]string, len(l.Topology.Nodes))
		for i := range l.Topology.Nodes {
			names[i] = l.Topology.Nodes[i].Name
		}
		return fmt.Errorf("lab %s has no node %q: want one of %s", l.Topology.Name, node, strings.Join(names, ", "))
	}
	if n.Kind != KindRouter && namespaceExists(l.namespace(node)) {
		return nil
	}
	if r, ok := l.router(node); ok {
		if _, err := os.Stat(r.Socket); err == nil {
			return nil
		}
	}
	return fmt.Errorf("node %s: %w; bring it up with: routerd lab up", node, ErrNotUp)
}

// TopologyVariable is set to the topology's file for commands on a node, so
// that a test can run: routerd lab link $ROUTERD_LAB r1:core0 down.
const TopologyVariable = "ROUTERD_LAB"

// environment is the environment of commands on a node: ours, with the
// topology, the router's socket, and a PATH that includes routerd itself and
// the directories of root's programs.
func (l *Lab) environment(node string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !slices.Contains([]string{"PATH", control.SocketVariable, TopologyVariable, DirVariable}, name) {
			env = append(env, e)
		}
	}
	env = append(env, "PATH="+strings.Join(l.searchPath(), ":"), TopologyVariable+"="+l.path, DirVariable+"="+l.options.Dir)
	if r, ok := l.router(node); ok {
		env = append(env, control.SocketVariable+"="+r.Socket)
	}
	return env
}

// systemDirs are always searched, whatever PATH says.
var systemDirs = []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"}

func (l *Lab) searchPath() []string {
	path := filepath.SplitList(os.Getenv("PATH"))
	if filepath.Base(l.options.Binary) == "routerd" {
		path = append([]string{filepath.Dir(l.options.Binary)}, path...)
	}
	return append(path, systemDirs...)
}

// find looks a program up the way the shell will with our environment.
func (l *Lab) find(program string) (string, error) {
	if program == "routerd" {
		return l.options.Binary, nil
	}
	if strings.Contains(program, "/") {
		return program, nil
	}
	return lookUp(program, l.searchPath())
}

// addressed adds to birdc and vtysh the arguments by which they find the
// daemons of their node.
func (l *Lab) addressed(node string, argv []string) []string {
	p, ok := l.peer(node)
	if !ok {
		return argv
	}
	if !slices.Contains(p.Kind.terminals(), argv[0]) {
		return argv
	}
	return slices.Concat(argv[:1], p.address(), argv[1:])
}

// functions does the same for a line of sh, by shell functions.
func (l *Lab) functions(node string) string {
	p, ok := l.peer(node)
	if !ok {
		return ""
	}
	var b strings.Builder
	for _, program := range p.Kind.terminals() {
		fmt.Fprintf(&b, "%s() { command %s", program, program)
		for _, a := range p.address() {
			b.WriteString(" '" + strings.ReplaceAll(a, "'", `'\''`) + "'")
		}
		b.WriteString(` "$@"; }; `)
	}
	return b.String()
}
