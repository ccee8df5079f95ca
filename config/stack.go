package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"routerd/dataplane"
	"routerd/internal/localstack"
	"routerd/internal/packet"
	"routerd/internal/protocols"
	"routerd/internal/tomltext"
	"routerd/nat"
)

// defaultStackRate is enough for a bulk transfer in super-packets, and a
// fraction of the small packets that a worker can forward.
const defaultStackRate = 50000

const (
	defaultStackDevice = "routerd0"
	defaultStackMTU    = 1500
)

// decodeStack reads [local-stack] after the interfaces. addressStack adds the
// addresses later.
func (r *reader) decodeStack(top *tomltext.Section, c *Config) {
	s := top.Optional("local-stack")
	defer s.Done()
	if s.Table == nil {
		r.implyStack(top, c) // unless it is no table, which is reported
		return
	}
	if !s.Has("netns") {
		r.WrongKey(s.At, fmt.Sprintf("%s has no netns", s.At), `netns = the name of the network namespace to make: "routerd-r1"`)
	}
	rate := tomltext.Get(s, "rate", defaultStackRate, tomltext.Whole(1, 1_000_000))
	// The packets of a tenth of a second, so that a TCP window may arrive at
	// once.
	c.Dataplane.Stack = dataplane.StackConfig{Rate: rate, Burst: max(rate/10, 1)}
	c.LocalStack = &localstack.Config{
		Netns:    tomltext.Get(s, "netns", "", netnsName),
		Existing: tomltext.Get(s, "existing", false, tomltext.Bool),
		Device:   tomltext.Get(s, "device", defaultStackDevice, deviceName),
		MTU:      tomltext.Get(s, "mtu", defaultStackMTU, tomltext.Whole(packet.IPv6MinMTU, 65535)),
	}
	r.addStack(c, s.At)
}

// addStack adds the interface of the stack, for which there is a table at a path.
func (r *reader) addStack(c *Config, at tomltext.Path) {
	for _, i := range c.Dataplane.Interfaces {
		if i.Name == localstack.Name {
			r.WrongKey(tomltext.Path{}.With("interface").With(i.Name), fmt.Sprintf("an interface cannot be called %q beside a [local-stack], which stands on one of that name", i.Name), "another name")
			return
		}
	}
	c.addStackInterface(r, at)
}

// implyStack gives the router a stack where something needs one: a protocol with TCP
// connections, or the API at an address of the router's.
func (r *reader) implyStack(top *tomltext.Section, c *Config) {
	if top.Has("local-stack") {
		return
	}
	need, at := "", tomltext.Path{}
	if i := c.API.inStack(); i >= 0 {
		need, at = "api.listen", c.API.paths[i]
	}
	for _, p := range protocols.All() {
		if p.Streams && top.Has(p.Name) {
			need, at = p.Name, top.At.With(p.Name)
			break
		}
	}
	if need == "" {
		return
	}
	c.Dataplane.Stack = dataplane.StackConfig{Rate: defaultStackRate, Burst: defaultStackRate / 10}
	c.LocalStack = &localstack.Config{Netns: c.Name + "-stack", Device: defaultStackDevice, MTU: defaultStackMTU}
	c.StackFor = need
	r.addStack(c, at)
}

// addressStack gives the stack the addresses of all interfaces. Those that it
// prefers as source addresses come first: a loopback's, then those that
// masquerading uses, since other networks may not know the rest.
func (c *Config) addressStack() {
	if c.LocalStack == nil {
		return
	}
	masks := map[string]bool{}
	for _, rule := range c.NAT.Source {
		for _, name := range rule.Match.Outbound {
			masks[name] = masks[name] || rule.Method == nat.Masquerade
		}
	}
	rank := func(i dataplane.InterfaceConfig) int {
		switch {
		case i.Kind == dataplane.KindLoopback:
			return 0
		case masks[i.Name]:
			return 1
		}
		return 2
	}
	list := slices.Clone(c.Dataplane.Interfaces)
	slices.SortStableFunc(list, func(a, b dataplane.InterfaceConfig) int { return rank(a) - rank(b) })
	for _, i := range list {
		for _, a := range i.Addresses {
			c.LocalStack.Addresses = append(c.LocalStack.Addresses, a.Prefix)
		}
	}
}

func (c *Config) addStackInterface(r *reader, at tomltext.Path) {
	ic := dataplane.InterfaceConfig{Name: localstack.Name, Kind: dataplane.KindStack, MTU: c.LocalStack.MTU, Offload: dataplane.OffloadOff, Origin: r.origin(at)}
	n := 0 // keeps the order of names
	for n < len(c.Dataplane.Interfaces) && c.Dataplane.Interfaces[n].Name < ic.Name {
		n++
	}
	c.Dataplane.Interfaces = append(c.Dataplane.Interfaces[:n:n], append([]dataplane.InterfaceConfig{ic}, c.Dataplane.Interfaces[n:]...)...)
}

// netnsName reads the name of a namespace that routerd itself makes.
var netnsName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !isName(s, 64) || filepath.Base(s) != s {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: "the name of a network namespace to make: 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit"}

// stackImpact adds the effects on traffic to changes of the stack: a new
// namespace restarts the stack, while a running stack cannot be given another
// device.
func stackImpact(changes []Change, old, new *localstack.Config) {
	if old == nil || new == nil {
		return // added or removed: see impact
	}
	for i := range changes {
		switch c := &changes[i]; {
		case c.Object != "local-stack" || c.Path == "local-stack.mtu" || c.Path == "local-stack.rate":
		case old.Netns != new.Netns:
			c.Impact = "the router's own TCP/IP stack is made anew: its sessions end"
		default:
			c.Impact = "refused: while the stack keeps its namespace this needs a restart"
		}
	}
}
