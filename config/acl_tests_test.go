package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/acltest"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

func TestFilterTests(t *testing.T) {
	got, problems := ParseFilterTests("t.toml", []byte(`config = "gw.toml"
node = "gw"
[[static.route]]
prefix = "0.0.0.0/0"
next-hop = "192.0.2.1"
[[test]]
name = "one"
inbound-interface = "lan0"
source = "10.0.1.2"
destination = "192.0.2.9"
protocol = "tcp"
destination-port = 80
tcp-flags = ["syn", "ece"]
dscp = "ef"
length = 100
ttl = 3
fragments = true
want = "accept"
acl = "in"
rule = "web"
outbound-interface = "wan0"
[[test.then]]
answers = "too-big"
state = "established"
verdict = "forwarded"
[[test]]
name = "two"
inbound-interface = "lan0"
source = "2001:db8::2"
destination = "2001:db8::1"
icmp-type = "packet-too-big"
want = "drop"
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	established := acl.Established
	want := []acltest.Test{
		{Name: "one", Steps: []acltest.Step{
			{
				Packet: acltest.Packet{
					In: "lan0", Src: netip.MustParseAddr("10.0.1.2"), Dst: netip.MustParseAddr("192.0.2.9"), Protocol: packet.ProtoTCP,
					SrcPort: packet.FirstDynamicPort, DstPort: 80, TCPFlags: packet.TCPSyn | packet.TCPEce, DSCP: 46, TTL: 3, Length: 100, Fragments: true,
				},
				Want: acltest.Want{Outcome: acltest.Accept, List: "in", Rule: "web", Out: "wan0"},
			},
			{Packet: acltest.Packet{Answers: acltest.TooBig}, Want: acltest.Want{Verdict: verdict.Forwarded, State: &established}},
		}},
		{Name: "two", Steps: []acltest.Step{{
			Packet: acltest.Packet{In: "lan0", Src: netip.MustParseAddr("2001:db8::2"), Dst: netip.MustParseAddr("2001:db8::1"), ICMP: &dataplane.ICMPType{Type: 2}},
			Want:   acltest.Want{Outcome: acltest.Drop},
		}}},
	}
	if diff := cmp.Diff(want, got.Tests, cmpopts.IgnoreFields(acltest.Step{}, "Place"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if got.Config != "gw.toml" || got.Node != "gw" || len(got.Routes) != 1 || got.Tests[0].Steps[1].Place.Line != 22 {
		t.Errorf("%q, %q, %d routes, the second packet in line %d; want gw.toml, gw, 1, 22", got.Config, got.Node, len(got.Routes), got.Tests[0].Steps[1].Place.Line)
	}
}

// Each mistake is reported with its place.
func TestFilterTestsRefused(t *testing.T) {
	const whole = "[[test]]\nname = \"x\"\ninbound-interface = \"lan0\"\nsource = \"10.0.1.2\"\ndestination = \"10.0.2.2\"\n"
	for _, c := range []struct{ text, want string }{
		{"", "t.toml:1:1: error: the file has no tests"},
		{"[[test]]\nwant = \"drop\"\n", "test[1] has no name"},
		{"[[test]]\nname = \"x\"\nwant = \"drop\"\n", "test[1] has no inbound-interface"},
		{whole, "test[1] has to say once what is wanted"},
		{whole + "want = \"drop\"\nverdict = \"no_route\"\n", "test[1] has to say once what is wanted"},
		{whole + "want = \"deny\"\n", `"accept", "drop", "reject"`},
		{whole + "verdict = \"no_rout\"\n", "no_route"},
		{whole + "want = \"drop\"\n" + whole + "want = \"drop\"\n", `a second test named "x"`},
		{whole + "want = \"drop\"\nanswers = \"reply\"\n", `unknown key "answers"`},
		{whole + "want = \"drop\"\nprotocol = \"tcp\"\n", "test[1] has no destination-port"},
		{whole + "want = \"drop\"\nsource-port = 5\n", "test[1] has ports"},
		{whole + "want = \"drop\"\nprotocol = \"icmpv6\"\n", "10.0.2.2 has no icmpv6"},
		{whole + "want = \"drop\"\ntcp-flags = \"syn\"\n", "its protocol is not tcp"},
		{whole + "want = \"drop\"\nprotocol = \"gre\"\nicmp-type = 3\n", "icmp-type is 3"},
		{whole + "want = \"drop\"\nprotocol = \"gre\"\nicmp-type = \"3\"\n", "its protocol is gre"},
		{whole + "want = \"drop\"\nicmp-type = \"packet-too-big\"\n", `icmp-type is "packet-too-big"`},
		{strings.Replace(whole, "10.0.2.2", "2001:db8::2", 1) + "want = \"drop\"\n", "of another family than the source 10.0.1.2"},
		{whole + "want = \"drop\"\n[[test.then]]\nanswers = \"reply\"\ndestination = \"10.0.0.1\"\nwant = \"drop\"\n", `unknown key "destination"`},
		{whole + "want = \"drop\"\n[[static.route]]\nprefix = \"0.0.0.0/0\"\n", "the route to 0.0.0.0/0 leads nowhere"},
	} {
		_, problems := ParseFilterTests("t.toml", []byte(c.text))
		var said strings.Builder
		for _, p := range problems {
			said.WriteString(p.String())
		}
		if !Failed(problems) || !strings.Contains(said.String(), c.want) {
			t.Errorf("%q\n%s\nwant %q", c.text, said.String(), c.want)
		}
	}
}

func FuzzFilterTests(f *testing.F) {
	f.Add([]byte("[[test]]\nname = \"x\"\ninbound-interface = \"lan0\"\nsource = \"::1\"\ndestination = \"::2\"\nicmp-type = \"3/4\"\nwant = \"drop\"\n[[test.then]]\nanswers = \"reply\"\nwant = \"accept\""))
	f.Add([]byte("test = [{ then = 5 }]"))
	f.Add([]byte("static.route = [{ prefix = \"::/0\", next-hop = { interface = \"a\", bfd = true } }]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tests, problems := ParseFilterTests("t.toml", text)
		if tests == nil {
			t.Fatal("no tests and no problem")
		}
		for _, x := range tests.Tests {
			if len(x.Steps) == 0 {
				t.Errorf("a test without a packet: %v", problems)
			}
		}
	})
}
