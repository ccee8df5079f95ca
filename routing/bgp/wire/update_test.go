package wire

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sessions of most tests: with another AS, and inside one's own.
var (
	external = Session{External: true, FourOctetAS: true, Families: Of(IPv4Unicast, IPv6Unicast)}
	internal = Session{FourOctetAS: true, Families: Of(IPv4Unicast, IPv6Unicast)}
	old      = Session{External: true, Families: Of(IPv4Unicast)} // AS numbers of two octets
)

// The attributes that every route has.
const (
	origin  = "400101 00"
	path    = "400206 0201 0000fde9" // 65001
	nextHop = "400304 c0000201"      // 192.0.2.1
	base    = origin + path + nextHop
	prefix  = "18 cb0071" // 203.0.113.0/24
	reach6  = "800e1e 0002 01 10 20010db8000000000000000000000001 00 40 20010db800010000"
)

// body gives the body of an UPDATE with what is in its three fields.
func body(tb testing.TB, withdrawn, attrs, nlri string) []byte {
	tb.Helper()
	w, a := octets(tb, withdrawn), octets(tb, attrs)
	b := append([]byte{byte(len(w) >> 8), byte(len(w))}, w...)
	b = append(b, byte(len(a)>>8), byte(len(a)))
	return append(append(b, a...), octets(tb, nlri)...)
}

// text writes prefixes, with their path identifiers.
func text(n NLRI) string {
	var list []string
	for path, p := range n.All {
		if n.Paths {
			list = append(list, fmt.Sprintf("%d:%v", path, p))
		} else {
			list = append(list, p.String())
		}
	}
	return strings.Join(list, " ")
}

