package bgp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"routerd/routing/bgp/wire"
)

func communities(list ...wire.Community) func(*wire.Attributes) {
	return func(a *wire.Attributes) {
		for _, c := range list {
			a.Communities = binary.BigEndian.AppendUint32(a.Communities, uint32(c))
		}
		a.Set(wire.AttrCommunities)
	}
}

func otc(as uint32) func(*wire.Attributes) {
	return func(a *wire.Attributes) { a.OTC = as; a.Set(wire.AttrOTC) }
}

func reflected(originator wire.RouterID, clusters ...byte) func(*wire.Attributes) {
	return func(a *wire.Attributes) {
		a.OriginatorID = originator
		a.Set(wire.AttrOriginatorID)
		for _, c := range clusters {
			a.ClusterList = append(a.ClusterList, 0, 0, 0, c)
		}
		a.Set(wire.AttrClusterList)
	}
}

// read gives attributes as they come out of the table.
func read(t fatal, path string, change func(*wire.Attributes)) wire.Attributes {
	var table AttributeTable
	var a wire.Attributes
	attributesOf(t, &table, path, change).Octets().Read(&a)
	return a
}

func TestTake(t *testing.T) {
	external := Terms{OwnAS: 65000, OwnID: 1, AS: 65001, External: true}
	internal := Terms{OwnAS: 65000, OwnID: 1, AS: 65000}
	role := func(r wire.Role) Terms { t := external; t.HasRole, t.Role = true, r; return t }
	with := func(t Terms, change func(*Terms)) Terms { change(&t); return t }
	for _, test := range []struct {
		name   string
		terms  Terms
		path   string
		change func(*wire.Attributes)
		want   Denial
		after  string // the path
		otc    uint32
	}{
		{"from another AS", external, "65001 7", nil, Permitted, "65001 7", 0},
		{"a loop", external, "65001 65000 7", nil, OwnASInPath, "", 0},
		{"a loop in a set", external, "65001 {7,65000}", nil, OwnASInPath, "", 0},
		{"a loop inside the AS", internal, "65001 65000", nil, OwnASInPath, "", 0},
		{"as often as allowed", with(external, func(t *Terms) { t.AllowOwnAS = 2 }), "65001 65000 65000", nil, Permitted, "65001 65000 65000", 0},
		{"more often", with(external, func(t *Terms) { t.AllowOwnAS = 1 }), "65001 65000 65000", nil, OwnASInPath, "", 0},
		{"one's own, reflected", internal, "7", reflected(1, 9), OwnOriginator, "", 0},
		{"one's own cluster", internal, "7", reflected(2, 9, 1), OwnCluster, "", 0},
		{"one's own cluster, configured", with(internal, func(t *Terms) { t.ClusterID = 9 }), "7", reflected(2, 9), OwnCluster, "", 0},
		{"another cluster", internal, "7", reflected(2, 9), Permitted, "7", 0},
		{"OTC from a customer", role(wire.RoleProvider), "65001", otc(65001), RouteLeak, "", 0},
		{"OTC from a client of the route server", role(wire.RoleRS), "65001", otc(65001), RouteLeak, "", 0},
		{"OTC of a peer", role(wire.RolePeer), "65001", otc(65001), Permitted, "65001", 65001},
		{"OTC of another AS from a peer", role(wire.RolePeer), "65001", otc(65009), RouteLeak, "", 0},
		{"OTC from a provider", role(wire.RoleCustomer), "65001", otc(65009), Permitted, "65001", 65009},
		{"no OTC from a provider", role(wire.RoleCustomer), "65001", nil, Permitted, "65001", 65001},
		{"no OTC from a peer", role(wire.RolePeer), "65001", nil, Permitted, "65001", 65001},
		{"no OTC from a route server", role(wire.RoleRSClient), "65001", nil, Permitted, "65001", 65001},
		{"no OTC from a customer", role(wire.RoleProvider), "65001", nil, Permitted, "65001", 0},
		{"local AS", with(external, func(t *Terms) { t.LocalAS = 64999 }), "65001 7", nil, Permitted, "64999 65001 7", 0},
		{"local AS, not before paths", with(external, func(t *Terms) { t.LocalAS, t.LocalASNoPrepend = 64999, true }), "65001 7", nil, Permitted, "65001 7", 0},
	} {
		a := read(t, test.path, test.change)
		got, _ := test.terms.Take(&a, nil)
		if got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if got == Permitted && (a.ASPath.String() != test.after || a.Has(wire.AttrOTC) != (test.otc != 0) || a.OTC != test.otc) {
			t.Errorf("%s: path %q, OTC %d; want %q and %d", test.name, a.ASPath, a.OTC, test.after, test.otc)
		}
	}
	a := read(t, "65001", communities(wire.GracefulShutdown))
	external.Take(&a, nil)
	if !a.Has(wire.AttrLocalPref) || a.LocalPref != 0 {
		t.Errorf("local preference %d of a neighbour that is about to go, want 0", a.LocalPref)
	}
}

