package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/acl"
)

// Each type of ICMPv6 is in the classes that RFC 4890 §4.3 and §4.4 put it in, and
// in no other.
func TestReadyICMP6(t *testing.T) {
	// T and t: must and normally should not be dropped in transit; L and l: the same
	// to the router itself.
	classes := map[acl.ICMPType]string{
		{Type: 1}: "TL", {Type: 1, Code: 6}: "TL", {Type: 2}: "TL", {Type: 3}: "TL", {Type: 3, Code: 1}: "tl",
		{Type: 4}: "tl", {Type: 4, Code: 1}: "TL", {Type: 4, Code: 2}: "TL", {Type: 4, Code: 3}: "",
		{Type: 128}: "TL", {Type: 129}: "TL",
		{Type: 130}: "L", {Type: 131}: "L", {Type: 132}: "L", {Type: 143}: "L",
		{Type: 133}: "L", {Type: 134}: "L", {Type: 135}: "L", {Type: 136}: "L", {Type: 141}: "L", {Type: 142}: "L",
		{Type: 144}: "t", {Type: 145}: "t", {Type: 146}: "t", {Type: 147}: "t",
		{Type: 148}: "L", {Type: 149}: "L", {Type: 151}: "L", {Type: 152}: "L", {Type: 153}: "L",
		// §4.3.3 to §4.3.5, §4.4.3 to §4.4.5: redirects, renumbering, node information,
		// experiments, and what was unassigned.
		{Type: 137}: "", {Type: 138}: "", {Type: 139}: "", {Type: 140}: "", {Type: 150}: "", {Type: 100}: "", {Type: 101}: "",
		{Type: 127}: "", {Type: 200}: "", {Type: 201}: "", {Type: 255}: "", {Type: 5}: "", {Type: 0}: "", {Type: 154}: "",
	}
	for letter, word := range map[string]string{"T": "transit-must-pass", "t": "transit-should-pass", "L": "local-must-pass", "l": "local-should-pass"} {
		list := readyICMP6[word]
		for m, in := range classes {
			got := slices.ContainsFunc(list, func(x acl.ICMPType) bool { return x.Type == m.Type && (x.All || x.Code == m.Code) })
			if want := strings.Contains(in, letter); got != want {
				t.Errorf("%s has type %d code %d: %v, want %v", word, m.Type, m.Code, got, want)
			}
		}
		for i, x := range list {
			if slices.Contains(list[:i], x) {
				t.Errorf("%s has %+v twice", word, x)
			}
		}
	}
}

// Each block of the registries is in or out as it says, at both of its ends.
func TestBogons(t *testing.T) {
	set, ok := readySet("bogons")
	if !ok {
		t.Fatal("there is no ready set bogons")
	}
	has := func(set acl.Set, a string) bool {
		return slices.ContainsFunc(set.Prefixes, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(a)) })
	}
	for _, p := range set.Prefixes {
		if p.Masked() != p {
			t.Errorf("%v has bits set behind its length", p)
		}
	}
	for list, want := range map[string]bool{
		`0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.0 169.254.255.255
		172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.7 192.0.0.8 192.0.0.11 192.0.0.170 192.0.0.171 192.0.0.255 192.0.2.0 192.0.2.255
		192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 240.0.0.0 255.255.255.255
		:: ::1 64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 100:: 100::ffff:ffff:ffff:ffff 100:0:0:1:: 2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff
		2001:40:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff
		5f00:: 5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff`: true,
		`1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0 192.0.0.9 192.0.0.10 192.0.1.0
		192.0.3.0 192.31.196.1 192.52.193.1 192.88.99.1 192.167.255.255 192.169.0.0 192.175.48.1 198.17.255.255 198.20.0.0 198.51.101.0 203.0.112.255
		64:ff9b::1 64:ff9b:2:: 100:0:0:2:: 2001::1 2001:1::1 2001:1::2 2001:1::3 2001:3::1 2001:4:112::1 2001:20::1 2001:30::1 2001:200:: 2001:db9::
		2002::1 2620:4f:8000::1 2a00::1 3fff:1000:: 5f01:: fbff:: 2606:4700::1111`: false,
	} {
		for _, a := range strings.Fields(list) {
			if has(set, a) != want {
				t.Errorf("bogons has %s: %v, want %v", a, !want, want)
			}
		}
	}
	documentation, _ := readySet("documentation")
	for _, p := range documentation.Prefixes {
		if !slices.Contains(set.Prefixes, p) {
			t.Errorf("documentation has %v, and bogons does not", p)
		}
	}
}

// A rule finds a ready set where the configuration has none of the name; its own
// is preferred.
func TestReadySetInRule(t *testing.T) {
	const rule = "[interface.lan0]\nkind = \"tun\"\naddresses = [\"192.0.2.1/24\"]\nacl-in = \"in\"\n[acl.in]\n[[acl.in.rule]]\nname = \"a\"\nsource-set = \"bogons\"\naction = \"drop\"\n[[acl.in.rule]]\nname = \"b\"\nprotocol = \"icmpv6\"\nicmp-type = [\"transit-must-pass\", 138]\naction = \"accept\"\n"
	for _, c := range []struct {
		text string
		want int
	}{{"", len(readySets["bogons"])}, {"[policy.prefix-set]\nbogons = \"192.0.2.0/24\"\n", 1}} {
		cfg, problems := Parse("r.toml", []byte(strings.Replace(rule, ", 138", ", \"138\"", 1)+c.text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if len(cfg.ACL.Sets) != 1 || len(cfg.ACL.Sets[0].Prefixes) != c.want {
			t.Errorf("%q: sets %v, want one of %d prefixes", c.text, cfg.ACL.Sets, c.want)
		}
		if n := len(cfg.ACL.Lists[0].Rules[1].ICMP); n != 8 {
			t.Errorf("the rule has %d types of ICMPv6, want 8", n)
		}
	}
	for _, text := range []string{strings.Replace(rule, "\"bogons\"", "\"bogonz\"", 1), strings.Replace(strings.Replace(rule, "icmpv6", "icmp", 1), ", 138", "", 1)} {
		if _, problems := Parse("r.toml", []byte(text)); !Failed(problems) {
			t.Errorf("accepted:\n%s", text)
		}
	}
}