func TestUpdate(t *testing.T) {
	paths := external
	paths.ReceivePaths, paths.ExtendedNextHop = Of(IPv4Unicast, IPv6Unicast), Of(IPv4Unicast)
	for _, test := range []struct {
		name                   string
		session                Session
		withdrawn, attrs, nlri string
		gone, came             string // of both kinds
		hop                    string // of the last kind that came
		check                  func(a *Attributes) bool
	}{
		{
			"IPv4", external,
			"00 10 0a01", base + `
			800404 00000064          // MED 100
			400600                   // atomic aggregate
			c00708 0000fdea c6336401 // aggregated by 65002, 198.51.100.1
			c00808 fde80001 ffffff01 // 65000:1 no-export
			c01008 0002fde800000007  // rt:65000:7
			c0200c 0000fde8 00000001 00000002
			c02304 0000fdeb`,
			prefix + "20 cb007209 1f cb0072ff",
			"0.0.0.0/0 10.1.0.0/16", "203.0.113.0/24 203.0.114.9/32 203.0.114.254/31", "192.0.2.1",
			func(a *Attributes) bool {
				return a.Origin == OriginIGP && a.ASPath.String() == "65001" && a.MED == 100 && a.Has(AttrAtomicAggregate) &&
					a.Aggregator == Aggregator{65002, 0xc6336401} && a.Communities.At(1) == NoExport && a.Communities.Has(0xfde80001) &&
					!a.Communities.Has(Blackhole) && a.Extended.At(0).String() == "rt:65000:7" &&
					a.Large.At(0) == LargeCommunity{65000, 1, 2} && a.OTC == 65003 && !a.Has(AttrLocalPref)
			},
		},
		{
			"reflected", internal, "", base + "400504 000000c8 800904 0a000009 800a08 0a000001 0a000002", prefix,
			"", "203.0.113.0/24", "192.0.2.1",
			func(a *Attributes) bool {
				return a.LocalPref == 200 && a.OriginatorID == 0x0a000009 && a.ClusterList.Has(0x0a000002) && !a.ClusterList.Has(0x0a000009)
			},
		},
		{
			"IPv6", external, "", reach6 + origin + path, "", "", "2001:db8:1::/64", "2001:db8::1", nil,
		},
		{
			"IPv6 with a link-local next hop too", external, "",
			"800e2e 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00 40 20010db800010000" + origin + path, "",
			"", "2001:db8:1::/64", "2001:db8::1 fe80::1", nil,
		},
		{
			"IPv6 with a link-local next hop alone", external, "",
			"800e1e 0002 01 10 fe800000000000000000000000000001 00 40 20010db800010000" + origin + path, "",
			"", "2001:db8:1::/64", "fe80::1", nil,
		},
		{
			"IPv6 with :: before the link-local one", external, "",
			"800e2e 0002 01 20 00000000000000000000000000000000 fe800000000000000000000000000001 00 40 20010db800010000" + origin + path, "",
			"", "2001:db8:1::/64", "fe80::1", nil,
		},
		{
			"IPv6 with two global next hops", external, "",
			"800e2e 0002 01 20 20010db8000000000000000000000001 20010db8000000000000000000000002 00 40 20010db800010000" + origin + path, "",
			"", "2001:db8:1::/64", "2001:db8::1", nil,
		},
		{
			"IPv6 withdrawn", external, "", "800f0c 0002 01 40 20010db800010000", "", "2001:db8:1::/64", "", "", nil,
		},
		{
			"path identifiers", paths, "00000001 18 0a0000", base + "800f10 0002 01 00000002 40 20010db800010000", "00000003 18 cb0071 00000004 18 cb0071",
			"1:10.0.0.0/24 2:2001:db8:1::/64", "3:203.0.113.0/24 4:203.0.113.0/24", "192.0.2.1", nil,
		},
		{
			"the default route with a path identifier", paths, "00000009 00", base, "00000008 00", "9:0.0.0.0/0", "8:0.0.0.0/0", "192.0.2.1", nil,
		},
		{
			"IPv4 with an IPv6 next hop", paths, "",
			"800e1d 0001 01 10 20010db8000000000000000000000001 00 00000007 18 cb0071" + origin + path, "",
			"", "7:203.0.113.0/24", "2001:db8::1", nil,
		},
		{
			"IPv4 in MP_REACH_NLRI", external, "", "800e0d 0001 01 04 c0000201 00 18 cb0071" + origin + path, "", "", "203.0.113.0/24", "192.0.2.1", nil,
		},
		{
			"all kinds in one", external, "08 0a", "800f06 0002 01 10 2001" + base + "800e18 0002 01 10 20010db8000000000000000000000001 00 10 3ffe", prefix,
			"10.0.0.0/8 2001::/16", "203.0.113.0/24 3ffe::/16", "2001:db8::1", nil,
		},
		{
			"unknown attributes", external, "", base + "c0fa00 80ee01ff c0f901 07 e0 f0 02 0102", prefix, "", "203.0.113.0/24", "192.0.2.1",
			func(a *Attributes) bool { // those that are transitive, in order
				return cmp.Equal(a.Unknown, []UnknownAttribute{{0xf0, []byte{1, 2}}, {0xf9, []byte{7}}, {0xfa, []byte{}}})
			},
		},
		{
			"Partial, and reserved flags", external, "", "4f0101 00" + path + nextHop + "ef0804 fde80001 a00404 00000001", prefix,
			"", "203.0.113.0/24", "192.0.2.1",
			func(a *Attributes) bool { return a.Partial(AttrCommunities) && !a.Partial(AttrMED) },
		},
		{
			"bits behind the length", external, "0f cafe", "800e19 0002 01 10 20010db8000000000000000000000001 00 15 2001ff" + origin + path, "", "202.254.0.0/15", "2001:f800::/21", "2001:db8::1", nil,
		},
		{"an empty path", internal, "", origin + "400200" + nextHop + "400504 00000064", prefix, "", "203.0.113.0/24", "192.0.2.1", func(a *Attributes) bool {
			return a.Has(AttrASPath) && a.ASPath.Length() == 0 && a.ASPath.First() == 0 && a.ASPath.Last() == 0
		}},
		{"attributes without prefixes", external, "", base, "", "", "", "", nil},
		{"nothing of a family that was not negotiated", Session{FourOctetAS: true, External: true, Families: Of(IPv6Unicast)}, "08 0a", base, prefix, "", "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var u Update
			for range 2 {
				DecodeUpdate(body(t, test.withdrawn, test.attrs, test.nlri), &test.session, &u)
			}
			for _, f := range u.Faults {
				t.Errorf("fault %v: %v", f.Approach, f.String())
			}
			gone := strings.TrimSpace(text(u.Withdrawn[0]) + " " + text(u.Withdrawn[1]))
			came := strings.TrimSpace(text(u.Reach[0].NLRI) + " " + text(u.Reach[1].NLRI))
			if gone != test.gone || came != test.came {
				t.Errorf("withdrawn %q, reach %q; want %q and %q", gone, came, test.gone, test.came)
			}
			hop := ""
			for _, r := range u.Reach {
				if len(r.Octets) > 0 {
					hop = strings.TrimSpace(strings.ReplaceAll(fmt.Sprint(r.NextHop.Address, " ", r.NextHop.LinkLocal), "invalid IP", ""))
				}
			}
			if hop != test.hop {
				t.Errorf("next hop %q, want %q", hop, test.hop)
			}
			if test.check != nil && !test.check(&u.Attributes) {
				t.Errorf("attributes %+v", u.Attributes)
			}
			if _, end := u.EndOfRIB(); end {
				t.Error("it is the end of a RIB")
			}
		})
	}
}

