package config

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/dataplane"
)

// The stack has the addresses of all interfaces, a loopback's first and
// those of masquerade next, and stands on an interface of its own, in order.
func TestStack(t *testing.T) {
	text := `
[interface.a]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
[interface.z]
kind = "loopback"
addresses = ["10.255.0.1/32"]
`
	without, problems := Parse("f.toml", []byte(text))
	if Failed(problems) || without.LocalStack != nil {
		t.Fatalf("%v, stack %+v", problems, without.LocalStack)
	}
	c, problems := Parse("f.toml", []byte(text+"[local-stack]\nnetns = \"routerd-r1\"\nrate = 200\n"))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	s := c.LocalStack
	if s.Netns != "routerd-r1" || s.Device != "routerd0" || s.MTU != 1500 || c.Dataplane.Stack != (dataplane.StackConfig{Rate: 200, Burst: 20}) {
		t.Errorf("stack %+v, policed at %+v", s, c.Dataplane.Stack)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.255.0.1/32"), netip.MustParsePrefix("10.0.1.1/24"), netip.MustParsePrefix("2001:db8:1::1/64")}
	if fmt.Sprint(s.Addresses) != fmt.Sprint(want) {
		t.Errorf("addresses %v, want %v", s.Addresses, want)
	}
	masked, problems := Parse("f.toml", []byte(text+`
[interface.wan]
kind = "packet"
addresses = ["203.0.113.1/24"]
[local-stack]
netns = "routerd-r1"
[[nat.source]]
name = "out"
outbound-interface = "wan"
translation = "masquerade"
`))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	if got := fmt.Sprint(masked.LocalStack.Addresses); got != "[10.255.0.1/32 203.0.113.1/24 10.0.1.1/24 2001:db8:1::1/64]" {
		t.Errorf("beside masquerade the addresses are %s, want the loopback's, then those that others are masqueraded as", got)
	}
	var kinds []string
	for _, i := range c.Dataplane.Interfaces {
		kinds = append(kinds, i.Name+" "+string(i.Kind))
	}
	if d := cmp.Diff([]string{"a tun", "local-stack stack", "z loopback"}, kinds); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
	var paths []string
	for _, x := range Diff(without, c) {
		paths = append(paths, x.Path+" "+x.New)
	}
	if d := cmp.Diff([]string{"local-stack device routerd0, mtu 1500, netns routerd-r1, rate 200"}, paths); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}

// Each change of the stack says what becomes of it, and only those are called
// refused that a reload refuses.
func TestStackImpact(t *testing.T) {
	const lo = "[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n"
	const stack = lo + "[local-stack]\nnetns = \"r1\"\n"
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"added", lo, stack, []string{"added local-stack: the router's own TCP/IP stack is made"}},
		{"removed", stack, lo, []string{"removed local-stack: the router's own TCP/IP stack goes: its sessions end"}},
		{"another device", stack, stack + "device = \"other0\"\n", []string{"changed local-stack.device: refused: while the stack keeps its namespace this needs a restart"}},
		{"somebody else's namespace of the same name", stack, stack + "existing = true\n", []string{"changed local-stack.existing: refused: while the stack keeps its namespace this needs a restart"}},
		{"another namespace and device", stack, lo + "[local-stack]\nnetns = \"r2\"\ndevice = \"other0\"\n", []string{
			"changed local-stack.device: the router's own TCP/IP stack is made anew: its sessions end",
			"changed local-stack.netns: the router's own TCP/IP stack is made anew: its sessions end",
		}},
		{"mtu and rate", stack, stack + "mtu = 9000\nrate = 100\n", []string{"changed local-stack.mtu: ", "changed local-stack.rate: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, problems := Parse("f.toml", []byte(tt.old))
			next, more := Parse("f.toml", []byte(tt.new))
			if len(problems)+len(more) > 0 {
				t.Fatal(problems, more)
			}
			var got []string
			for _, c := range Diff(old, next) {
				got = append(got, c.Kind+" "+c.Path+": "+c.Impact)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

// BGP has TCP connections, so that it makes a stack where the configuration has none, in
// a namespace called after the router; one of the configuration is as that says.
func TestStackForBGP(t *testing.T) {
	const text = `name = "r7"
[interface.a]
kind = "tun"
addresses = ["10.0.1.1/24"]
[bgp]
as = 65001
neighbor."10.0.1.2" = { peer-as = 65002, import-policy = [] }
`
	c, problems := Parse("f.toml", []byte(text))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	if s := c.LocalStack; s == nil || s.Netns != "r7-stack" || s.Device != "routerd0" || s.MTU != 1500 || len(s.Addresses) != 1 || c.StackFor != "bgp" {
		t.Errorf("stack %+v for %q", s, c.StackFor)
	}
	if c.Dataplane.Stack != (dataplane.StackConfig{Rate: 50000, Burst: 5000}) || len(c.Dataplane.Interfaces) != 2 {
		t.Errorf("policed at %+v, interfaces %+v", c.Dataplane.Stack, c.Dataplane.Interfaces)
	}
	if c, problems = Parse("f.toml", []byte(text+"[local-stack]\nnetns = \"other\"")); len(problems) != 0 || c.LocalStack.Netns != "other" || c.StackFor != "" {
		t.Errorf("%v, stack %+v for %q", problems, c.LocalStack, c.StackFor)
	}
	if _, problems = Parse("f.toml", []byte(text+"[interface.local-stack]\nkind = \"loopback\"")); !Failed(problems) {
		t.Error("an interface is called as the stack's")
	}
}
