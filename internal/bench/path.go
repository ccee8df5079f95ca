package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Path is one way of forwarding packets from one host to the other.
type Path struct {
	Name  string // what the flags, the marks and JSON call it
	Title string // what the table calls it
	// Setup brings the path up between the hosts of site. What it starts or
	// makes it adds to the site, which takes it down again, also when Setup
	// fails half way. An error that wraps ErrSkip leaves the path out.
	Setup func(ctx context.Context, site *Site) error
	// Sessions: it keeps sessions, so new flows are measured too.
	Sessions bool
	// Wide: its sink takes what is sent to any address, so flows all over a
	// table are measured too.
	Wide bool
	// Earlier: it is of the daemon that Options.Earlier names.
	Earlier bool
	// NAT: it translates, so flows that find no port are measured too.
	NAT bool
}

// takes reports whether the traffic can be measured over p.
func (p Path) takes(t Traffic) bool {
	return (t.Fresh == 0 || p.NAT || p.Sessions && !t.Refused) && (!t.Wide || p.Wide)
}

// ErrSkip is what a Setup wraps when this machine or this build has no such
// path: the rest of the run goes on without it.
var ErrSkip = errors.New("left out")

// The names of paths.
const (
	Kernel    = "kernel"
	Bare      = "bare"
	Routerd   = "routerd"
	Wireguard = "wireguard"

	Kernel2       = "kernel2"
	RouterdPacket = "routerd-packet"
	RouterdTAP    = "routerd-tap"
	RouterdOwn    = "routerd-own"

	KernelNAT  = "kernel-nat"
	RouterdNAT = "routerd-nat"

	KernelFilter10    = "kernel-filter10"
	KernelFilter100   = "kernel-filter100"
	KernelFilter1000  = "kernel-filter1000"
	RouterdFilter10   = "routerd-filter10"
	RouterdFilter100  = "routerd-filter100"
	RouterdFilter1000 = "routerd-filter1000"

	OffloadOff       = "offload-off"
	OffloadAuto      = "offload-auto"
	OffloadAlways    = "offload-always"
	OffloadAutoNAT   = "offload-auto-nat"
	OffloadAlwaysNAT = "offload-always-nat"
	OffloadVeth      = "offload-veth"
	OffloadQueue     = "offload-queue"
	OffloadTen       = "offload-ten"
	OffloadFull      = "offload-full"
	KernelQueue      = "kernel-queue"
	EarlierPacket    = "earlier-packet"
	EarlierTUN       = "earlier-tun"
)