func TestEndOfRIB(t *testing.T) {
	for _, test := range []struct {
		name, withdrawn, attrs, nlri string
		family                       Family
		end                          bool
	}{
		{"IPv4", "", "", "", IPv4Unicast, true},
		{"IPv6", "", "800f03 0002 01", "", IPv6Unicast, true},
		{"IPv6 by a long form", "", "900f0003 0002 01", "", IPv6Unicast, true},
		{"another family", "", "800f03 0019 46", "", numFamilies, false},
		{"a withdrawal", "08 0a", "", "", numFamilies, false},
		{"a withdrawal of the other family", "08 0a", "800f03 0002 01", "", numFamilies, false},
		{"with attributes", "", "800f03 0002 01" + origin, "", numFamilies, false},
	} {
		var u Update
		DecodeUpdate(body(t, test.withdrawn, test.attrs, test.nlri), &external, &u)
		if f, end := u.EndOfRIB(); f != test.family || end != test.end {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, f, end, test.family, test.end)
		}
	}
	for f := range numFamilies {
		m, rest, r := Split(AppendEndOfRIB(nil, f), MaxMessage)
		if !r.OK() || len(rest) != 0 {
			t.Fatalf("%v: %v, %d octets left", f, r.String(), len(rest))
		}
		var u Update
		DecodeUpdate(m.Body(), &external, &u)
		if got, end := u.EndOfRIB(); got != f || !end || u.Approach != Accept {
			t.Errorf("%v: built as %v, %v, %v", f, got, end, u.Approach)
		}
	}
}

// The paths that AS_PATH and AS4_PATH give together (RFC 6793 §4.2.3).
func TestMergedPaths(t *testing.T) {
	for _, test := range []struct {
		name, attrs, want string
		aggregator        Aggregator
		reason            Reason
	}{
		{"AS_PATH alone", "400206 0202 fde9 fdea", "65001 65002", Aggregator{}, Accepted},
		{"all in AS4_PATH", "400206 0202 5ba0 5ba0 c0110a 0202 00010001 00010002", "65537 65538", Aggregator{}, Accepted},
		{"the beginning in AS_PATH", "400208 0203 fde9 5ba0 fdea c0110a 0202 00010001 0000fdea", "65001 65537 65002", Aggregator{}, Accepted},
		{"AS4_PATH longer", "400204 0201 fde9 c0110a 0202 00010001 00010002", "65001", Aggregator{}, Accepted},
		{"a set counts as one", "40020c 0201 fde9 0102 5ba0 fdea 5201", "", Aggregator{}, PathSegment},
		{"a set in both", "40020a 0201 fde9 0102 5ba0 fdea c0110a 0102 00010001 0000fdea", "65001 {65537,65002}", Aggregator{}, Accepted},
		{"a set before", "40020c 0102 fde9 fdec 0202 5ba0 fdea c0110a 0202 00010001 0000fdea", "{65001,65004} 65537 65002", Aggregator{}, Accepted},
		{"a confederation in AS4_PATH", "400206 0202 fde9 5ba0 c0110c 0301 00010009 0201 00010001", "65001 65537", Aggregator{}, Accepted},
		{"malformed AS4_PATH", "400206 0202 fde9 5ba0 c01106 0202 00010001", "65001 23456", Aggregator{}, PathLength},
		{"AS4_PATH with a segment without an AS", "400206 0202 fde9 5ba0 c01102 0200", "65001 23456", Aggregator{}, PathSegment},
		{"empty AS4_PATH", "400206 0202 fde9 5ba0 c01100", "65001 23456", Aggregator{}, AttributeLength},
		{"AS 0 in AS4_PATH", "400206 0202 fde9 5ba0 c01106 0201 00000000", "65001 23456", Aggregator{}, ASZero},
		{"AS4_AGGREGATOR", "400204 0201 fde9 c00706 5ba0 0a000001 c01208 00010001 0a000002", "65001", Aggregator{65537, 0x0a000002}, Accepted},
		{"AS4_AGGREGATOR without the other", "400204 0201 fde9 c01208 00010001 0a000002", "65001", Aggregator{}, Accepted},
		{"an aggregator that did not know", "400206 0202 fde9 5ba0 c00706 fdea 0a000001 c0110a 0202 0000fde9 00010001 c01208 00010001 0a000002", "65001 23456", Aggregator{65002, 0x0a000001}, OldAggregator},
		{"AS4_AGGREGATOR too short", "400204 0201 fde9 c00706 5ba0 0a000001 c01207 00010001 0a0000", "65001", Aggregator{23456, 0x0a000001}, AttributeLength},
		{"AS 0 in AS4_AGGREGATOR", "400204 0201 fde9 c00706 5ba0 0a000001 c01208 00000000 0a000002", "65001", Aggregator{23456, 0x0a000001}, ASZero},
	} {
		session := old
		session.KeepASSets = true
		var u Update
		DecodeUpdate(body(t, "", origin+test.attrs+nextHop, prefix), &session, &u)
		r := u.Strongest()
		if test.want != "" && u.Approach > AttributeDiscard || r.Reason != test.reason {
			t.Errorf("%s: %v, %v, want %v", test.name, u.Approach, r.String(), test.reason)
		}
		if got := u.Attributes.ASPath.String(); got != test.want {
			t.Errorf("%s: path %q, want %q", test.name, got, test.want)
		}
		if g := u.Attributes.Aggregator; u.Attributes.Has(AttrAggregator) && g != test.aggregator {
			t.Errorf("%s: aggregator %v, want %v", test.name, g, test.aggregator)
		}
	}
}

