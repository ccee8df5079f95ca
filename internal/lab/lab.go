package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options says where a lab keeps its files and what its routers run. The
// command uses the zero Options.
type Options struct {
	// Dir holds the sockets, LAB-NODE.sock, and the rest in lab-LAB. "" means
	// the value of DirVariable, or else DefaultDir.
	Dir string
	// Binary is the routerd to run; "" is the running program itself.
	Binary string
	// Ready bounds how long a router may take until its API answers, Grace
	// how long a process may take to end before it is killed. Zero is 15 s
	// and 5 s.
	Ready, Grace time.Duration
	// Wire, if not "", is that of all links between routers and hosts, whatever
	// the topology says. It is recorded in the lab's state, and then holds without
	// being given, until another is given or the lab is taken down.
	Wire Wire
}

// DefaultDir is where sockets and state are kept unless Options say
// otherwise.
const DefaultDir = "/run/routerd"

// DirVariable is set to Options.Dir for commands on a node, so that routerd lab
// finds the lab there.
const DirVariable = "ROUTERD_LAB_DIR"

func directory(dir string) string { return cmp.Or(dir, os.Getenv(DirVariable), DefaultDir) }

// Lab is one topology on this machine. Only Run, SetLink and Status may be
// called at the same time as other methods; the lab's lock keeps two processes
// apart.
type Lab struct {
	Topology *Topology
	options  Options
	plan     *Plan
	source   *source
	path     string // of the topology, absolute
	dir      string // of this lab
}

// Load reads a topology file and the configurations that it names, and plans
// the lab; it makes nothing. Mistakes in the topology are returned as Problems.
func Load(path string, o Options) (*Lab, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the topology: %w", err)
	}
	t, doc, err := decodeText(path, data)
	if err == nil {
		err = t.readConfigs(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	o.Dir = directory(o.Dir)
	o.Ready = cmp.Or(o.Ready, 15*time.Second)
	o.Grace = cmp.Or(o.Grace, 5*time.Second)
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding the routerd to run: %w", err)
		}
	}
	dir := labDir(o.Dir, t.Name)
	if o.Wire == "" {
		o.Wire = recordedWire(dir)
	}
	if o.Wire != "" {
		t.rewire(o.Wire)
	}
	given := path
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("finding the topology: %w", err)
	}
	p, err := plan(t, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &source{Document: doc, path: path, given: given, lines: strings.SplitAfter(string(data), "\n"), topology: t}
	for i := range p.Routers {
		r := &p.Routers[i]
		n, _ := t.Node(r.Node)
		if r.Text, err = s.annotate(n, r.Text); err != nil {
			return nil, err
		}
	}
	return &Lab{Topology: t, options: o, plan: p, source: s, path: path, dir: dir}, nil
}

// namespace gives the name of a node's namespace, "" if a router has none.
func (l *Lab) namespace(node string) string {
	for _, n := range l.plan.Namespaces {
		if n.Node == node {
			return n.Name
		}
	}
	return ""
}

// router finds a router by its node.
func (l *Lab) router(node string) (Router, bool) {
	for _, r := range l.plan.Routers {
		if r.Node == node {
			return r, true
		}
	}
	return Router{}, false
}
