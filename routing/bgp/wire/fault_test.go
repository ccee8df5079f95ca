package wire

import (
	"bytes"
	"testing"
)

// Every fault of RFC 7606 and of the RFCs of the attributes: what becomes of the
// message, and what a NOTIFICATION would say.
func TestFaults(t *testing.T) {
	const mp = "800e" // MP_REACH_NLRI
	ibgp := func(s Session) Session { s.External = false; return s }
	first := func(as uint32) Session { s := external; s.FirstAS = as; return s }
	const local = base + "400504 00000064"
	for _, test := range []struct {
		name        string
		session     Session
		attrs, nlri string
		reason      Reason
		approach    Approach
		subcode     uint8
		data        string
	}{
		// ORIGIN (§7.1).
		{"origin of two octets", external, "400102 0000" + path + nextHop, prefix, AttributeLength, TreatAsWithdraw, 5, "400102 0000"},
		{"empty origin", external, "400100" + path + nextHop, prefix, AttributeLength, TreatAsWithdraw, 5, "400100"},
		{"origin 3", external, "400101 03" + path + nextHop, prefix, OriginValue, TreatAsWithdraw, 6, "400101 03"},
		{"optional origin", external, "c00101 00" + path + nextHop, prefix, AttributeFlags, TreatAsWithdraw, 4, "c00101 00"},
		// AS_PATH (§7.2; RFC 7607; RFC 9774; RFC 5065).
		{"segment of type 0", external, origin + "400206 0001 0000fde9" + nextHop, prefix, PathSegment, TreatAsWithdraw, 11, "400206 0001 0000fde9"},
		{"segment of type 5", external, origin + "400206 0501 0000fde9" + nextHop, prefix, PathSegment, TreatAsWithdraw, 11, "400206 0501 0000fde9"},
		{"segment without an AS", external, origin + "400202 0200" + nextHop, prefix, PathSegment, TreatAsWithdraw, 11, "400202 0200"},
		{"segment beyond the path", external, origin + "400206 0202 0000fde9" + nextHop, prefix, PathLength, TreatAsWithdraw, 11, "400206 0202 0000fde9"},
		{"an octet behind the path", external, origin + "400207 0201 0000fde9 02" + nextHop, prefix, PathLength, TreatAsWithdraw, 11, "400207 0201 0000fde9 02"},
		{"numbers of two octets", external, origin + "400204 0201 fde9" + nextHop, prefix, PathLength, TreatAsWithdraw, 11, "400204 0201 fde9"},
		{"numbers of four octets", old, base, prefix, PathSegment, TreatAsWithdraw, 11, path},
		{"AS 0", external, origin + "40020a 0202 0000fde9 00000000" + nextHop, prefix, ASZero, TreatAsWithdraw, 11, "40020a 0202 0000fde9 00000000"},
		{"AS 0 of two octets", old, origin + "400206 0202 fde9 0000" + nextHop, prefix, ASZero, TreatAsWithdraw, 11, "400206 0202 fde9 0000"},
		{"AS_SET", external, origin + "40020c 0201 0000fde9 0101 0000fdea" + nextHop, prefix, ASSet, TreatAsWithdraw, 11, ""},
		{"AS_CONFED_SET", external, origin + "40020c 0401 0000fde9 0201 0000fdea" + nextHop, prefix, ASSet, TreatAsWithdraw, 11, ""},
		{"AS_CONFED_SEQUENCE", external, origin + "40020c 0301 0000fde9 0201 0000fdea" + nextHop, prefix, ASConfed, TreatAsWithdraw, 11, ""},
		{"another first AS", first(65002), base, prefix, FirstAS, TreatAsWithdraw, 11, ""},
		{"an empty path from another AS", first(65002), origin + "400200" + nextHop, prefix, FirstAS, TreatAsWithdraw, 11, ""},
		{"the right first AS", first(65001), base, prefix, Accepted, Accept, 0, ""},
		{"optional path", external, origin + "c00206 0201 0000fde9" + nextHop, prefix, AttributeFlags, TreatAsWithdraw, 4, "c00206 0201 0000fde9"},
		// NEXT_HOP (§7.3).
		{"next hop of 16 octets", external, origin + path + "400310 20010db8000000000000000000000001", prefix, AttributeLength, TreatAsWithdraw, 5, "400310 20010db8000000000000000000000001"},
		{"next hop 0.0.0.0", external, origin + path + "400304 00000000", prefix, NextHopAddress, TreatAsWithdraw, 8, "400304 00000000"},
		{"next hop 127.0.0.1", external, origin + path + "400304 7f000001", prefix, NextHopAddress, TreatAsWithdraw, 8, "400304 7f000001"},
		{"next hop 224.0.0.5", external, origin + path + "400304 e0000005", prefix, NextHopAddress, TreatAsWithdraw, 8, "400304 e0000005"},
		{"next hop 255.255.255.255", external, origin + path + "400304 ffffffff", prefix, NextHopAddress, TreatAsWithdraw, 8, "400304 ffffffff"},
		// MULTI_EXIT_DISC (§7.4).
		{"MED of two octets", external, base + "800402 0001", prefix, AttributeLength, TreatAsWithdraw, 5, "800402 0001"},
		{"transitive MED", external, base + "c00404 00000001", prefix, AttributeFlags, TreatAsWithdraw, 4, "c00404 00000001"},
		// LOCAL_PREF (§7.5), ORIGINATOR_ID (§7.9), CLUSTER_LIST (§7.10).
		{"local preference from another AS", external, local, prefix, NotExternal, AttributeDiscard, 9, "400504 00000064"},
		{"malformed local preference from another AS", external, base + "800501 64", prefix, NotExternal, AttributeDiscard, 9, "800501 64"},
		{"malformed local preference", internal, base + "400501 64", prefix, AttributeLength, TreatAsWithdraw, 5, "400501 64"},
		{"originator from another AS", external, base + "800904 0a000001", prefix, NotExternal, AttributeDiscard, 9, "800904 0a000001"},
		{"malformed originator", internal, local + "800903 0a0000", prefix, AttributeLength, TreatAsWithdraw, 5, "800903 0a0000"},
		{"clusters from another AS", external, base + "800a04 0a000001", prefix, NotExternal, AttributeDiscard, 9, "800a04 0a000001"},
		{"malformed clusters", internal, local + "800a05 0a00000100", prefix, AttributeLength, TreatAsWithdraw, 5, "800a05 0a00000100"},
		{"no clusters", internal, local + "800a00", prefix, AttributeLength, TreatAsWithdraw, 5, "800a00"},
		// ATOMIC_AGGREGATE (§7.6), AGGREGATOR (§7.7; RFC 7607).
		{"atomic aggregate with a value", external, base + "400601 00", prefix, AttributeLength, AttributeDiscard, 5, "400601 00"},
		{"optional atomic aggregate", external, base + "c00600", prefix, AttributeFlags, AttributeDiscard, 4, "c00600"},
		{"aggregator of six octets", external, base + "c00706 fde9 0a000001", prefix, AttributeLength, AttributeDiscard, 5, "c00706 fde9 0a000001"},
		{"aggregator of eight octets", old, origin + "400204 0201 fde9" + nextHop + "c00708 0000fde9 0a000001", prefix, AttributeLength, AttributeDiscard, 5, "c00708 0000fde9 0a000001"},
		{"aggregator of AS 0", external, base + "c00708 00000000 0a000001", prefix, ASZero, AttributeDiscard, 11, "c00708 00000000 0a000001"},
		{"aggregator, not transitive", external, base + "800708 0000fde9 0a000001", prefix, AttributeFlags, AttributeDiscard, 4, "800708 0000fde9 0a000001"},
		// Communities (§7.8, §7.14, §7.15; RFC 8092 §6).
		{"communities of three octets", external, base + "c00803 000001", prefix, AttributeLength, TreatAsWithdraw, 5, "c00803 000001"},
		{"no communities", external, base + "c00800", prefix, AttributeLength, TreatAsWithdraw, 5, "c00800"},
		{"communities, not transitive", external, base + "800804 00000001", prefix, AttributeFlags, TreatAsWithdraw, 4, "800804 00000001"},
		{"extended communities of nine octets", external, base + "c01009 000200000000000000", prefix, AttributeLength, TreatAsWithdraw, 5, "c01009 000200000000000000"},
		{"no extended communities", external, base + "c01000", prefix, AttributeLength, TreatAsWithdraw, 5, "c01000"},
		{"IPv6 extended communities of eight octets", external, base + "c01908 0000000000000000", prefix, AttributeLength, TreatAsWithdraw, 5, "c01908 0000000000000000"},
		{"large communities of eight octets", external, base + "c02008 0000000100000002", prefix, AttributeLength, TreatAsWithdraw, 5, "c02008 0000000100000002"},
		{"no large communities", external, base + "c02000", prefix, AttributeLength, TreatAsWithdraw, 5, "c02000"},
		// OTC (RFC 9234 §5).
		{"OTC of two octets", external, base + "c02302 fde9", prefix, AttributeLength, TreatAsWithdraw, 5, "c02302 fde9"},
		// AS4_PATH, AS4_AGGREGATOR (RFC 6793 §6).
		{"AS4_PATH between new speakers", external, base + "c01106 0201 0000fde9", prefix, NotNew, AttributeDiscard, 9, "c01106 0201 0000fde9"},
		{"AS4_AGGREGATOR between new speakers", external, base + "c01208 0000fde9 0a000001", prefix, NotNew, AttributeDiscard, 9, "c01208 0000fde9 0a000001"},
		// MP_REACH_NLRI, MP_UNREACH_NLRI (§7.11, §7.12, §5.3).
		{"MP_REACH_NLRI of four octets", external, mp + "04 0002 01 00" + base, prefix, AttributeLength, SessionReset, 5, mp + "04 0002 01 00"},
		{"transitive MP_REACH_NLRI", external, "c00e1e" + reach6[6:] + origin + path, "", AttributeFlags, SessionReset, 4, "c00e1e" + reach6[6:]},
		{"MP_REACH_NLRI of a family not agreed on", external, base + mp + "05 0019 46 00 00", prefix, FamilyUnasked, AttributeDiscard, 9, mp + "05 0019 46 00 00"},
		{"IPv6 next hop of four octets", external, mp + "09 0002 01 04 0a000001 00" + base, prefix, NextHopLength, DisableFamily, 9, mp + "09 0002 01 04 0a000001 00"},
		{"IPv4 with an IPv6 next hop, not agreed on", external, mp + "15 0001 01 10 20010db8000000000000000000000001 00" + base, prefix, NextHopLength, DisableFamily, 9, mp + "15 0001 01 10 20010db8000000000000000000000001 00"},
		{"next hop beyond the attribute", external, mp + "09 0002 01 10 0a000001 00" + base, prefix, NextHopLength, DisableFamily, 9, mp + "09 0002 01 10 0a000001 00"},
		{"IPv6 prefix of 129 bits", external, mp + "16 0002 01 10 20010db8000000000000000000000001 00 81" + origin + path, "", NLRILength, DisableFamily, 10, mp + "16 0002 01 10 20010db8000000000000000000000001 00 81"},
		{"IPv6 prefix cut", external, mp + "17 0002 01 10 20010db8000000000000000000000001 00 40 20" + origin + path, "", NLRILength, DisableFamily, 10, mp + "17 0002 01 10 20010db8000000000000000000000001 00 40 20"},
		{"IPv6 next hop ::", external, mp + "16 0002 01 10 00000000000000000000000000000000 00 00" + origin + path, "", NextHopAddress, TreatAsWithdraw, 8, mp + "16 0002 01 10 00000000000000000000000000000000 00 00"},
		{"MP_UNREACH_NLRI of two octets", external, "800f02 0002", "", AttributeLength, SessionReset, 5, "800f02 0002"},
		{"IPv6 withdrawn, of 129 bits", external, "800f04 0002 01 81", "", NLRILength, DisableFamily, 10, "800f04 0002 01 81"},
		{"withdrawn of a family not agreed on", external, "800f03 0019 46", "", FamilyUnasked, AttributeDiscard, 9, "800f03 0019 46"},
		// Attributes as a whole (§3 (c), (d), (g), §4).
		{"unknown and well-known", external, base + "40fa00", prefix, UnknownWellKnown, SessionReset, 2, "40fa00"},
		{"a second origin", external, base + "400101 01", prefix, AttributeTwice, AttributeDiscard, 1, "400101 01"},
		{"a second unknown one", external, base + "c0fa00 c0fa00", prefix, AttributeTwice, AttributeDiscard, 1, "c0fa00"},
		{"a second MP_UNREACH_NLRI", external, "800f03 0002 01 800f03 0002 01", "", AttributeTwice, SessionReset, 1, ""},
		{"no origin", external, path + nextHop, prefix, MissingAttribute, TreatAsWithdraw, 3, "01"},
		{"no path", external, origin + nextHop, prefix, MissingAttribute, TreatAsWithdraw, 3, "02"},
		{"no next hop", external, origin + path, prefix, MissingAttribute, TreatAsWithdraw, 3, "03"},
		{"no local preference in one's AS", internal, base, prefix, MissingAttribute, TreatAsWithdraw, 3, "05"},
		{"no next hop is missed with MP_REACH_NLRI", external, reach6 + origin + path, "", Accepted, Accept, 0, ""},
		{"an attribute beyond the attributes", external, base + "c00805 00000001", prefix, AttributesLength, TreatAsWithdraw, 1, ""},
		{"MP_REACH_NLRI beyond the attributes", external, base + mp + "20 0002", prefix, AttributesLength, SessionReset, 1, ""},
		{"two octets of an attribute", external, base + "c008", prefix, AttributesLength, TreatAsWithdraw, 1, ""},
		{"three octets of a long attribute", external, base + "d00800", prefix, AttributesLength, TreatAsWithdraw, 1, ""},
		// NLRI (§5.3).
		{"prefix of 33 bits", external, base, "21 cb00710000", NLRILength, SessionReset, 10, ""},
		{"prefix cut", external, base, "18 cb00", NLRILength, SessionReset, 10, ""},
		// Reset where no prefix was found (§5.2).
		{"a fault and no prefix", external, "400101 03" + path + nextHop, "", OriginValue, SessionReset, 6, "400101 03"},
		{"an attribute cut, and no prefix", external, "4001", "", AttributesLength, SessionReset, 1, ""},
		{"a mild fault and no prefix", external, base + "400601 00", "", AttributeLength, AttributeDiscard, 5, "400601 00"},
		// Several: the strongest counts (§3 (h)).
		{"a mild and a strong fault", external, "400601 00 400101 03" + path + nextHop, prefix, OriginValue, TreatAsWithdraw, 6, "400101 03"},
		{"inside one's AS as outside", ibgp(first(65002)), local, prefix, Accepted, Accept, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var u Update
			DecodeUpdate(body(t, "", test.attrs, test.nlri), &test.session, &u)
			r := u.Strongest()
			if r.Reason != test.reason || u.Approach != test.approach {
				t.Fatalf("%v: %v, want %v: %v", u.Approach, r.String(), test.approach, test.reason)
			}
			if test.approach == Accept {
				return
			}
			if n := r.Notification(); n.Code != CodeUpdate || n.Subcode != test.subcode || !bytes.Equal(n.Data, octets(t, test.data)) {
				t.Errorf("notification %v with %x, want subcode %d with %s", n, n.Data, test.subcode, test.data)
			}
			if test.approach == AttributeDiscard && u.Attributes.Has(r.Attribute) && r.Reason != AttributeTwice {
				t.Errorf("%v is still there", r.Attribute)
			}
			if test.approach == TreatAsWithdraw && !u.reaches() {
				t.Error("there is nothing to withdraw")
			}
		})
	}
	for name, raw := range map[string]string{"withdrawn routes beyond the message": "0005 0000 00", "attributes beyond the message": "0000 0004 400101"} {
		var u Update
		DecodeUpdate(octets(t, raw), &external, &u)
		if r := u.Strongest(); r.Reason != UpdateLength || u.Approach != SessionReset || r.Notification().Subcode != UpdateMalformedList {
			t.Errorf("%s: %v, %v", name, u.Approach, r.String())
		}
	}
	var u Update
	DecodeUpdate(body(t, "21 0a00000000", "", ""), &external, &u)
	if r := u.Strongest(); r.Reason != NLRILength || u.Approach != SessionReset {
		t.Errorf("withdrawn prefix of 33 bits: %v, %v", u.Approach, r.String())
	}
}