// What Negotiate makes of two OPENs.
func TestNegotiate(t *testing.T) {
	open := func(as uint32, id RouterID, c Capabilities) *Open {
		return &Open{AS: as, HoldTime: 90, ID: id, Capabilities: c}
	}
	all := opens[1].want.Capabilities
	ours := open(65000, 1, Capabilities{
		Families: Of(IPv4Unicast, IPv6Unicast), FourOctetAS: true, ExtendedMessage: true, EnhancedRefresh: true, RouteRefresh: true,
		ExtendedNextHop: Of(IPv4Unicast), AddPath: [NumFamilies]AddPath{AddPathReceive, AddPathSend}, HasRole: true, Role: RoleProvider,
	})
	s, r := Negotiate(ours, &opens[1].want, Expected{AS: 65536, RoleRequired: true})
	want := Session{
		External: true, FourOctetAS: true, ExtendedMessage: true, EnhancedRefresh: true, RouteRefresh: true,
		Families: Of(IPv4Unicast, IPv6Unicast), ReceivePaths: Of(IPv4Unicast), SendPaths: Of(IPv6Unicast),
		ExtendedNextHop: Of(IPv4Unicast), HoldTime: 90,
	}
	if !r.OK() || s != want {
		t.Errorf("%v, %+v, want %+v", r.String(), s, want)
	}
	if s.Longest() != MaxExtendedMessage || (&Session{}).Longest() != MaxMessage {
		t.Errorf("longest messages %d and %d", s.Longest(), (&Session{}).Longest())
	}
	if s, r := Negotiate(open(65000, 1, Capabilities{}), open(65000, 2, Capabilities{}), Expected{Internal: true}); !r.OK() || s != (Session{Families: Of(IPv4Unicast), HoldTime: 90}) {
		t.Errorf("without capabilities: %v, %+v", r.String(), s)
	}
	oneWay := func(a, b AddPath) Session {
		var x, y Capabilities
		x.AddPath[IPv4Unicast], y.AddPath[IPv4Unicast] = a, b
		s, _ := Negotiate(open(65000, 1, x), open(65001, 2, y), Expected{})
		return s
	}
	for _, test := range []struct {
		ours, theirs  AddPath
		receive, send bool
	}{{3, 3, true, true}, {1, 2, true, false}, {2, 1, false, true}, {1, 1, false, false}, {2, 2, false, false}, {3, 1, false, true}, {1, 3, true, false}, {0, 3, false, false}} {
		s := oneWay(test.ours, test.theirs)
		if s.ReceivePaths.Has(IPv4Unicast) != test.receive || s.SendPaths.Has(IPv4Unicast) != test.send {
			t.Errorf("several paths, ours %d, theirs %d: %+v", test.ours, test.theirs, s)
		}
	}
	onlyEVPN := Capabilities{Unknown: []Capability{{1, []byte{0, 25, 0, 70}}}}
	if s, _ := Negotiate(ours, open(65001, 2, onlyEVPN), Expected{}); s.Families != 0 {
		t.Errorf("families %v with a neighbour that has none of ours", s.Families)
	}
	for _, test := range []struct {
		name   string
		theirs *Open
		want   Expected
		reason Reason
	}{
		{"AS 0", open(0, 2, all), Expected{}, OpenAS},
		{"another AS", open(65001, 2, all), Expected{AS: 65002}, OpenAS},
		{"another AS where one's own is wanted", open(65001, 2, all), Expected{Internal: true}, OpenAS},
		{"one's own where another AS is wanted", open(65000, 2, all), Expected{External: true}, OpenAS},
		{"router ID 0", open(65001, 0, all), Expected{}, OpenIdentifier},
		{"one's own router ID in one's own AS", open(65000, 1, all), Expected{}, OpenIdentifier},
		{"one's own router ID in another AS", open(65001, 1, all), Expected{}, Accepted},
		{"hold time 2", &Open{AS: 65001, HoldTime: 2, ID: 2, Capabilities: all}, Expected{}, OpenHoldTime},
		{"hold time 1", &Open{AS: 65001, HoldTime: 1, ID: 2, Capabilities: all}, Expected{}, OpenHoldTime},
		{"a role that does not fit", open(65001, 2, Capabilities{HasRole: true, Role: RolePeer}), Expected{}, OpenRole},
		{"a role that there is not", open(65001, 2, Capabilities{HasRole: true, Role: 9}), Expected{}, OpenRole},
		{"no role", open(65001, 2, Capabilities{}), Expected{}, Accepted},
		{"no role where one is demanded", open(65001, 2, Capabilities{}), Expected{RoleRequired: true}, OpenRoleMissing},
		{"no role inside one's AS", open(65000, 2, Capabilities{}), Expected{RoleRequired: true}, Accepted},
	} {
		if _, r := Negotiate(ours, test.theirs, test.want); r.Reason != test.reason {
			t.Errorf("%s: %v, want %v", test.name, r.Reason, test.reason)
		}
	}
}

