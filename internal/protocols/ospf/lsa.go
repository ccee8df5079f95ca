package ospf

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// LSA is an LSA of a database.
type LSA struct {
	Scope     string       `json:"scope"`                                         // as | area | link
	Area      netip.Addr   `json:"area,omitzero" show:"area,none=as"`             // absent of the AS's scope
	Interface string       `json:"interface,omitempty" show:"interface,optional"` // of the link's scope
	Type      string       `json:"type" show:"type"`
	ID        netip.Addr   `json:"id" show:"id"`
	Router    netip.Addr   `json:"router" show:"router"`
	Prefix    netip.Prefix `json:"prefix,omitzero" show:"prefix,optional"`
	Age       int          `json:"age" show:"age,right"` // seconds
	Sequence  string       `json:"sequence" show:"sequence"`
	Checksum  string       `json:"checksum" show:"checksum,wide"`
	Length    int          `json:"length" show:"length,right,wide"`
	Options   []string     `json:"options" show:"options,wide"`
	Self      bool         `json:"self" show:"own,optional"` // the router's own
	// Held is how many neighbours have not acknowledged it. Pending: the next
	// instance waits.
	Held    int      `json:"held" show:"held,amount,wide"`
	Pending bool     `json:"pending"`
	Content *Content `json:"content,omitempty"` // with detail alone
}

// Content is the body of an LSA.
type Content struct {
	Flags      []string     `json:"flags,omitempty"`       // of a router: B, E, V, Nt
	Links      []Link       `json:"links,omitempty"`       // of a router
	Routers    []netip.Addr `json:"routers,omitempty"`     // on a network
	Metric     *uint32      `json:"metric,omitempty"`      // of summaries and externals
	MetricType int          `json:"metric_type,omitempty"` // of externals: 1 or 2
	Forwarding netip.Addr   `json:"forwarding,omitzero"`   // of externals; absent: to the router
	Tag        uint32       `json:"tag,omitempty"`
	Opaque     string       `json:"opaque,omitempty"` // in hexadecimal
}

// Link is a link of a router.
type Link struct {
	Type string     `json:"type"` // point-to-point | transit | stub | virtual
	ID   netip.Addr `json:"id"`   // the neighbour, the DR's address, or the network
	Data netip.Addr `json:"data"` // the router's own address, the index of its interface, or the mask
	Cost int        `json:"cost"`
}

func lsaOf(x *ospf.LSAInfo, q *running.Question[LSAQuery]) LSA {
	l := LSA{
		Scope: x.Scope.String(), Type: x.Type.String(), ID: x.ID.Addr(), Router: x.Router.Addr(), Prefix: x.Prefix,
		Age: int(x.Header.Age), Sequence: fmt.Sprintf("0x%08x", uint32(x.Header.Sequence)), Checksum: fmt.Sprintf("0x%04x", x.Header.Checksum),
		Length: int(x.Header.Length), Options: optionNames(x.Header.Options), Self: x.Self, Held: x.Lists, Pending: x.Pending,
	}
	if x.Scope != ospf.ScopeAS {
		l.Area = x.Area.Addr()
	}
	if x.Scope == ospf.ScopeLink && x.Link != routing.NoInterface {
		l.Interface = q.InterfaceName(x.Link)
	}
	if q.Query.Detail {
		l.Content = contentOf(x)
	}
	return l
}

var (
	linkTypes = map[wire.LinkType]string{
		wire.LinkPointToPoint: "point-to-point", wire.LinkTransit: "transit", wire.LinkStub: "stub", wire.LinkVirtual: "virtual",
	}
	routerFlags = []struct {
		flag wire.RouterFlags
		name string
	}{{wire.RouterB, "B"}, {wire.RouterE, "E"}, {wire.RouterV, "V"}, {wire.RouterNt, "Nt"}}
)

func contentOf(x *ospf.LSAInfo) *Content {
	c := &Content{}
	switch x.Type {
	case wire.RouterLSA:
		b := wire.RouterBody(x.Body)
		for _, f := range routerFlags {
			if b.Flags()&f.flag != 0 {
				c.Flags = append(c.Flags, f.name)
			}
		}
		for l := range b.Links {
			c.Links = append(c.Links, Link{linkTypes[l.Type], l.ID.Addr(), l.Data.Addr(), int(l.Cost)})
		}
	case wire.NetworkLSA:
		for r := range wire.NetworkBody(x.Body).Routers {
			c.Routers = append(c.Routers, r.Addr())
		}
	case wire.SummaryLSA, wire.ASBRSummary:
		metric := wire.SummaryBody(x.Body).Metric()
		c.Metric = &metric
	case wire.ExternalLSA, wire.NSSALSA:
		b := wire.ExternalBody(x.Body)
		metric := b.Metric()
		c.Metric, c.MetricType, c.Forwarding, c.Tag = &metric, 1, address(b.Forwarding()), b.Tag()
		if b.Type2() {
			c.MetricType = 2
		}
	default:
		c.Opaque = hex.EncodeToString(x.Body)
	}
	return c
}

// draw writes all that there is to say of an LSA, a line for each thing.
func (l *LSA) draw(s *show.Screen) {
	where := "of the AS"
	switch {
	case l.Interface != "":
		where = "on " + l.Interface
	case l.Area.IsValid():
		where = "of area " + l.Area.String()
	}
	own := ""
	if l.Self {
		own = ", this router"
	}
	fmt.Fprintf(s, "%s LSA %s of %s%s, %s\n", l.Type, l.ID, l.Router, own, where)
	line(s, "instance", "sequence %s, age %ds, checksum %s, %d bytes, options %v", l.Sequence, l.Age, l.Checksum, l.Length, l.Options)
	if l.Prefix.IsValid() {
		line(s, "prefix", "%s", l.Prefix)
	}
	if l.Content != nil {
		l.Content.draw(s)
	}
	if l.Held > 0 || l.Pending {
		line(s, "flooding", "not acknowledged by %s; next instance waits: %t", show.Plural(l.Held, "neighbor", "neighbors"), l.Pending)
	}
}

func (c *Content) draw(s *show.Screen) {
	if len(c.Flags) > 0 {
		line(s, "flags", "%s", strings.Join(c.Flags, " "))
	}
	for _, l := range c.Links {
		text := map[string]string{
			"point-to-point": "to router %s, by %s", "transit": "to the network with the DR %s, by %s", "stub": "to %s mask %s", "virtual": "to router %s, virtual, by %s",
		}[l.Type]
		if text == "" {
			text = "of an unknown type, %s %s"
		}
		line(s, "link", text+", cost %d", l.ID, l.Data, l.Cost)
	}
	for _, r := range c.Routers {
		line(s, "router", "%s", r)
	}
	if c.Metric != nil {
		text := fmt.Sprint(*c.Metric)
		if *c.Metric == wire.Infinity {
			text = "unreachable"
		}
		if c.MetricType != 0 {
			text += fmt.Sprintf(", of type %d, tag %d", c.MetricType, c.Tag)
		}
		line(s, "metric", "%s", text)
	}
	if c.Forwarding.IsValid() {
		line(s, "forwarding", "to %s", c.Forwarding)
	}
	if c.Opaque != "" {
		line(s, "opaque", "%s", c.Opaque)
	}
}
