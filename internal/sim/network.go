package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/internal/protocols"
	"routerd/internal/router"
)

// Network is routers and links under one virtual clock. One goroutine owns it
// and everything in it.
type Network struct {
	Seed  uint64
	Again string  // the command that runs it again, for the report; may be empty
	Nodes []*Node // as they were added
	Links []*Link // as they were joined
	// Kinds are the protocols that its routers can speak: those of routerd unless
	// others are named before the first Add.
	Kinds []router.Kind
	// Watch sees every frame that an end sends; nil for nobody.
	Watch  func(from *End, frame []byte)
	Frames int // that arrived somewhere
	Lost   int // that a link lost

	clock       clock
	rand        *rand.Rand
	names       map[string]*Node
	stations    uint32
	generations map[*Node]uint64
	touched     time.Time // when a link last changed
	changed     time.Time // when a table last changed
	history     []string
	err         error
}

// New makes an empty network. All that is left to chance in it follows from
// the seed.
func New(seed uint64) *Network {
	return &Network{
		Seed:        seed,
		Kinds:       protocols.Kinds(),
		clock:       clock{now: Epoch},
		rand:        rand.New(rand.NewPCG(seed, 0x726f7574657264)),
		names:       map[string]*Node{},
		generations: map[*Node]uint64{},
		touched:     Epoch,
		changed:     Epoch,
	}
}

// Now is the virtual time.
func (n *Network) Now() time.Time { return n.clock.now }

// Rand is the network's chance, for whoever makes up its shape or its fate.
func (n *Network) Rand() *rand.Rand { return n.rand }

// Add makes a router called name, without a configuration.
func (n *Network) Add(name string) *Node {
	node := &Node{
		Name: name, net: n, saved: map[string][]byte{},
		ends: map[string]*End{}, workers: map[*End]*dataplane.Worker{},
	}
	node.begin()
	n.Nodes = append(n.Nodes, node)
	n.names[name] = node
	return node
}

// Node gives the router called name, or nil.
func (n *Network) Node(name string) *Node { return n.names[name] }

// Join draws a link between interfaces, written "r1:eth0". Their nodes have
// to exist; the interfaces may be configured later.
func (n *Network) Join(f Faults, ends ...string) (*Link, error) {
	l := &Link{Faults: f, net: n, name: strings.Join(ends, " - "), up: true}
	for _, s := range ends {
		name, iface, ok := strings.Cut(s, ":")
		node := n.names[name]
		if !ok || node == nil {
			return nil, fmt.Errorf("joining %s: there is no node %q; want node:interface", l.name, name)
		}
		e := node.end(iface)
		if e.Link != nil {
			return nil, fmt.Errorf("joining %s: %s is on a link already", l.name, e)
		}
		e.Link = l
		l.ends = append(l.ends, e)
	}
	n.Links = append(n.Links, l)
	return l, nil
}

// At arranges for do to happen after the time d from now.
func (n *Network) At(d time.Duration, do func()) { n.clock.at(n.clock.now.Add(d), do) }

// Run lets the time d pass.
func (n *Network) Run(d time.Duration) error {
	until := n.clock.now.Add(d)
	for n.clock.step(until) {
		if n.err != nil {
			return n.err
		}
	}
	return n.err
}

// ErrNotQuiet is what Quiet returns for a network that does not come to rest.
var ErrNotQuiet = errors.New("the network does not come to rest")

// Quiet lets time pass until no link has changed for the time links and no
// table for the time tables. It gives up after limit.
func (n *Network) Quiet(links, tables, limit time.Duration) error {
	end := n.clock.now.Add(limit)
	for {
		quiet := n.touched.Add(links)
		if t := n.changed.Add(tables); t.After(quiet) {
			quiet = t
		}
		switch {
		case !quiet.After(n.clock.now):
			return n.err
		case quiet.After(end):
			return fmt.Errorf("%w: after %v its tables still change, the last time %v ago", ErrNotQuiet, limit, n.clock.now.Sub(n.changed))
		}
		if err := n.Run(quiet.Sub(n.clock.now)); err != nil {
			return err
		}
	}
}

// note keeps a line of what happened, for the report of a failing run.
func (n *Network) note(format string, args ...any) {
	n.history = append(n.history, fmt.Sprintf("%12s  ", n.clock.now.Sub(Epoch))+fmt.Sprintf(format, args...))
}

// History is what happened to the links, a line each, oldest first.
func (n *Network) History() []string { return n.history }

// fail ends the run: the network itself has broken a promise.
func (n *Network) fail(err error) {
	if n.err == nil {
		n.err = fmt.Errorf("at %v, seed %d: %w", n.clock.now.Sub(Epoch), n.Seed, err)
	}
}