func TestDestination(t *testing.T) {
	for text, want := range map[string]bool{
		"0.0.0.0/0": true, "203.0.113.0/24": true, "0.0.0.0/8": false, "127.0.0.0/8": false, "224.0.0.0/4": false, "240.0.0.0/4": false,
		"::/0": true, "2001:db8::/32": true, "::1/128": false, "::/128": false, "ff00::/8": false, "fe80::/10": false,
	} {
		if got := Destination(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// An attribute of a wrong length is a fault at most, whatever its code.
func TestAttributesOfEveryLength(t *testing.T) {
	for code := range 256 {
		for _, flags := range []string{"40", "80", "c0", "e0"} {
			for n := range 41 {
				var u Update
				attribute := fmt.Sprintf("%s%02x%02x%s", flags, code, n, strings.Repeat("01", n))
				DecodeUpdate(body(t, "", base+attribute, prefix), &external, &u)
				u.Attributes.AppendSet(nil)
			}
		}
	}
}

// A path whose AS numbers have two octets may have no room in an attribute when they have
// four.
func TestPathsThatGrow(t *testing.T) {
	s := Session{External: true, ExtendedMessage: true, Families: Of(IPv4Unicast)}
	segment := "02ff" + strings.Repeat("fde9", 255)
	for _, c := range []struct {
		segments int
		want     Reason
	}{{1, Accepted}, {64, Accepted}, {65, PathRoom}, {127, PathRoom}} {
		n := 512 * c.segments
		var u Update
		DecodeUpdate(body(t, "", origin+fmt.Sprintf("5002%04x", n)+strings.Repeat(segment, c.segments)+nextHop, prefix), &s, &u)
		if got := u.Strongest().Reason; got != c.want || c.want != Accepted && u.Approach != TreatAsWithdraw {
			t.Errorf("%d segments: %v, %v; want %v", c.segments, got, u.Approach, c.want)
		}
		if u.Approach != Accept {
			continue
		}
		var a Attributes
		u.Attributes.AppendSet(nil).Read(&a)
		if a.ASPath.Length() != 255*c.segments {
			t.Errorf("%d segments: the set has a path of %d", c.segments, a.ASPath.Length())
		}
	}
}
