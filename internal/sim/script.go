package sim

import (
	"bufio"
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/rib"
)

// Script is a network told as text: a block is commands, a line ----, and what
// they print, up to an empty line. What is printed is compared or, to write
// the text for the first time, filled in.
//
//	router r1
//	  lo    10.255.0.1/32
//	  eth0  10.0.12.1/30
//	link r1:eth0 r2:eth0 delay=10ms
//	run 30s
//	fib r1
//	----
//	10.0.12.0/30  eth0
//
// The interface lo is a loopback, stack the router's own stack for connections of
// protocols, one whose name begins with stub a TUN that
// only the script is on, every other one Ethernet. A command of several lines
// goes on with lines that begin with a space.
type Script struct {
	Network *Network
	// Commands are those that a protocol's tests add. They get the words of
	// the command's first line and the lines that follow it, and give what is
	// to be printed.
	Commands map[string]func(s *Script, words []string, lines []string) (string, error)
	configs  map[string]*router.Config
}

// NewScript makes a script on an empty network.
func NewScript(seed uint64) *Script {
	return &Script{Network: New(seed), configs: map[string]*router.Config{}}
}

// Play runs every block of the text and gives it with what was really printed.
func (s *Script) Play(text string) (string, error) {
	var out, said strings.Builder
	var command []string
	skipping := false
	flush := func() error {
		if len(command) == 0 {
			return nil
		}
		printed, err := s.do(strings.Fields(command[0]), command[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", command[0], err)
		}
		said.WriteString(printed)
		command = nil
		return nil
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if skipping {
			if skipping = line != ""; !skipping {
				out.WriteString("\n")
			}
			continue
		}
		out.WriteString(line + "\n")
		switch {
		case line == "----":
			if err := flush(); err != nil {
				return "", err
			}
			out.WriteString(said.String())
			said.Reset()
			skipping = true
		case line == "" || strings.HasPrefix(line, "#"):
			if err := flush(); err != nil {
				return "", err
			}
		case strings.HasPrefix(line, " ") && len(command) > 0:
			command = append(command, strings.TrimSpace(line))
		default:
			if err := flush(); err != nil {
				return "", err
			}
			command = []string{line}
		}
	}
	if err := flush(); err != nil {
		return "", err
	}
	if said.Len() > 0 {
		return "", fmt.Errorf("the script ends with output that no ---- line asks for:\n%s", said.String())
	}
	return out.String(), nil
}

func (s *Script) do(words, lines []string) (string, error) {
	if c := s.Commands[words[0]]; c != nil {
		return c(s, words[1:], lines)
	}
	c := commands[words[0]]
	if c == nil {
		return "", fmt.Errorf("there is no command %q", words[0])
	}
	return c(s, words[1:], lines)
}

var commands = map[string]func(s *Script, words, lines []string) (string, error){
	"router": (*Script).doRouter,
	"static": (*Script).doStatic,
	"remove": (*Script).doRemove,
	"link":   (*Script).doLink,
	"up":     func(s *Script, w, _ []string) (string, error) { return s.setLink(w, (*Link).SetUp, true) },
	"down":   func(s *Script, w, _ []string) (string, error) { return s.setLink(w, (*Link).SetUp, false) },
	"silent": func(s *Script, w, _ []string) (string, error) { return s.setLink(w, (*Link).SetSilent, true) },
	"heard":  func(s *Script, w, _ []string) (string, error) { return s.setLink(w, (*Link).SetSilent, false) },
	"run":    (*Script).doRun,
	"fib":    (*Script).doFIB,
	"probe":  (*Script).doProbe,
	"faults": (*Script).doFaults,
}

// Router gives the node called name and its configuration, which Change
// applies after it has been written to.
func (s *Script) Router(name string) (*Node, *router.Config, error) {
	n := s.Network.Node(name)
	if n == nil {
		return nil, nil, fmt.Errorf("there is no router %q", name)
	}
	return n, s.configs[name], nil
}

// doRouter: router NAME, then a line for each interface: NAME ADDRESS...
func (s *Script) doRouter(words, lines []string) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("want router NAME")
	}
	n := s.Network.Node(words[0])
	if n == nil {
		n = s.Network.Add(words[0])
	}
	cfg := &router.Config{Name: words[0], Dataplane: dataplane.Config{ICMP: icmp.DefaultConfig, Reassembly: reassembly.Default}}
	for _, l := range lines {
		f := strings.Fields(l)
		ic := dataplane.InterfaceConfig{Name: f[0], Kind: kindOf(f[0]), MTU: 1500}
		for _, a := range f[1:] {
			p, err := netip.ParsePrefix(a)
			if err != nil {
				return "", err
			}
			ic.Addresses = append(ic.Addresses, dataplane.Address{Prefix: p})
		}
		cfg.Dataplane.Interfaces = append(cfg.Dataplane.Interfaces, ic)
	}
	s.configs[words[0]] = cfg
	return "", n.Apply(*cfg)
}

func kindOf(name string) dataplane.Kind {
	switch {
	case name == "lo":
		return dataplane.KindLoopback
	case name == "stack":
		return dataplane.KindStack
	case strings.HasPrefix(name, "stub"):
		return dataplane.KindTUN
	default:
		return dataplane.KindPacket
	}
}

