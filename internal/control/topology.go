package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"

	"routerd/internal/protocols"
	"routerd/internal/show"
	"routerd/internal/topology"
)

// Topology is the answer about the network around the router: a map of its interfaces
// and neighbours, and of what link-state protocols know, with a place for each node.
type Topology = topology.Map

var topologyNoun = show.Spec[Router, nothing, Topology]{
	Path: "topology",
	Help: show.Help{
		Short: "The network around the router: neighbours, links, their states and rates",
		Long: `The network around the router, a line for each link: its interfaces and the routers
on them, and what a link-state protocol knows of the rest. COST is in the direction of
the line and back. Stations that speak no routing protocol are counted.

Rates are shown while a client follows the traffic, as the live page does; see also
show traffic. /v1/topology.svg is the same map as a drawing.`,
	},
	Ask:  func(ctx context.Context, r Router, _ nothing) (Topology, error) { return r.Topology(ctx) },
	Draw: drawTopology,
}.Noun()

func drawTopology(s *show.Screen, _ *nothing, m *Topology) {
	t := show.Table{Columns: []show.Column{
		{Name: "from"},
		{Name: "interface", Optional: true},
		{Name: "to"},
		{Name: "state"},
		{Name: "protocols", Optional: true},
		{Name: "as", Right: true, Optional: true},
		{Name: "cost", Right: true, Optional: true},
		{Name: "stations", Right: true, Optional: true},
		{Name: "rx", Right: true, Optional: true},
		{Name: "tx", Right: true, Optional: true},
		{Name: "note", Optional: true},
	}}
	for i := range m.Links {
		l := &m.Links[i]
		from, to := m.Node(l.From), m.Node(l.To)
		state := show.Cell{Text: cmp.Or(l.State, string(l.Health)), Style: styles[l.Health]}
		rx, tx := "", ""
		if l.Rates != nil {
			rx, tx = topology.Rate(l.Rates.Received), topology.Rate(l.Rates.Sent)
		}
		as, stations := "", ""
		if to.AS != 0 {
			as = fmt.Sprint(to.AS)
		}
		if n := max(l.Stations, to.Stations); n > 0 {
			stations = fmt.Sprint(n)
		}
		t.Add(from.Name, l.Interface, to.Name, state, spoken(to, l), as, costs(l), stations, rx, tx, l.Why)
	}
	t.Draw(s)
	if m.LeftOut > 0 {
		fmt.Fprintf(s, "\n%s left out: wanted at most %d\n", show.Plural(m.LeftOut, "node was", "nodes were"), topology.MaxNodes)
	}
	if m.LinksLeftOut > 0 {
		fmt.Fprintf(s, "\n%s left out: wanted at most %d that only a link-state protocol knows of\n", show.Plural(m.LinksLeftOut, "link was", "links were"), topology.MaxLinks)
	}
}

// styles are those of a state.
var styles = map[topology.Health]show.Style{topology.Up: show.Good, topology.Down: show.Bad}

