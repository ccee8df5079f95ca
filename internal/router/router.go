// Package router is one router, assembled from its parts: interfaces, RIB, FIB
// and the View that the dataplane forwards by.
//
//	configuration --+
//	port state -----+--> interfaces --> RIB --> FIB --+
//	                        |                         +--> View --> workers
//	                        +-------------------------+
//
// It has no goroutine, file descriptor or clock of its own: ports, time and
// randomness are passed in. The daemon runs one on real ports, the simulator
// many on virtual ones. One goroutine owns a Router; any goroutine may read
// what it publishes, the View and the workers' counters.
package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/acl"
	"routerd/arp"
	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/internal/siphash"
	"routerd/multicast"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
	"routerd/routing/protocol"
	"routerd/routing/rib"
)

// Config is the part of the configuration that describes the router rather than
// the machine it runs on.
type Config struct {
	Name      string
	Dataplane dataplane.Config
	RIB       rib.Config
	NAT       nat.Config // the zero Config translates nothing
	ACL       acl.Config // the zero Config filters nothing
	// Protocols are the configured protocols, by the name of their Kind.
	Protocols map[string]ProtocolConfig
}

// Router is one router.
type Router struct {
	// BatchSize is how many frames the workers of ports attached from now on
	// read at once: dataplane.BatchSize unless it is set lower to save memory.
	BatchSize int
	// LinkChanging, unless it is nil, is called on the owner's goroutine before
	// protocols hear that an interface is another, with its number.
	LinkChanging func(routing.InterfaceID)

	cfg     Config
	random  rand.Source
	secrets dataplane.Secrets
	live    dataplane.Live
	rib     *rib.RIB
	table   *dataplane.Table
	links   map[string]*link
	next    routing.InterfaceID // the next unused number
	ids     map[string]routing.InterfaceID
	// neighbors lives as long as the router. It is idle while no interface is
	// an Ethernet one.
	neighbors  *Neighbors
	membership *Membership
	kept       map[string][]netip.Prefix // see Resume
	gathered   gathering                 // changes that wait to be settled
	followed   Followed
	following  bool
	coming     *fib.Writer // of the next FIB, which has those of its changes that are settled
	changes    int         // how many these are
	taking     bool        // some changes that were there at open are not read yet
	mail       *mail
	protocols  []*Protocol
	watcher    *Protocol                        // that of the kinds which Watches, nil without one
	watched    map[protocol.Path]protocol.Watch // next hops of static routes
	listening  listening
	linkLocal  *LinkLocal
	prober     *Prober
	machines   []Machine

	translator translator
	carriage   carriage
	filter     *acl.Rules // of the latest configuration; nil until one has filtered
	review     review
}

// link is an interface with the state of its device.
type link struct {
	id      routing.InterfaceID
	cfg     dataplane.InterfaceConfig
	port    port.Port // nil on a loopback, and while none is attached
	up      bool
	mtu     int
	workers []*dataplane.Worker
	// From the neighbour machine: the link-local address that it formed, and
	// the addresses that another host has.
	formed    netip.Prefix
	duplicate map[netip.Prefix]bool
	groups    map[arp.MAC]bool // multicast groups that the port has joined
	listeners *dataplane.Listeners
	told      bool // the neighbour machine was told that the interface is up
	// What the group membership machine was told last, nil if it was told that
	// the interface is down; and the usable link-local address.
	reported  *multicast.InterfaceUp
	linkLocal netip.Addr
}

// New returns a router without interfaces that supports the given protocols.
// All its secrets and random values come from random: each hash's key, each
// machine's seed and the seed for choosing ports are drawn separately, so that
// none reveals another. For a router on real networks random must be
// crypto/rand's; a simulation uses a seed. The router keeps random, and only
// its owner's goroutine draws from it.
func New(random rand.Source, kinds ...Kind) *Router {
	r := &Router{
		BatchSize: dataplane.BatchSize,

		random:  random,
		secrets: dataplane.Secrets{Flows: drawKey(random), Fragments: drawKey(random)},
		rib:     rib.New(),
		table:   &dataplane.Table{Name: "main", FIB: fib.Empty()},
		links:   map[string]*link{},
		ids:     map[string]routing.InterfaceID{},
		watched: map[protocol.Path]protocol.Watch{},

		mail: newMail(),
	}
	r.coming = fib.NewWriter(r.table.FIB)
	r.neighbors = newNeighbors(&r.live, r.HopStates(), random)
	r.neighbors.Lost, r.neighbors.Answers, r.neighbors.Seen = r.neighborLost, r.neighborAnswers, r.routerSeen
	r.membership = newMembership(&r.live, random.Uint64())
	for _, k := range kinds {
		p := newProtocol(k, random.Uint64(), drawKey(random), r)
		r.protocols = append(r.protocols, p)
		if k.Watches {
			r.watcher = p
		}
	}
	r.linkLocal = newLinkLocal(r) // behind the protocols, whose streams of identifications it goes on from
	r.prober = newProber(r)
	r.machines = r.listMachines()
	r.publish()
	return r
}

