package control

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"routerd/routing"
)

// noun is one thing that can be asked for. ask reads the query and gives the
// call to make if the query was a good one.
type noun struct {
	changes bool // it is asked for by POST, by those who may
	ask     func(*query) call
}

type call func(context.Context, Router) (any, error)

var nouns = map[string]noun{
	"version": {ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) { return r.Version(ctx) }
	}},
	"interface": {ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) {
			list, err := r.Interfaces(ctx)
			return InterfaceList{list}, err
		}
	}},
	"route": {ask: func(v *query) call {
		q := RouteQuery{
			Prefix: v.prefix("prefix"), For: v.addr("for"), Source: v.source(),
			Family: v.family(), After: v.prefix("after"), Limit: v.number("limit", 0, MaxPage),
		}
		return func(ctx context.Context, r Router) (any, error) { return r.Routes(ctx, q) }
	}},
	"fib": {ask: func(v *query) call {
		q := FIBQuery{
			Prefix: v.prefix("prefix"), For: v.addr("for"),
			Family: v.family(), After: v.prefix("after"), Limit: v.number("limit", 0, MaxPage),
		}
		return func(ctx context.Context, r Router) (any, error) { return r.FIB(ctx, q) }
	}},
	"drops": {ask: func(v *query) call {
		q := v.drops()
		return func(ctx context.Context, r Router) (any, error) { return r.Drops(ctx, q) }
	}},
	"neighbor": {ask: func(v *query) call {
		q := v.neighbor()
		q.Family = v.family()
		return func(ctx context.Context, r Router) (any, error) { return r.Neighbors(ctx, q) }
	}},
	"clear/arp": {changes: true, ask: func(v *query) call {
		q := v.neighbor()
		return func(ctx context.Context, r Router) (any, error) { return r.ClearNeighbors(ctx, q) }
	}},
	"explain/packet": {ask: func(v *query) call {
		q := v.packet()
		return func(ctx context.Context, r Router) (any, error) { return r.ExplainPacket(ctx, q) }
	}},
	"explain/route": {ask: func(v *query) call {
		a := v.target()
		return func(ctx context.Context, r Router) (any, error) { return r.ExplainRoute(ctx, a) }
	}},
	"explain/policy": {ask: func(v *query) call {
		q := v.policy()
		return func(ctx context.Context, r Router) (any, error) { return r.ExplainPolicy(ctx, q) }
	}},
	"diff": {ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) { return r.Diff(ctx) }
	}},
	"reload": {changes: true, ask: func(*query) call {
		return func(ctx context.Context, r Router) (any, error) { return r.Reload(ctx) }
	}},
}

// query reads the parameters of a request, strictly: what nobody reads, comes
// twice or has no sense is an error. The first one counts.
type query struct {
	values url.Values
	known  []string
	err    error
}

func (q *query) text(name string) string {
	q.known = append(q.known, name)
	v := q.values[name]
	if len(v) > 1 {
		q.fail("parameter %s is given %d times, wanted once", name, len(v))
	}
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = BadRequest(format, args...)
	}
}

// done gives the first error, and complains about parameters that nobody has
// read.
func (q *query) done() error {
	for name := range q.values {
		if slices.Contains(q.known, name) {
			continue
		}
		if q.known == nil {
			q.fail("unknown parameter %q: there are none here", name)
		}
		q.fail("unknown parameter %q, wanted one of %s", name, strings.Join(q.known, ", "))
	}
	return q.err
}

func (q *query) prefix(name string) netip.Prefix {
	s := q.text(name)
	if s == "" {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		q.fail("parameter %s is %q, wanted a prefix such as 10.0.0.0/8", name, s)
		return netip.Prefix{}
	}
	return p.Masked()
}

func (q *query) addr(name string) netip.Addr {
	s := q.text(name)
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		q.fail("parameter %s is %q, wanted an address such as 10.0.0.1", name, s)
		return netip.Addr{}
	}
	return a.Unmap()
}

func (q *query) number(name string, low, high int) int {
	s := q.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		q.fail("parameter %s is %q, wanted a number from %d to %d", name, s, low, high)
		return 0
	}
	return n
}

func (q *query) family() int {
	s := q.text("family")
	switch s {
	case "":
		return 0
	case "4", "6":
		return int(s[0] - '0')
	}
	q.fail("parameter family is %q, wanted 4 or 6", s)
	return 0
}

func (q *query) source() string {
	s := q.text("source")
	var known []string
	for i := routing.SourceNone + 1; int(i) < routing.NumSources; i++ {
		known = append(known, i.String())
	}
	if s != "" && !slices.Contains(known, s) {
		q.fail("parameter source is %q, wanted one of %s", s, strings.Join(known, ", "))
	}
	return s
}

func (q *query) flag(name string) bool {
	s := q.text(name)
	switch s {
	case "", "false":
		return false
	case "true":
		return true
	}
	q.fail("parameter %s is %q, wanted true or false", name, s)
	return false
}

func (q *query) packet() PacketQuery {
	p := PacketQuery{
		In: q.text("in"), Src: q.addr("src"), Dst: q.addr("dst"), Protocol: q.text("protocol"),
		SrcPort: uint16(q.number("src_port", 0, 65535)), DstPort: uint16(q.number("dst_port", 0, 65535)),
		Size: q.number("size", 0, 65535), DF: q.flag("df"), TTL: uint8(q.number("ttl", 0, 255)),
	}
	if p.Protocol == "" {
		p.Protocol = "icmp"
	}
	switch {
	case p.In == "" || !p.Src.IsValid() || !p.Dst.IsValid():
		q.fail("a packet to explain needs in, src and dst")
	case p.Src.Is4() != p.Dst.Is4():
		q.fail("a packet from %s to %s: both addresses have to be of one family", p.Src, p.Dst)
	case !slices.Contains([]string{"tcp", "udp", "icmp"}, p.Protocol):
		q.fail("parameter protocol is %q, wanted tcp, udp or icmp", p.Protocol)
	case p.Protocol == "icmp" && (p.SrcPort != 0 || p.DstPort != 0):
		q.fail("a packet of icmp has no ports")
	}
	return p
}

// values puts the query into a URL's form, the inverse of packet.
func (p PacketQuery) values() url.Values {
	v := url.Values{}
	set := func(name, text, zero string) {
		if text != zero {
			v.Set(name, text)
		}
	}
	set("in", p.In, "")
	set("src", p.Src.String(), "invalid IP")
	set("dst", p.Dst.String(), "invalid IP")
	set("protocol", p.Protocol, "")
	for _, n := range []struct {
		name  string
		value int
	}{{"src_port", int(p.SrcPort)}, {"dst_port", int(p.DstPort)}, {"size", p.Size}, {"ttl", int(p.TTL)}} {
		set(n.name, strconv.Itoa(n.value), "0")
	}
	set("df", strconv.FormatBool(p.DF), "false")
	return v
}

// values puts the query into a URL's form.
func (q RouteQuery) values() url.Values {
	v := FIBQuery{q.Prefix, q.For, q.Family, q.After, q.Limit}.values()
	if q.Source != "" {
		v.Set("source", q.Source)
	}
	return v
}

func (q FIBQuery) values() url.Values {
	v := url.Values{}
	if q.Prefix.IsValid() {
		v.Set("prefix", q.Prefix.String())
	}
	if q.For.IsValid() {
		v.Set("for", q.For.String())
	}
	if q.Family != 0 {
		v.Set("family", fmt.Sprint(q.Family))
	}
	if q.After.IsValid() {
		v.Set("after", q.After.String())
	}
	if q.Limit != 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	return v
}
