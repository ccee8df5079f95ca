package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Status is the state of a lab, in the topology's order.
type Status struct {
	Name     string       `json:"name"`
	Topology string       `json:"topology"` // path of the file
	Up       bool         `json:"up"`       // everything is up but the cut links
	Nodes    []NodeStatus `json:"nodes"`
	Links    []LinkStatus `json:"links"`
}

// NodeStatus is the state of a node.
type NodeStatus struct {
	Node      string `json:"node"`
	Kind      Kind   `json:"kind"`
	Up        bool   `json:"up"`
	Namespace string `json:"namespace,omitempty"` // absent: that of the routerd lab command
	Socket    string `json:"socket,omitempty"`    // of a router's API
	PIDs      []int  `json:"pids,omitempty"`      // of its daemons that run
	Detail    string `json:"detail,omitempty"`    // what it lacks
}

// LinkState is the state of a link.
type LinkState string

// The states of a link.
const (
	LinkUp      LinkState = "up"
	LinkCut     LinkState = "cut"     // by SetLink
	LinkDown    LinkState = "down"    // by other means
	LinkMissing LinkState = "missing" // there are no devices
)

// LinkStatus is the state of a link and its ends.
type LinkStatus struct {
	Ends  [2]string `json:"ends"`
	State LinkState `json:"state"`
}

// Status gives the state of the lab, which another command may be changing
// meanwhile.
func (l *Lab) Status(ctx context.Context) (*Status, error) {
	s, err := l.readState()
	if err != nil {
		return nil, err
	}
	out := &Status{Name: l.Topology.Name, Topology: l.path, Up: true}
	for _, n := range l.Topology.Nodes {
		node := l.nodeStatus(ctx, s, n)
		out.Up = out.Up && node.Up
		out.Nodes = append(out.Nodes, node)
	}
	for _, link := range l.Topology.Links {
		state := l.linkState(s, link)
		out.Up = out.Up && (state == LinkUp || state == LinkCut)
		out.Links = append(out.Links, LinkStatus{[2]string{link.Ends[0].String(), link.Ends[1].String()}, state})
	}
	return out, nil
}

// Living is Status, or ErrNotUp if nothing of the lab exists.
func (l *Lab) Living(ctx context.Context) (*Status, error) {
	if _, err := os.Stat(l.statePath()); err != nil {
		return nil, ErrNotUp
	}
	return l.Status(ctx)
}

func (l *Lab) nodeStatus(ctx context.Context, s *state, n Node) NodeStatus {
	out := NodeStatus{Node: n.Name, Kind: n.Kind, Namespace: l.namespace(n.Name)}
	switch {
	case out.Namespace != "" && !(slices.Contains(s.Namespaces, out.Namespace) && namespaceExists(out.Namespace)):
		out.Detail = "its namespace is not there"
	case n.Kind == KindRouter:
		r, _ := l.router(n.Name)
		out.Socket = r.Socket
		started, known := s.Routers[n.Name]
		switch {
		case !known:
			out.Detail = "it was not started"
		case !started.alive():
			out.Detail = fmt.Sprintf("it has ended; it printed: %s", r.Log)
		default:
			out.PIDs = []int{started.PID}
			if err := probe(ctx, r.Socket); err != nil {
				out.Detail = "it does not answer"
			}
		}
	case n.Kind.foreign():
		p, _ := l.peer(n.Name)
		for _, started := range s.Peers[n.Name] {
			if started.alive() {
				out.PIDs = append(out.PIDs, started.PID)
			}
		}
		if lacks := l.lacking(n.Name); lacks != "" {
			out.Detail = lacks + " is not installed"
		} else if len(out.PIDs) < len(p.Daemons) {
			out.Detail = fmt.Sprintf("%d of its %d daemons run", len(out.PIDs), len(p.Daemons))
		} else if err := l.probe(ctx, p); err != nil {
			out.Detail = "it does not answer"
		}
	}
	out.Up = out.Detail == ""
	return out
}

// linkState looks at the devices of a link.
func (l *Lab) linkState(s *state, link Link) LinkState {
	ends := link.Ends[:]
	if l.Topology.lone(link) {
		ends = ends[:1] // both ends mean the same device
	}
	state := LinkUp
	for _, e := range ends {
		d := l.line(link, e)
		if !slices.Contains(s.Namespaces, d.Namespace) || !namespaceExists(d.Namespace) {
			return LinkMissing
		}
		err := inNamespace(d.Namespace, func() error {
			device, err := netlink.LinkByName(d.Name)
			if err != nil {
				return err
			}
			if a := device.Attrs(); a.Flags&net.FlagUp == 0 || a.RawFlags&unix.IFF_RUNNING == 0 {
				state = LinkDown
			}
			return nil
		})
		if err != nil {
			return LinkMissing
		}
	}
	if state == LinkDown && s.cut(link) != "" {
		return LinkCut
	}
	return state
}

// Listed is a lab of this machine, from its state file.
type Listed struct {
	Name       string `json:"name"`
	Topology   string `json:"topology,omitempty"` // path of the file it was brought up from
	Namespaces int    `json:"namespaces"`
	Started    int    `json:"started"` // daemons
	Running    int    `json:"running"` // how many of these run
	Cut        int    `json:"cut"`     // links
}

// List finds the labs that are up, or were left behind, by name. dir is as in
// Options.
func List(dir string) ([]Listed, error) {
	dir = directory(dir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for labs: %w", err)
	}
	all := []Listed{}
	for _, e := range entries {
		name, is := strings.CutPrefix(e.Name(), "lab-")
		if !is || !e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name(), stateFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is coming up or going down
		}
		s := emptyState()
		if err == nil {
			err = json.Unmarshal(data, s)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the state of lab %s: %w", name, err)
		}
		all = append(all, s.listed(name))
	}
	return all, nil
}

func (s *state) listed(name string) Listed {
	out := Listed{Name: name, Topology: s.Topology, Namespaces: len(s.Namespaces), Cut: len(s.Cut)}
	count := func(p process) {
		out.Started++
		if p.alive() {
			out.Running++
		}
	}
	for _, r := range s.Routers {
		count(r.process)
	}
	for _, all := range s.Peers {
		for _, p := range all {
			count(p)
		}
	}
	return out
}
