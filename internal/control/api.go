package control

import (
	"context"
	"net/netip"

	"routerd/internal/protocols/running"
)

// Router is what the API shows and changes. Every method returns a copy that
// the caller may keep and change, gives up when ctx is done, and is safe for
// concurrent use. A show.Error or an Error chooses its own HTTP status; any
// other error is an internal one.
type Router interface {
	Version(ctx context.Context) (Version, error)
	// Interfaces gives all interfaces, sorted by name.
	Interfaces(ctx context.Context) ([]Interface, error)
	// Routes gives a page of the routing table: every route that a source
	// offered, in order of prefix, IPv4 first, and of preference.
	Routes(ctx context.Context, q RouteQuery) (RoutePage, error)
	// FIB gives a page of the forwarding table, in order of prefix.
	FIB(ctx context.Context, q FIBQuery) (FIBPage, error)
	// Drops gives what was dropped.
	Drops(ctx context.Context, q DropQuery) (Drops, error)
	// Neighbors gives the stations on Ethernet links, of both families, sorted
	// by interface and address.
	Neighbors(ctx context.Context, q NeighborQuery) (NeighborList, error)
	// ClearNeighbors forgets what was learned of the neighbours that q chooses.
	// Static ones stay, as do those still being asked for.
	ClearNeighbors(ctx context.Context, q NeighborQuery) (ClearResult, error)
	// ExplainPacket runs a packet through the live stages without sending it.
	ExplainPacket(ctx context.Context, q PacketQuery) (PacketExplanation, error)
	// ExplainRoute tells how the tables decide about packets for an address.
	ExplainRoute(ctx context.Context, a netip.Addr) (RouteExplanation, error)
	// ExplainPolicy has policies decide about a made-up route.
	ExplainPolicy(ctx context.Context, q PolicyQuery) (PolicyExplanation, error)
	// Reload applies the configuration file; a file that cannot be applied
	// changes nothing and comes back as Refused.
	Reload(ctx context.Context) (ReloadResult, error)
	// Diff says what Reload would change.
	Diff(ctx context.Context) (DiffResult, error)
	// Metrics reads every counter, for Prometheus.
	Metrics(ctx context.Context) (Snapshot, error)

	// Protocol gives a routing protocol, by its name, to ask. It is NotFound
	// unless the protocol is configured.
	Protocol(ctx context.Context, name string) (running.Protocol, error)

	NATRouter
}

// Bounds of what one answer holds.
const (
	MaxPage     = running.MaxPage // prefixes
	DefaultPage = running.DefaultPage
	MaxDrops    = 1_000
)