// drawKey draws the key of one hash.
func drawKey(random rand.Source) siphash.Key { return siphash.Key{random.Uint64(), random.Uint64()} }

// Commit applies cfg and publishes the result. Ports stay attached to the
// interfaces of their name; the ports of removed interfaces must have been
// detached before. Where there are ports, what the routes come to is settled for one
// slice, which is mostly enough, and the rest by Poll: see rib.RIB.Configured. It
// fails if there are more interfaces than numbers, or if address translation does
// not fit the interfaces, as Prepare does; then nothing has changed. With ErrGroups
// everything else was done.
func (r *Router) Commit(cfg Config, now time.Time) error {
	filter, err := r.compileACL(cfg, r.number)
	if err != nil {
		return err
	}
	rules, _, err := r.prepareNAT(cfg, now)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, ic := range cfg.Dataplane.Interfaces {
		wanted[ic.Name] = true
	}
	for name, l := range r.links {
		if !wanted[name] {
			r.updateNeighbors(l)
			r.updateProtocols(l, false)
			delete(r.links, name)
			if err := r.rib.Step(now, rib.InterfaceGone{ID: l.id}); err != nil {
				return err
			}
		}
	}
	if err := r.configureProtocols(cfg, now); err != nil {
		return err
	}
	var groups []error
	for _, ic := range cfg.Dataplane.Interfaces {
		l := r.links[ic.Name]
		if l == nil {
			id, err := r.number(ic.Name)
			if err != nil {
				return err
			}
			l = &link{id: id, mtu: ic.MTU, listeners: r.listening.on(id)}
			r.links[ic.Name] = l
		}
		if l.cfg.MTU != ic.MTU && ic.MTU != 0 { // 0 = the device's
			l.mtu = ic.MTU
		}
		l.cfg = ic
		if ic.Kind == dataplane.KindLoopback {
			l.up = true
		}
		if err := r.tellRIB(l, now); err != nil {
			return err
		}
		groups = append(groups, l.join())
	}
	same := sameFilter(&cfg.ACL, &r.cfg.ACL)
	r.cfg = cfg
	if err := r.watchStatics(&cfg.RIB, now); err != nil {
		return err
	}
	r.rib.SetConfig(now, cfg.RIB)
	r.translator.commit(rules, cfg.sessions().Used())
	r.commitACL(filter, cfg)
	r.carrySessions()
	if r.forwarding() {
		err = r.settleSome() // Poll does the rest, and carriers and questions go between
	} else {
		err = r.settleAll()
	}
	r.publish()
	if !same {
		r.review = review{by: r.reviewer(r.rules())}
	}
	r.reviewSessions(now)
	for _, l := range r.links {
		r.updateNeighbors(l)
	}
	return errors.Join(append(groups, err)...)
}

// forwarding reports whether there is any port.
func (r *Router) forwarding() bool {
	for _, l := range r.links {
		if l.port != nil {
			return true
		}
	}
	return false
}

// number returns the number of an interface, which stays the same for its name.
func (r *Router) number(name string) (routing.InterfaceID, error) {
	if id, ok := r.ids[name]; ok {
		return id, nil
	}
	if r.next == routing.NoInterface {
		return 0, outOfNumbers(name)
	}
	id := r.next
	r.next++
	r.ids[name] = id
	return id, nil
}

func outOfNumbers(name string) error {
	return fmt.Errorf("numbering interface %s: all %d numbers have been given out; a restart frees them", name, routing.NoInterface)
}

// Attach attaches the port to the interface called name, which Commit has made,
// and returns the workers, which the caller must run.
func (r *Router) Attach(name string, p port.Port, now time.Time) ([]*dataplane.Worker, error) {
	l := r.links[name]
	if l == nil {
		return nil, fmt.Errorf("attaching a port: there is no interface %q", name)
	}
	l.port, l.up, l.mtu, l.workers = p, p.Up(), p.MTU(), nil
	for n, q := range p.Queues() {
		l.workers = append(l.workers, dataplane.NewWorker(&r.live, l.id, n, r.BatchSize, q, r.neighbors))
	}
	l.groups = nil
	return l.workers, r.linkChanged(l, now)
}

// Detach detaches the port of the interface called name, which is down from the
// next batch on. Its workers end when the port is closed.
func (r *Router) Detach(name string, now time.Time) error {
	l := r.links[name]
	if l == nil {
		return nil
	}
	l.port, l.up, l.workers = nil, false, nil
	// These were found out on this device's link. The next device may be on
	// another link and has a MAC of its own.
	l.formed, l.duplicate = netip.Prefix{}, nil
	return r.linkChanged(l, now)
}