// Paths lists the paths there are. Their order matters: a round measures them
// one after the other, so two that a mark compares should be neighbours.
var Paths = []Path{
	{Name: EarlierPacket, Title: "earlier routerd, packet ports", Setup: setupEarlierPacket, Earlier: true},
	{Name: OffloadOff, Title: "routerd, packet ports, offload off", Setup: setupOffload("off")},
	{Name: OffloadAlways, Title: "routerd, packet ports, offload always", Setup: setupOffload("always")},
	{Name: OffloadAuto, Title: "routerd, packet ports, offload auto", Setup: setupOffload("auto")},
	{Name: OffloadVeth, Title: "routerd, veths of its own, offload auto", Setup: setupOffloadVeth},
	{Name: Kernel, Title: "kernel, veth to veth", Setup: setupKernel},
	{Name: KernelNAT, Title: "kernel and nft masquerade", Setup: setupKernelNAT, Sessions: true, NAT: true},
	{Name: OffloadAutoNAT, Title: "routerd and masquerade, packet ports, auto", Setup: setupOffloadNAT("auto"), Sessions: true, NAT: true},
	{Name: OffloadAlwaysNAT, Title: "routerd and masquerade, packet ports, always", Setup: setupOffloadNAT("always"), Sessions: true, NAT: true},
	{Name: KernelQueue, Title: "kernel, out by a macvlan", Setup: setupKernelQueue},
	{Name: OffloadQueue, Title: "routerd, packet ports, auto, out by a macvlan", Setup: setupOffloadQueue},
	{Name: OffloadTen, Title: "routerd, packet ports, auto, ten routes", Setup: setupOffloadTable(tenRoutes), Wide: true},
	{Name: OffloadFull, Title: "routerd, packet ports, auto, a full table", Setup: setupOffloadTable(allRoutes), Wide: true},
	{Name: Bare, Title: "bare copy of super-packets, TUN to TUN", Setup: setupLoop(roleBare)},
	{Name: Routerd, Title: "routerd, TUN to TUN", Setup: setupRouterd},
	{Name: EarlierTUN, Title: "earlier routerd, TUN to TUN", Setup: setupEarlierTUN, Earlier: true},
	{Name: RouterdNAT, Title: "routerd and masquerade", Setup: setupRouterdNAT, Sessions: true, NAT: true},
	{Name: RouterdFilter10, Title: "routerd, 10 rules", Setup: setupRouterdFilter(10), Sessions: true},
	{Name: KernelFilter10, Title: "kernel and nft, 10 rules", Setup: setupKernelFilter(10), Sessions: true},
	{Name: KernelFilter100, Title: "kernel and nft, 100 rules", Setup: setupKernelFilter(100), Sessions: true},
	{Name: RouterdFilter100, Title: "routerd, 100 rules", Setup: setupRouterdFilter(100), Sessions: true},
	{Name: RouterdFilter1000, Title: "routerd, 1,000 rules", Setup: setupRouterdFilter(1000), Sessions: true},
	{Name: KernelFilter1000, Title: "kernel and nft, 1,000 rules", Setup: setupKernelFilter(1000), Sessions: true},
	{Name: Wireguard, Title: "wireguard/tun Read -> Write", Setup: setupLoop(roleWireguard)},
	{Name: Kernel2, Title: "kernel twice, veth between", Setup: setupKernel2},
	{Name: RouterdPacket, Title: "routerd twice, packet ports between", Setup: setupRouterdPacket},
	{Name: RouterdTAP, Title: "routerd twice, TAPs on a bridge between", Setup: setupRouterdTAP},
	{Name: RouterdOwn, Title: "routerd, to its own address", Setup: setupRouterdOwn},
}

// Group is a set of paths that are measured in one run.
type Group struct {
	Name    string
	Paths   []string
	Metrics []string
	// Compared: a path is measured only with the traffic that a mark compares.
	Compared bool
}

// Groups lists the groups there are. The first is measured unless another is
// asked for; all of them together would take too long for one run.
var Groups = []Group{
	{Name: "tun", Paths: []string{Kernel, Bare, Routerd, Wireguard}, Metrics: []string{TCP1, TCP4, UDPSmall, UDPPaced}},
	{Name: "nat", Paths: []string{Kernel, KernelNAT, Routerd, RouterdNAT}, Metrics: []string{TCP1, TCP4, UDPSmall, NewFlows, NewPaced, Refusals}},
	{Name: "filter", Paths: []string{Routerd, RouterdFilter10, KernelFilter10, KernelFilter100, RouterdFilter100, RouterdFilter1000, KernelFilter1000}, Metrics: []string{TCP1, UDPTwo, NewFlows}},
	{Name: "ethernet", Paths: []string{Kernel, Kernel2, RouterdPacket, RouterdTAP, RouterdOwn}, Metrics: []string{TCP1, TCP4, UDPSmall, IPerf1, IPerf4}},
	{
		Name: "offload",
		Paths: []string{
			Kernel, KernelNAT, KernelQueue, OffloadOff, OffloadAuto, OffloadVeth, OffloadAlways, OffloadAutoNAT, OffloadAlwaysNAT,
			OffloadQueue, OffloadTen, OffloadFull, Routerd, EarlierPacket, EarlierTUN,
		},
		Metrics:  []string{TCP1, TCP4, UDPSmall, UDPPaced, UDPOne, UDPMany, UDPWide, UDPEcho},
		Compared: true,
	},
}

// Site is where a path stands: two hosts, each a namespace with one device
// called eth0, and whatever the path puts between them. All sites use the
// same addresses; nothing connects them.
type Site struct {
	Options Options
	Hosts   [2]string // namespaces of the source and of the sink
	dir     string    // for a path's files, removed with the site
	prefix  string    // of every namespace's name
	// Of a path that keeps sessions: a function that ends all sessions, and one
	// that gives the memory that includes them, in bytes.
	forgetting   func(context.Context) error
	memory       func() (uint64, error)
	destinations string // a file of the addresses that flows all over a table go to
	// forwarders are the processes that carry the packets; none for the kernel.
	forwarders []*process
	cleanups   []func() error // run last to first
}

