package control

import (
	"context"
	"net/netip"

	"routerd/internal/protocols/running"
)

// Router is what the API shows and changes. Every method returns a copy that
// the caller may keep and change, returns when ctx is done, and is safe for
// concurrent use. A show.Error or an Error has its own HTTP status; any other
// error is an internal error.
type Router interface {
	Version(ctx context.Context) (Version, error)
	// Interfaces returns all interfaces, sorted by name.
	Interfaces(ctx context.Context) ([]Interface, error)
	// Routes returns a page of the routing table: every route that a source
	// offers, sorted by prefix, IPv4 first, and then by preference.
	Routes(ctx context.Context, q RouteQuery) (RoutePage, error)
	// FIB returns a page of the forwarding table, sorted by prefix.
	FIB(ctx context.Context, q FIBQuery) (FIBPage, error)
	// Drops returns the dropped packets.
	Drops(ctx context.Context, q DropQuery) (Drops, error)
	// Neighbors returns the neighbours on Ethernet links, of both families,
	// sorted by interface and address.
	Neighbors(ctx context.Context, q NeighborQuery) (NeighborList, error)
	// ClearNeighbors deletes the learned neighbours that q selects. Static ones
	// stay, as do those still being resolved.
	ClearNeighbors(ctx context.Context, q NeighborQuery) (ClearResult, error)
	// ExplainPacket runs a packet through the live stages without sending it.
	ExplainPacket(ctx context.Context, q PacketQuery) (PacketExplanation, error)
	// Probe sends a packet of the router's own and tells what was predicted and what was
	// observed. It takes up to ProbeSeconds.
	Probe(ctx context.Context, q ProbeQuery) (ProbeResult, error)
	// ExplainRoute explains how the tables decide about packets for an address.
	ExplainRoute(ctx context.Context, a netip.Addr) (RouteExplanation, error)
	// ExplainPolicy explains how policies decide about a made-up route.
	ExplainPolicy(ctx context.Context, q PolicyQuery) (PolicyExplanation, error)
	// Reload applies the configuration file, unless match, an If-Match header or "",
	// is of another configuration than the one that applies: see Expected. If it
	// cannot be applied nothing changes, and the error is a Refused.
	Reload(ctx context.Context, match string) (ReloadResult, error)
	// Config returns the configuration that applies, without waiting for the
	// router.
	Config(ctx context.Context) (RunningConfig, error)
	// Diff returns what Reload would change.
	Diff(ctx context.Context) (DiffResult, error)
	// Metrics reads every counter, for Prometheus.
	Metrics(ctx context.Context) (Snapshot, error)

	// Topology returns a map of what the router knows, whose nodes stay where they are.
	Topology(ctx context.Context) (Topology, error)
	// Traffic returns what the interfaces carry, sorted by name. It may take a second.
	Traffic(ctx context.Context) (TrafficList, error)

	// Protocol returns a routing protocol by name, and NotFound unless it is
	// configured.
	Protocol(ctx context.Context, name string) (running.Protocol, error)

	NATRouter
	ACLRouter
	FlowRouter
	AccessRouter
}

// Bounds of one answer.
const (
	MaxPage     = running.MaxPage // prefixes
	DefaultPage = running.DefaultPage
	MaxDrops    = 1_000
)