// PortChanged processes a change of an interface's device.
func (r *Router) PortChanged(name string, e port.Event, now time.Time) error {
	l := r.links[name]
	if l == nil || l.port == nil {
		return nil
	}
	l.up = e.Up && !e.Gone
	if e.MTU > 0 {
		l.mtu = e.MTU
	}
	return r.linkChanged(l, now)
}

// linkChanged propagates a change of an interface: to protocols and RIB, the
// groups that its device receives, the View, and last the machines that send on
// it.
func (r *Router) linkChanged(l *link, now time.Time) error {
	err := errors.Join(r.tellRIB(l, now), l.join(), r.readdressNAT(), r.settleSome())
	r.publish()
	r.updateNeighbors(l)
	return err
}

func (r *Router) tellRIB(l *link, now time.Time) error {
	in := rib.Interface{ID: l.id, Name: l.cfg.Name, Up: l.up}
	for _, a := range l.cfg.Addresses {
		if !l.duplicate[a.Prefix] {
			in.Addresses = append(in.Addresses, rib.Address{Prefix: a.Prefix, Origin: a.Origin})
		}
	}
	r.updateProtocols(l, l.up)
	return r.rib.Step(now, in)
}

// Resume sets which IPv6 addresses the router was using until a moment ago, by
// interface. An interface that comes up next uses those at once, without
// duplicate address detection first. Nil ends that.
func (r *Router) Resume(kept map[string][]netip.Prefix) { r.kept = kept }

// updateNeighbors informs the neighbour machine of an Ethernet interface.
func (r *Router) updateNeighbors(l *link) {
	r.updateMembership(l) // first: the group must be joined before duplicates are looked for
	e, ethernet := l.port.(port.Ethernet)
	if !ethernet || !l.up {
		if l.told {
			l.told = false
			r.neighbors.must(arp.InterfaceDown{Interface: l.id})
		}
		return
	}
	l.told = true
	cfg := arp.InterfaceConfig{
		Kept: r.kept[l.cfg.Name],
		MAC:  e.HardwareAddr(), ProxyARP: l.cfg.Neighbor.ProxyARP, Timeout: l.cfg.Neighbor.Timeout,
		Static: l.cfg.Neighbor.Static, RA: l.cfg.Neighbor.RA, Proxied: r.translator.proxied(),
	}
	delete(r.kept, l.cfg.Name) // for the first time only
	for _, a := range l.cfg.Addresses {
		cfg.Addresses = append(cfg.Addresses, a.Prefix)
	}
	r.neighbors.must(arp.InterfaceUp{Interface: l.id, Config: cfg})
}

// Neighbors returns the router's neighbour machine, for its owner to run: a
// machine.Loop drives it from its Inbox.
func (r *Router) Neighbors() *Neighbors { return r.neighbors }

func (r *Router) view(l *link) *dataplane.Interface {
	i := &dataplane.Interface{
		ID: l.id, Name: l.cfg.Name, Kind: l.cfg.Kind, MTU: l.mtu, Up: l.up,
		PointToPoint: l.cfg.Kind == dataplane.KindTUN, URPF: l.cfg.URPF, MSS: l.cfg.MSS, Origin: l.cfg.Origin,
		Listeners: l.listeners, Carried: r.carried(l),
	}
	i.Addresses = l.addresses()
	if e, ok := l.port.(port.Ethernet); ok {
		i.MAC = e.HardwareAddr()
	}
	if l.port != nil {
		i.Output = l.port.Queues()[0]
		i.Offloads = l.port.Offloads()
		i.LinkHeader = l.port.LinkHeader()
	}
	return i
}

// View returns the View that the workers currently forward by.
func (r *Router) View() *dataplane.View { return r.live.Load() }

// FIB returns the forwarding table of the current View.
func (r *Router) FIB() *fib.FIB { return r.table.FIB }

// RIB returns the routing table, for the owner only.
func (r *Router) RIB() *rib.RIB { return r.rib }

// HopStates returns the states by which packets avoid dead next hops. Code that
// finds a link or neighbour dead stores it there, from any goroutine, and then
// informs the router's owner.
func (r *Router) HopStates() *fib.States { return r.rib.States() }

// Port is the port attached to the interface called name, or nil.
func (r *Router) Port(name string) port.Port {
	if l := r.links[name]; l != nil {
		return l.port
	}
	return nil
}

// Workers returns the workers of the attached ports, in order of interface.
func (r *Router) Workers() []*dataplane.Worker {
	var list []*dataplane.Worker
	for _, i := range r.View().Interfaces {
		if i != nil {
			list = append(list, r.links[i.Name].workers...)
		}
	}
	return list
}