func TestPermit(t *testing.T) {
	external := Terms{OwnAS: 65000, OwnID: 1, AS: 65001, External: true}
	internal := Terms{OwnAS: 65000, OwnID: 1, AS: 65000}
	client, server, role, longLived := internal, external, external, external
	client.Client, server.ServerClient, longLived.LongLived = true, true, true
	role.HasRole = true
	as := func(r wire.Role) *Terms { t := role; t.Role = r; return &t }
	for _, test := range []struct {
		name     string
		from, to *Terms
		change   func(*wire.Attributes)
		want     Denial
	}{
		{"from another AS to one's own", &external, &internal, nil, Permitted},
		{"from one's AS to another", &internal, &external, nil, Permitted},
		{"between two of one's AS", &internal, &internal, nil, NotReflected},
		{"from a client", &client, &internal, nil, Permitted},
		{"to a client", &internal, &client, nil, Permitted},
		{"between clients", &client, &client, nil, Permitted},
		{"one's own", nil, &internal, nil, Permitted},
		{"no-advertise", nil, &internal, communities(wire.NoAdvertise), NoAdvertise},
		{"no-export", nil, &external, communities(1, wire.NoExport), NoExport},
		{"no-export inside the AS", nil, &internal, communities(wire.NoExport), Permitted},
		{"local-as", nil, &external, communities(wire.NoExportSubconfed), NoExport},
		{"no-export through a route server", &server, &server, communities(wire.NoExport), Permitted},
		{"OTC to a provider", nil, as(wire.RoleCustomer), otc(7), OnlyToCustomer},
		{"OTC to a peer", nil, as(wire.RolePeer), otc(7), OnlyToCustomer},
		{"OTC to a route server", nil, as(wire.RoleRSClient), otc(7), OnlyToCustomer},
		{"OTC to a customer", nil, as(wire.RoleProvider), otc(7), Permitted},
		{"OTC without roles", nil, &external, otc(7), Permitted},
		{"stale", nil, &external, communities(wire.LLGRStale), StaleRoute},
		{"stale, to one who keeps such", nil, &longLived, communities(wire.LLGRStale), Permitted},
	} {
		a := read(t, "7", test.change)
		if got := test.to.Permit(&a, test.from); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestGive(t *testing.T) {
	external := Terms{OwnAS: 65000, OwnID: 1, AS: 65001, External: true}
	internal := Terms{OwnAS: 65000, OwnID: 1, AS: 65000}
	with := func(t Terms, change func(*Terms)) *Terms { change(&t); return &t }
	all := func(a *wire.Attributes) {
		localPref(200)(a)
		med(7)(a)
		reflected(3, 8)(a)
		a.Extended = octets8(0x0002fde800000007, 0x4300000000000001)
		a.Set(wire.AttrExtended)
	}
	long := strings.TrimSpace(strings.Repeat("7 ", 255))
	for _, test := range []struct {
		name string
		to   *Terms
		sent Sent
		path string
		want string // what describe says
	}{
		{"to another AS", &external, Sent{From: &internal}, "7 8", "path 65000 7 8, rt 1"},
		{"one's own", &external, Sent{}, "", "path 65000, MED 7, rt 1"},
		{"a MED by policy", &external, Sent{From: &external, MEDSet: true}, "7", "path 65000 7, MED 7, rt 1"},
		{"to one's AS", &internal, Sent{From: &external}, "65001", "path 65001, local-pref 200, MED 7, originator 0.0.0.3, clusters 1, rt 2"},
		{"reflected", with(internal, func(t *Terms) { t.ClusterID = 5 }), Sent{From: &internal, RouterID: 9}, "7", "path 7, local-pref 200, MED 7, originator 0.0.0.3, clusters 2, rt 2"},
		{"route server", with(external, func(t *Terms) { t.ServerClient = true }), Sent{From: &external}, "7", "path 7, MED 7, rt 2"},
		{"local AS", with(external, func(t *Terms) { t.LocalAS = 64999 }), Sent{From: &internal}, "7", "path 64999 65000 7, rt 1"},
		{"local AS alone", with(external, func(t *Terms) { t.LocalAS, t.LocalASReplace = 64999, true }), Sent{From: &internal}, "7", "path 64999 7, rt 1"},
		{"override", with(external, func(t *Terms) { t.ASOverride = true }), Sent{From: &external}, "65002 65001 65001", "path 65000 65002 65000 65000, rt 1"},
		{"private ones, if all are", with(external, func(t *Terms) { t.RemovePrivate = RemoveIfAll }), Sent{From: &internal}, "64512 64513", "path 65000, rt 1"},
		{"private ones, if all are, which they are not", with(external, func(t *Terms) { t.RemovePrivate = RemoveIfAll }), Sent{From: &internal}, "64512 7", "path 65000 64512 7, rt 1"},
		{"private ones", with(external, func(t *Terms) { t.RemovePrivate = RemoveAll }), Sent{From: &internal}, "64512 7 {64513} {64514,8}", "path 65000 7 {8}, rt 1"},
		{"private ones but the neighbour's", with(external, func(t *Terms) { t.RemovePrivate = RemoveAll }), Sent{From: &internal}, "64512 65001", "path 65000 65001, rt 1"},
		{"private ones replaced", with(external, func(t *Terms) { t.RemovePrivate = ReplacePrivates }), Sent{From: &internal}, "4200000000 7", "path 65000 65000 7, rt 1"},
		{"to a customer", with(external, func(t *Terms) { t.HasRole, t.Role = true, wire.RoleProvider }), Sent{From: &internal}, "7", "path 65000 7, rt 1, OTC 65000"},
		{"to a peer, with a local AS", with(external, func(t *Terms) { t.HasRole, t.Role, t.LocalAS = true, wire.RolePeer, 64999 }), Sent{From: &internal}, "7", "path 64999 65000 7, rt 1, OTC 64999"},
		{"to a provider", with(external, func(t *Terms) { t.HasRole, t.Role = true, wire.RoleCustomer }), Sent{From: &internal}, "7", "path 65000 7, rt 1"},
		{"a full segment", &external, Sent{From: &internal}, strings.Join(slices.Repeat([]string{"7"}, 255), " "), "path 65000 " + long + ", rt 1"},
	} {
		a := read(t, test.path, all)
		test.to.Give(&a, test.sent, nil)
		if got := describe(&a); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		// What a neighbour gets has to be a message.
		var again wire.Attributes
		a.AppendSet(nil).Read(&again)
		if describe(&again) != test.want {
			t.Errorf("%s: read again %s", test.name, describe(&again))
		}
	}
	// What there was not.
	a := read(t, "7", nil)
	internal.Give(&a, Sent{From: &internal, RouterID: 9}, nil)
	if got, want := describe(&a), "path 7, local-pref 100, originator 0.0.0.9, clusters 1"; got != want || a.ClusterList.At(0) != 1 {
		t.Errorf("reflected for the first time: %s, want %s", got, want)
	}
	a = read(t, "7", func(a *wire.Attributes) { a.Extended = octets8(0x4300000000000001); a.Set(wire.AttrExtended) })
	external.Give(&a, Sent{}, nil)
	if got, want := describe(&a), "path 65000 7"; got != want {
		t.Errorf("with a community that stays: %s, want %s", got, want)
	}
}

func octets8(list ...uint64) (b []byte) {
	for _, c := range list {
		b = binary.BigEndian.AppendUint64(b, c)
	}
	return b
}

// describe says what matters here.
func describe(a *wire.Attributes) string {
	list := []string{"path " + a.ASPath.String()}
	if len(a.ASPath) == 0 {
		list[0] = "path"
	}
	add := func(code wire.Attribute, text string) {
		if a.Has(code) {
			list = append(list, text)
		}
	}
	number := func(n int) string { return string(rune('0' + n)) }
	add(wire.AttrLocalPref, "local-pref "+map[uint32]string{100: "100", 200: "200"}[a.LocalPref])
	add(wire.AttrMED, "MED "+number(int(a.MED)))
	add(wire.AttrOriginatorID, "originator "+a.OriginatorID.String())
	add(wire.AttrClusterList, "clusters "+number(a.ClusterList.Len()))
	add(wire.AttrExtended, "rt "+number(a.Extended.Len()))
	add(wire.AttrOTC, "OTC "+map[uint32]string{65000: "65000", 64999: "64999"}[a.OTC])
	return strings.Join(list, ", ")
}

func TestPrivate(t *testing.T) {
	for as, want := range map[uint32]bool{
		64511: false, 64512: true, 65534: true, 65535: false, 4199999999: false, 4200000000: true, 4294967294: true, 4294967295: false,
	} {
		if Private(as) != want {
			t.Errorf("AS %d: private %v", as, !want)
		}
	}
}

func TestDenialWords(t *testing.T) {
	seen := map[string]bool{}
	for d := range numDenials {
		if d.String() == "" || d.Words() == "" || seen[d.String()] || seen[d.Words()] && d != Permitted {
			t.Errorf("words %q, %q", d, d.Words())
		}
		seen[d.String()], seen[d.Words()] = true, true
	}
}

// What a neighbour is sent is made in room that is used again, without an allocation.
func TestTermsAllocate(t *testing.T) {
	terms := Terms{OwnAS: 65000, OwnID: 1, AS: 65001, External: true, LocalAS: 64999, RemovePrivate: RemoveAll}
	from := Terms{OwnAS: 65000, OwnID: 1, AS: 65002, External: true}
	var table AttributeTable
	set := attributesOf(t, &table, "64512 7 8", med(7)).Octets()
	var a wire.Attributes
	var room []byte
	if n := testing.AllocsPerRun(100, func() {
		set.Read(&a)
		_, room = from.Take(&a, room[:0])
		if terms.Permit(&a, &from) != Permitted {
			t.Fatal("not permitted")
		}
		room = terms.Give(&a, Sent{From: &from}, room)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