// doStatic: static ROUTER PREFIX via ADDRESS
func (s *Script) doStatic(words, _ []string) (string, error) {
	if len(words) != 4 || words[2] != "via" {
		return "", fmt.Errorf("want static ROUTER PREFIX via ADDRESS")
	}
	n, cfg, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	prefix, err := netip.ParsePrefix(words[1])
	if err != nil {
		return "", err
	}
	via, err := netip.ParseAddr(words[3])
	if err != nil {
		return "", err
	}
	cfg.RIB.Static = append(cfg.RIB.Static, rib.StaticRoute{Prefix: prefix, NextHops: []rib.StaticNextHop{{Address: via}}})
	return "", n.Apply(*cfg)
}

// doRemove: remove ROUTER PREFIX takes a static route away.
func (s *Script) doRemove(words, _ []string) (string, error) {
	if len(words) != 2 {
		return "", fmt.Errorf("want remove ROUTER PREFIX")
	}
	n, cfg, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	var kept []rib.StaticRoute
	for _, r := range cfg.RIB.Static {
		if r.Prefix.String() != words[1] {
			kept = append(kept, r)
		}
	}
	if len(kept) == len(cfg.RIB.Static) {
		return "", fmt.Errorf("%s has no static route %s", words[0], words[1])
	}
	cfg.RIB.Static = kept
	return "", n.Apply(*cfg)
}

// doLink: link END END... [delay=D] [jitter=D] [loss=X] [duplicate=X]
func (s *Script) doLink(words, _ []string) (string, error) {
	var f Faults
	var ends []string
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		var err error
		switch {
		case !ok:
			ends = append(ends, w)
		case key == "delay":
			f.Delay, err = time.ParseDuration(value)
		case key == "jitter":
			f.Jitter, err = time.ParseDuration(value)
		case key == "loss":
			_, err = fmt.Sscan(value, &f.Loss)
		case key == "duplicate":
			_, err = fmt.Sscan(value, &f.Duplicate)
		default:
			err = fmt.Errorf("a link has no %q; want delay, jitter, loss or duplicate", key)
		}
		if err != nil {
			return "", err
		}
	}
	l, err := s.Network.Join(f, ends...)
	if err != nil {
		return "", err
	}
	for _, e := range l.ends {
		if e.port != nil {
			e.port.SetUp(true)
			e.follow()
		}
	}
	return "", nil
}

// setLink finds the link of an end: down r1:eth0
func (s *Script) setLink(words []string, set func(*Link, bool), to bool) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("want one end of the link, such as r1:eth0")
	}
	name, iface, _ := strings.Cut(words[0], ":")
	n := s.Network.Node(name)
	if n == nil || n.End(iface) == nil || n.End(iface).Link == nil {
		return "", fmt.Errorf("%s is on no link", words[0])
	}
	set(n.End(iface).Link, to)
	return "", nil
}

// doRun: run DURATION
func (s *Script) doRun(words, _ []string) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("want run DURATION")
	}
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return "", err
	}
	return "", s.Network.Run(d)
}

// doFIB: fib ROUTER prints what it forwards by, own and broadcast addresses
// left out.
func (s *Script) doFIB(words, _ []string) (string, error) {
	n, _, err := s.Router(strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	view := n.Router.View()
	var lines []string
	for _, e := range n.Router.FIB().Walk(netip.Prefix{}, 1<<20) {
		switch e.Action {
		case routing.Local, routing.Broadcast:
			continue
		case routing.Forward:
		default:
			lines = append(lines, fmt.Sprintf("%-20s %s", e.Prefix, e.Action))
			continue
		}
		var hops []string
		for _, h := range e.Group.Hops() {
			hop := view.Interface(h.Interface).Name
			if h.Address.IsValid() {
				hop = h.Address.String() + " " + hop
			}
			hops = append(hops, hop)
		}
		sort.Strings(hops)
		lines = append(lines, fmt.Sprintf("%-20s %-10s %s", e.Prefix, e.Source, strings.Join(hops, ", ")))
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// doProbe: probe ROUTER STUB SOURCE DESTINATION sends a UDP packet from behind
// a stub and says behind which stub it came out within five seconds.
func (s *Script) doProbe(words, _ []string) (string, error) {
	if len(words) != 4 {
		return "", fmt.Errorf("want probe ROUTER STUB SOURCE DESTINATION")
	}
	n, _, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	p := dataplane.Probe{Proto: 17, SrcPort: 4000, DstPort: 9, TTL: 64, Size: 60}
	if p.Src, err = netip.ParseAddr(words[2]); err != nil {
		return "", err
	}
	if p.Dst, err = netip.ParseAddr(words[3]); err != nil {
		return "", err
	}
	raw, err := p.Build()
	if err != nil {
		return "", err
	}
	for _, node := range s.Network.Nodes {
		for _, e := range node.order {
			e.Received = nil
		}
	}
	n.Inject(words[1], raw)
	if err := s.Network.Run(5 * time.Second); err != nil {
		return "", err
	}
	var got []string
	for _, node := range s.Network.Nodes {
		for _, e := range node.order {
			for _, r := range e.Received {
				got = append(got, fmt.Sprintf("%s: %d bytes\n", e, len(r)))
			}
		}
	}
	if len(got) == 0 {
		return "nothing\n", nil
	}
	return strings.Join(got, ""), nil
}

// doFaults: faults ADDRESS=ROUTER... prints the ways to these targets that
// break a promise.
func (s *Script) doFaults(words, _ []string) (string, error) {
	var targets []Target
	for _, w := range words {
		addr, name, _ := strings.Cut(w, "=")
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return "", err
		}
		n, _, err := s.Router(name)
		if err != nil {
			return "", err
		}
		targets = append(targets, Target{a, n})
	}
	faults := s.Network.Forwarding(targets, len(s.Network.Nodes))
	if len(faults) == 0 {
		return "none\n", nil
	}
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&b, f)
	}
	return b.String(), nil
}