// spoken lists the sessions with the node that a link leads to: "ospf full, bfd up".
func spoken(n *topology.Node, l *topology.Link) string {
	text := ""
	for _, s := range n.Sessions {
		if l.Interface != "" && s.Interface != "" && s.Interface != l.Interface {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += s.Protocol + " " + cmp.Or(s.State, string(s.Health))
	}
	return text
}

// costs are those of a link in both directions: "10/10".
func costs(l *topology.Link) string {
	text := func(c *uint32) string {
		if c == nil {
			return "-"
		}
		return strconv.FormatUint(uint64(*c), 10)
	}
	if l.CostFrom == nil && l.CostTo == nil {
		return ""
	}
	return text(l.CostFrom) + "/" + text(l.CostTo)
}

// MapOf asks a router for what its map shows. Rates are by interface; an interface
// without rates has not been measured. places remembers where the nodes are.
func MapOf(ctx context.Context, r Router, name string, rates map[string]topology.Rates, places *topology.Places) (Topology, error) {
	in := topology.Input{Router: name}
	interfaces, err := r.Interfaces(ctx)
	if err != nil {
		return Topology{}, err
	}
	neighbors, err := r.Neighbors(ctx, NeighborQuery{})
	if err != nil {
		return Topology{}, err
	}
	stations := map[string][]netip.Addr{}
	for _, n := range neighbors.Neighbors {
		if n.MAC != "" { // it has answered
			stations[n.Interface] = append(stations[n.Interface], n.Address)
		}
	}
	for _, i := range interfaces {
		if i.Port == nil && i.State == StateUp {
			continue // a loopback
		}
		shown := topology.Interface{Name: i.Name, Up: i.Up, State: i.State, Why: i.Why, Addresses: i.Addresses, Stations: stations[i.Name]}
		if r, measured := rates[i.Name]; measured {
			shown.Rates = &r
		}
		in.Interfaces = append(in.Interfaces, shown)
	}
	for _, p := range protocols.All() {
		if err := addProtocol(ctx, r, p.Name, &in); err != nil {
			return Topology{}, err
		}
	}
	return *places.Map(&in), nil
}

// addProtocol adds what a protocol knows: its sessions, and the graph of a link-state
// protocol.
func addProtocol(ctx context.Context, r Router, name string, in *topology.Input) error {
	list, err := SessionsOf(ctx, r, name)
	if err != nil {
		return err
	}
	for _, s := range list {
		shown := topology.Session{Protocol: name, Address: s.Address, Interface: s.Interface, Health: topology.Up}
		var with struct {
			State    string     `json:"state"`
			RouterID netip.Addr `json:"router_id"`
			AS       uint32     `json:"as"`
		}
		raw, err := json.Marshal(s.Row)
		if err == nil {
			err = json.Unmarshal(raw, &with)
		}
		if err != nil {
			return fmt.Errorf("reading the state of the session of %s with %s: %w", name, s.Key, err)
		}
		shown.State, shown.RouterID, shown.AS = with.State, with.RouterID, with.AS
		if with.State != "" {
			shown.Health = healthOf(s.Row)
		}
		in.Sessions = append(in.Sessions, shown)
	}
	return addGraph(ctx, r, name, in)
}

// healthOf says how a session is by the style that its state has in the table.
func healthOf(row any) topology.Health {
	switch show.StyleOf(row, "state") {
	case show.Good:
		return topology.Up
	case show.Bad:
		return topology.Down
	}
	return topology.Changing
}

// graphNoun is the last part of the path of a noun that has the graph of a link-state
// protocol: its shortest paths.
const graphNoun = "/spf"

func addGraph(ctx context.Context, r Router, name string, in *topology.Input) error {
	n := nounAt(Nouns(), name+graphNoun)
	if n == nil {
		return nil
	}
	answer, err := n.Ask(ctx, r, n.NewQuery())
	var refused *show.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil // it is not configured
	}
	if err != nil {
		return err
	}
	var graph struct {
		RouterID netip.Addr           `json:"router_id"`
		Nodes    []topology.GraphNode `json:"nodes"`
	}
	raw, err := json.Marshal(tidy(answer))
	if err == nil {
		err = json.Unmarshal(raw, &graph)
	}
	if err != nil {
		return fmt.Errorf("reading the graph of %s: %w", name, err)
	}
	in.Graphs = append(in.Graphs, topology.Graph{Protocol: name, RouterID: graph.RouterID, Nodes: graph.Nodes})
	return nil
}

// serveDrawing answers a request for the map as a drawing, or for its style.
func (h *handler) serveDrawing(w http.ResponseWriter, req *http.Request) error {
	if !reads(req) {
		return wrongMethod(w, req, http.MethodGet)
	}
	if req.URL.Path == drawingStyle {
		setContents(w, "text/css; charset=utf-8")
		_, _ = w.Write([]byte(topology.CSS)) // an error means that the client is gone
		return nil
	}
	bare := false
	for name, values := range req.URL.Query() {
		if name != "bare" || len(values) != 1 {
			return show.BadRequest("the parameter %q: wanted bare=true, for a page that has the style, or none", name)
		}
		var err error
		if bare, err = strconv.ParseBool(values[0]); err != nil {
			return show.BadRequest("bare=%.20s: wanted true or false", values[0])
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), showTimeout)
	defer cancel()
	m, err := h.router.Topology(ctx)
	if err != nil {
		return err
	}
	setContents(w, "image/svg+xml")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src "+topology.StyleHash()+"; frame-ancestors 'none'")
	_, _ = w.Write(m.SVG(bare))
	return nil
}

// The paths of the map as a drawing, and of its style.
const (
	drawingPath  = "/v1/topology.svg"
	drawingStyle = "/v1/topology.css"
)