// newSite makes the hosts of a path, in namespaces called after it.
func newSite(o Options, path string) (*Site, error) {
	s := &Site{Options: o, prefix: fmt.Sprintf("%s%d-%s-", namePrefix, os.Getpid(), path)}
	knobs, err := hostKnobs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", s.prefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for path %s: %w", path, err)
	}
	s.dir = dir
	s.onClose(func() error { return os.RemoveAll(dir) })
	for i := range s.Hosts {
		name, err := s.namespace(fmt.Sprintf("h%d", i+1))
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.Hosts[i] = name
		if err := setKnobs(name, knobs); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// onClose adds to what close undoes.
func (s *Site) onClose(undo func() error) { s.cleanups = append(s.cleanups, undo) }

// close undoes everything that was done for the path, the latest first.
func (s *Site) close() error {
	var failed error
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		failed = errors.Join(failed, s.cleanups[i]())
	}
	s.cleanups = nil
	return failed
}

// namespace makes a namespace of the path's own and returns its full name.
func (s *Site) namespace(name string) (string, error) {
	full := s.prefix + name
	s.onClose(func() error { return removeNamespace(full) }) // also half made
	if err := makeNamespace(full); err != nil {
		return "", err
	}
	return full, nil
}

// run makes p one of the site's forwarders.
func (s *Site) run(p *process) {
	s.forwarders = append(s.forwarders, p)
	s.onClose(p.end)
}

// host is the address of host i with its subnet, router that of the router on
// the same link.
func (s *Site) host(i int) netip.Prefix   { return s.address(i, 2) }
func (s *Site) router(i int) netip.Prefix { return s.address(i, 1) }

func (s *Site) address(link int, end byte) netip.Prefix {
	if s.Options.IPv6 {
		a := netip.MustParseAddr("2001:db8:77::").As16()
		a[7], a[15] = byte(link+1), end
		return netip.PrefixFrom(netip.AddrFrom16(a), 64)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(link + 1), end}), 24)
}

// setupKernel puts a third namespace between the hosts, whose kernel forwards
// from veth to veth with every offload on, as it is by default.
func setupKernel(_ context.Context, s *Site) error {
	router, err := s.namespace("r")
	if err != nil {
		return err
	}
	for i, host := range s.Hosts {
		if err := s.veth(router, host, i); err != nil {
			return fmt.Errorf("connect %q with %q: %w", router, host, err)
		}
	}
	return setKnobs(router, []knob{{"net/ipv4/ip_forward", "1"}, {"net/ipv6/conf/all/forwarding", "1"}})
}

// veth lays a cable from the router to host i and configures both ends.
func (s *Site) veth(router, host string, i int) error {
	name := fmt.Sprintf("eth%d", i)
	if err := s.cable(router, host, name, i); err != nil {
		return err
	}
	return withLinks(router, func(h *netlink.Handle) error {
		_, err := configureLink(h, name, s.router(i))
		return err
	})
}

// cable lays a cable from the router, whose end has the name, to host i, and
// configures the host's end.
func (s *Site) cable(router, host, name string, i int) error {
	ns, err := netns.GetFromName(host)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", host, err)
	}
	defer ns.Close()
	err = withLinks(router, func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = name, s.Options.MTU
		err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: device, PeerMTU: uint32(s.Options.MTU), PeerNamespace: netlink.NsFd(ns)})
		if err != nil {
			return fmt.Errorf("make veth %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return withLinks(host, func(h *netlink.Handle) error {
		return configureHost(h, s.host(i), s.router(i).Addr())
	})
}

// setupLoop starts one of the forwarding loops as a process of its own, like
// routerd.
func setupLoop(role string) func(context.Context, *Site) error {
	return func(_ context.Context, s *Site) error {
		o := order{Role: role}
		for i, host := range s.Hosts {
			o.Ends[i] = tunEnd{Namespace: host, Address: s.host(i), MTU: s.Options.MTU}
		}
		p, _, err := startPart("", o)
		if err != nil {
			return err
		}
		s.run(p)
		return nil
	}
}
