package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"
)

// Peer is a node with the daemons of BIRD or FRR, which run in its namespace.
type Peer struct {
	Node      string
	Kind      Kind
	Namespace string
	Dir       string // for all files of the daemons; made and removed with them
	Config    string // path of the configuration
	Text      []byte // its content
	Daemons   []Daemon
}

// Daemon is one process of a Peer.
type Daemon struct {
	Program string
	Args    []string
	Log     string // path of what it prints
	Socket  string // path of its command socket
}

// planPeer plans a node's daemons below dir, the directory for sockets.
func planPeer(t *Topology, n Node, dir string) (Peer, error) {
	p := Peer{
		Node: n.Name, Kind: n.Kind, Namespace: namespaceOf(t, n.Name),
		Dir: filepath.Join(labDir(dir, t.Name), n.Name), Text: []byte(n.Text),
	}
	p.Config = filepath.Join(p.Dir, string(n.Kind)+".conf")
	if n.Kind == KindBIRD {
		socket := filepath.Join(p.Dir, "bird.ctl")
		p.Daemons = []Daemon{{
			Program: "bird", Args: []string{"-f", "-c", p.Config, "-s", socket},
			Log: filepath.Join(p.Dir, "bird.log"), Socket: socket,
		}}
	} else {
		for _, program := range frrPrograms(n.Text) {
			p.Daemons = append(p.Daemons, frrDaemon(p.Dir, program))
		}
	}
	for _, d := range p.Daemons {
		if err := checkSocket(d.Socket, n.Name); err != nil {
			return p, err
		}
	}
	return p, nil
}

// frrProtocols are FRR's daemons by the configuration lines that need them.
var frrProtocols = []struct {
	program string
	wanted  *regexp.Regexp
}{
	{"ripd", regexp.MustCompile(`(?m)^\s*router rip\s*$`)},
	{"ripngd", regexp.MustCompile(`(?m)^\s*router ripng\s*$`)},
	{"ospfd", regexp.MustCompile(`(?m)^\s*router ospf\b`)},
	{"ospf6d", regexp.MustCompile(`(?m)^\s*router ospf6\b`)},
	{"isisd", regexp.MustCompile(`(?m)^\s*router isis\b`)},
	{"bgpd", regexp.MustCompile(`(?m)^\s*router bgp\b`)},
	{"bfdd", regexp.MustCompile(`(?m)^\s*bfd\s*$`)},
}

// frrPrograms are the daemons that a configuration needs, in the order of their
// start: zebra, which the others talk to, comes first.
func frrPrograms(text string) []string {
	programs := []string{"zebra", "staticd"}
	for _, p := range frrProtocols {
		if p.wanted.MatchString(text) {
			programs = append(programs, p.program)
		}
	}
	return programs
}

// frrDaemon runs in the foreground, without a TCP port for vty, and without a
// configuration file: vtysh distributes the node's configuration.
func frrDaemon(dir, program string) Daemon {
	args := []string{
		"-f", os.DevNull, "-i", filepath.Join(dir, program+".pid"), "-z", filepath.Join(dir, "zserv.api"),
		"--vty_socket", dir, "-P", "0", "--log", "stdout",
	}
	if program == "bfdd" { // which has a socket of its own, in a directory that all would share
		args = append(args, "--bfdctl", filepath.Join(dir, "bfdd.ctl"))
	}
	return Daemon{
		Program: program,
		Args:    args,
		Log:     filepath.Join(dir, program+".log"),
		Socket:  filepath.Join(dir, program+".vty"),
	}
}

// terminals are the command line programs for daemons of the kind.
func (k Kind) terminals() []string {
	if k == KindBIRD {
		return []string{"birdc", "birdcl"}
	}
	return []string{"vtysh"}
}

// address is the arguments by which a terminal finds this node's daemons.
func (p Peer) address() []string {
	if p.Kind == KindBIRD {
		return []string{"-s", p.Daemons[0].Socket}
	}
	return []string{"--vty_socket", p.Dir, "--config_dir", p.Dir}
}

// peer finds a peer by its node.
func (l *Lab) peer(node string) (Peer, bool) {
	i := slices.IndexFunc(l.plan.Peers, func(p Peer) bool { return p.Node == node })
	if i < 0 {
		return Peer{}, false
	}
	return l.plan.Peers[i], true
}

// lacking gives the first program of a peer that is not installed, "" if all
// are, or if the node is no peer.
func (l *Lab) lacking(node string) string {
	p, ok := l.peer(node)
	if !ok {
		return ""
	}
	var programs []string
	for _, d := range p.Daemons {
		programs = append(programs, d.Program)
	}
	for _, program := range append(programs, p.Kind.terminals()[0]) {
		if _, err := l.findDaemon(p.Kind, program); err != nil {
			return program
		}
	}
	return ""
}

// frrDirs are the directories of FRR's daemons, which are not on PATH.
var frrDirs = []string{"/usr/lib/frr", "/usr/libexec/frr", "/usr/lib64/frr"}

// findDaemon looks up a program of a peer. FRR's are searched in FRR's
// directories first: other packages have programs of these names, such as
// OpenBGPD's bgpd.
func (l *Lab) findDaemon(kind Kind, program string) (string, error) {
	dirs := l.searchPath()
	if kind == KindFRR {
		dirs = slices.Concat(frrDirs, dirs)
	}
	return lookUp(program, dirs)
}

// lookUp finds a program in one of the directories.
func lookUp(program string, dirs []string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("finding %s: %w in PATH", program, fs.ErrNotExist)
}

// readConfigs reads the configurations that are files of their own, with paths
// relative to dir.
func (t *Topology) readConfigs(dir string) error {
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.File == "" {
			continue
		}
		path := n.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the configuration of %s: %w", n.Name, err)
		}
		n.Text = string(text)
	}
	return nil
}
