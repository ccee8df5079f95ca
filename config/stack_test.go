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
	if d := cmp.Diff([]string{"local-stack.device routerd0", "local-stack.mtu 1500", "local-stack.netns routerd-r1", "local-stack.rate 200"}, paths); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}
