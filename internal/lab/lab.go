package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options says where a lab lives and what its routers run. The zero Options
// are what the command uses.
type Options struct {
	// Dir holds the sockets, LAB-NODE.sock, and below lab-LAB the rest.
	// "" is what DirVariable names, or else DefaultDir.
	Dir string
	// Binary is the routerd to run; "" is the running program itself.
	Binary string
	// Ready bounds how long a router may take until its API answers, Grace
	// how long a process may take to end before it is killed. Zero is 15 s
	// and 5 s.
	Ready, Grace time.Duration
}

// DefaultDir is where sockets and state are kept unless Options say
// otherwise.
const DefaultDir = "/run/routerd"

// DirVariable names the directory of Options to what runs on a node, so that
// routerd lab finds the lab there.
const DirVariable = "ROUTERD_LAB_DIR"

func directory(dir string) string { return cmp.Or(dir, os.Getenv(DirVariable), DefaultDir) }

// Lab is one topology on this machine. Its methods other than Run, SetLink and
// Status may not be called at the same time; two processes are kept apart by the
// lab's lock.
type Lab struct {
	Topology *Topology
	options  Options
	plan     *Plan
	source   *source
	path     string // of the topology, absolute
	dir      string // of this lab
}

// Load reads a topology file and the configurations that it names, and plans
// it; nothing is made yet. A mistake in the topology comes back as Problems.
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
	return &Lab{Topology: t, options: o, plan: p, source: s, path: path, dir: labDir(o.Dir, t.Name)}, nil
}

// namespace gives the name of a node's namespace, "" for a router without
// one.
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
