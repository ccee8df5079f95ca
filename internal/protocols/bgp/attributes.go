package bgp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/show"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// Attributes are the path attributes of a route. What it does not have is absent.
type Attributes struct {
	Origin    string     `json:"origin"`            // igp | egp | incomplete
	ASPath    string     `json:"as_path"`           // "65001 65002"; sets in {}, those of a confederation in () and []
	NextHop   netip.Addr `json:"next_hop,omitzero"` // absent of the router's own routes
	LinkLocal netip.Addr `json:"next_hop_link_local,omitzero"`
	MED       *uint32    `json:"med,omitempty"`
	LocalPref *uint32    `json:"local_pref,omitempty"`

	AtomicAggregate     bool         `json:"atomic_aggregate,omitempty"`
	Aggregator          string       `json:"aggregator,omitempty"` // "65001 192.0.2.1": its AS and router ID
	Communities         []string     `json:"communities,omitempty"`
	LargeCommunities    []string     `json:"large_communities,omitempty"`
	ExtendedCommunities []string     `json:"extended_communities,omitempty"`
	OriginatorID        netip.Addr   `json:"originator_id,omitzero"`
	ClusterList         []netip.Addr `json:"cluster_list,omitempty"`
	OTC                 uint32       `json:"otc,omitempty"` // RFC 9234: the AS
	// Others are not known to the router, which passes them on.
	Others []Attribute `json:"others,omitempty"`
}

// Attribute is one that is not known to the router.
type Attribute struct {
	Code  int    `json:"code"`
	Value string `json:"value"` // in hexadecimal
}

func attributesOf(a *wire.Attributes) Attributes {
	x := Attributes{
		Origin: a.Origin.String(), ASPath: a.ASPath.String(), NextHop: a.NextHop.Address, LinkLocal: a.NextHop.LinkLocal,
		MED: numberOf(a, wire.AttrMED, a.MED), LocalPref: numberOf(a, wire.AttrLocalPref, a.LocalPref),
		AtomicAggregate: a.Has(wire.AttrAtomicAggregate), OriginatorID: addressOf(a.OriginatorID), OTC: a.OTC,
	}
	if a.Has(wire.AttrAggregator) {
		x.Aggregator = fmt.Sprintf("%d %v", a.Aggregator.AS, addressOf(a.Aggregator.ID))
	}
	x.Communities = texts(a.Communities.Len(), func(i int) fmt.Stringer { return a.Communities.At(i) })
	x.LargeCommunities = texts(a.Large.Len(), func(i int) fmt.Stringer { return a.Large.At(i) })
	x.ExtendedCommunities = texts(a.Extended.Len(), func(i int) fmt.Stringer { return a.Extended.At(i) })
	for i := range a.ClusterList.Len() {
		x.ClusterList = append(x.ClusterList, addressOf(a.ClusterList.At(i)))
	}
	for _, u := range a.Unknown {
		x.Others = append(x.Others, Attribute{int(u.Code), hex.EncodeToString(u.Value)})
	}
	if len(a.ExtendedIPv6) > 0 {
		x.Others = append(x.Others, Attribute{int(wire.AttrExtendedIPv6), hex.EncodeToString(a.ExtendedIPv6)})
	}
	return x
}

// numberOf is a number that a route may lack.
func numberOf(a *wire.Attributes, code wire.Attribute, n uint32) *uint32 {
	if !a.Has(code) {
		return nil
	}
	return &n
}

func texts(n int, at func(i int) fmt.Stringer) (list []string) {
	for i := range n {
		list = append(list, at(i).String())
	}
	return list
}

// number is a number as a cell has it.
func number(n *uint32) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// pref is the local preference that is compared.
func (a *Attributes) pref() uint32 {
	if a.LocalPref == nil {
		return bgp.DefaultLocalPref
	}
	return *a.LocalPref
}

// hop is the next hop in words.
func (a *Attributes) hop() string {
	switch {
	case a.NextHop.IsValid():
		return a.NextHop.String()
	case a.LinkLocal.IsValid():
		return a.LinkLocal.String()
	}
	return "this router"
}

// path is the AS path with the mark that other routers give an origin: i, e or ?.
func (a *Attributes) path() string {
	mark := map[string]string{wire.OriginIGP.String(): "i", wire.OriginEGP.String(): "e"}[a.Origin]
	if mark == "" {
		mark = "?"
	}
	return strings.TrimSpace(a.ASPath + " " + mark)
}

// all are the communities of all kinds.
func (a *Attributes) all() string {
	return strings.Join(append(append(append([]string(nil), a.Communities...), a.LargeCommunities...), a.ExtendedCommunities...), " ")
}

// draw writes a line for each thing that there is.
func (a *Attributes) draw(s *show.Screen) {
	path := a.ASPath
	if path == "" {
		path = "empty"
	}
	line(s, "AS path", "%s, origin %s", path, a.Origin)
	for _, n := range []struct {
		name  string
		value *uint32
	}{{"MED", a.MED}, {"local preference", a.LocalPref}} {
		if n.value != nil {
			line(s, n.name, "%d", *n.value)
		}
	}
	for _, list := range []struct {
		name  string
		texts []string
	}{{"communities", a.Communities}, {"large", a.LargeCommunities}, {"extended", a.ExtendedCommunities}} {
		if len(list.texts) > 0 {
			line(s, list.name, "%s", strings.Join(list.texts, " "))
		}
	}
	if a.AtomicAggregate || a.Aggregator != "" {
		by := ""
		if a.Aggregator != "" {
			by = ", made by " + a.Aggregator
		}
		line(s, "aggregate", "atomic %v%s", a.AtomicAggregate, by)
	}
	if a.OriginatorID.IsValid() || len(a.ClusterList) > 0 {
		line(s, "reflected", "from %v, by clusters %v", a.OriginatorID, a.ClusterList)
	}
	if a.OTC != 0 {
		line(s, "only to customer", "since AS %d", a.OTC)
	}
	for _, o := range a.Others {
		line(s, "attribute", "%d, not known here: %s", o.Code, o.Value)
	}
}
