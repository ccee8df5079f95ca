package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"routerd/internal/corpus"
)

// GoBGP reads real updates, and what is built of them here, as the decoder does.
func TestGoBGP(t *testing.T) {
	compared := 0
	var u Update
	for _, m := range corpus.BGPMessages(t) {
		if len(m.Octets) < HeaderSize+4 || m.Octets[typeAt] != byte(TypeUpdate) {
			continue
		}
		s := fromMRT(&m)
		s.External = false // so that nothing is left out
		DecodeUpdate(m.Octets[HeaderSize:], &s, &u)
		if u.Approach == SessionReset {
			continue
		}
		options := goBGPOptions(&s)
		theirs, err := describeGoBGP(m.Octets, options)
		if err != nil {
			t.Errorf("%s: %x: GoBGP: %v", m.File, m.Octets, err)
			continue
		}
		if ours := describe(&u); ours != theirs {
			t.Errorf("%s: %x:\nours   %s\nGoBGP's %s", m.File, m.Octets, ours, theirs)
			continue
		}
		compared++
		for i := range u.Reach {
			if r := &u.Reach[i]; len(r.Octets) > 0 {
				compareBuilt(t, &u, r, &s, options)
			}
		}
	}
	if compared < 10_000 {
		t.Errorf("%d updates compared, want at least 10000", compared)
	}
}

func goBGPOptions(s *Session) *bgp.MarshallingOption {
	o := &bgp.MarshallingOption{Use2ByteAS: !s.FourOctetAS, AddPath: map[bgp.Family]bgp.BGPAddPathMode{}}
	if s.ReceivePaths != 0 {
		o.AddPath[bgp.RF_IPv4_UC], o.AddPath[bgp.RF_IPv6_UC] = bgp.BGP_ADD_PATH_BOTH, bgp.BGP_ADD_PATH_BOTH
	}
	return o
}

// compareBuilt builds the message anew for a session of either width of AS numbers,
// and has GoBGP read it.
func compareBuilt(t *testing.T, u *Update, r *Reach, s *Session, options *bgp.MarshallingOption) {
	t.Helper()
	set := u.AppendSet(nil, r)
	var a Attributes
	set.Read(&a)
	var p Packer
	p.Begin(nil, s)
	if !p.Announce(r.Family, &a) {
		t.Errorf("no room for %v", a)
		return
	}
	for path, prefix := range r.All {
		p.Add(path, prefix)
	}
	built := p.Bytes()
	theirs, err := describeGoBGP(built, options)
	if err != nil {
		t.Errorf("%x: GoBGP: %v", built, err)
		return
	}
	var again Update
	DecodeUpdate(built[HeaderSize:], s, &again)
	if ours := describe(&again); ours != theirs {
		t.Errorf("%x, built:\nours   %s\nGoBGP's %s", built, ours, theirs)
	}
}

// describe says what an update has, without what GoBGP does not make of it: the path
// that both paths give.
func describe(u *Update) string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	a := &u.Attributes
	if a.Has(AttrOrigin) {
		say("origin %d", a.Origin)
	}
	if a.Has(AttrASPath) {
		say("path %s", a.ASPath)
	}
	if a.Has(AttrNextHop) && len(u.Reach[0].Octets) > 0 {
		say("hop %v", u.Reach[0].NextHop.Address)
	}
	if a.Has(AttrMED) {
		say("med %d", a.MED)
	}
	if a.Has(AttrLocalPref) {
		say("local-pref %d", a.LocalPref)
	}
	if a.Has(AttrAtomicAggregate) {
		say("atomic")
	}
	if a.Has(AttrAggregator) {
		say("aggregator %d %v", a.Aggregator.AS, a.Aggregator.ID)
	}
	for i := range a.Communities.Len() {
		say("community %d", a.Communities.At(i))
	}
	for i := range a.Large.Len() {
		say("large %v", a.Large.At(i))
	}
	if a.Has(AttrOriginatorID) {
		say("originator %v", a.OriginatorID)
	}
	for i := range a.ClusterList.Len() {
		say("cluster %v", a.ClusterList.At(i))
	}
	if r := &u.Reach[1]; len(r.Octets) > 0 {
		hop := r.NextHop.Address
		if !hop.IsValid() {
			hop = r.NextHop.LinkLocal
		}
		say("mp-hop %v", hop)
	}
	for i := range u.Reach {
		for path, p := range u.Reach[i].All {
			say("reach %v %d", p, path)
		}
		for path, p := range u.Withdrawn[i].All {
			say("gone %v %d", p, path)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// describeGoBGP says the same of what GoBGP decodes.
func describeGoBGP(raw []byte, o *bgp.MarshallingOption) (string, error) {
	m, err := bgp.ParseBGPMessage(raw, o)
	if err != nil {
		return "", err
	}
	update, ok := m.Body.(*bgp.BGPUpdate)
	if !ok {
		return "", errors.New("no update")
	}
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	prefixes := func(what string, nlri []bgp.PathNLRI) {
		for _, n := range nlri {
			say("%s %s %d", what, n.NLRI, n.ID)
		}
	}
	path, as4 := "", ""
	aggregator, as4Aggregator := "", ""
	for _, a := range update.PathAttributes {
		switch v := a.(type) {
		case *bgp.PathAttributeOrigin:
			say("origin %d", v.Value)
		case *bgp.PathAttributeAsPath:
			path = "path " + bgp.AsPathString(v)
		case *bgp.PathAttributeAs4Path:
			as4 = "there"
		case *bgp.PathAttributeNextHop:
			if len(update.NLRI) > 0 {
				say("hop %v", v.Value)
			}
		case *bgp.PathAttributeMultiExitDisc:
			say("med %d", v.Value)
		case *bgp.PathAttributeLocalPref:
			say("local-pref %d", v.Value)
		case *bgp.PathAttributeAtomicAggregate:
			say("atomic")
		case *bgp.PathAttributeAggregator:
			aggregator = fmt.Sprintf("aggregator %d %v", v.Value.AS, v.Value.Address)
		case *bgp.PathAttributeAs4Aggregator:
			as4Aggregator = fmt.Sprintf("aggregator %d %v", v.Value.AS, v.Value.Address)
		case *bgp.PathAttributeCommunities:
			for _, c := range v.Value {
				say("community %d", c)
			}
		case *bgp.PathAttributeLargeCommunities:
			for _, c := range v.Values {
				say("large %d:%d:%d", c.ASN, c.LocalData1, c.LocalData2)
			}
		case *bgp.PathAttributeOriginatorId:
			say("originator %v", v.Value)
		case *bgp.PathAttributeClusterList:
			for _, c := range v.Value {
				say("cluster %v", c)
			}
		case *bgp.PathAttributeMpReachNLRI:
			if len(v.Value) > 0 && v.SAFI == 1 {
				say("mp-hop %v", v.Nexthop)
				prefixes("reach", v.Value)
			}
		case *bgp.PathAttributeMpUnreachNLRI:
			if v.SAFI == 1 {
				prefixes("gone", v.Value)
			}
		}
	}
	if as4 != "" {
		return "", errors.New("both paths, which GoBGP does not put together")
	}
	for _, s := range []string{path, aggregator} {
		if s == aggregator && as4Aggregator != "" {
			s = as4Aggregator
		}
		if s != "" {
			list = append(list, s)
		}
	}
	prefixes("reach", update.NLRI)
	prefixes("gone", update.WithdrawnRoutes)
	slices.Sort(list)
	return strings.Join(list, "\n"), nil
}
