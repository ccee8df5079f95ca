package rip

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/policy"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// decoder reads [rip] or [ripng].
type decoder struct {
	*decode.Context
	protocol rip.Protocol
}

// Decode reads the table of the protocol, and what it redistributes.
func (p Protocol) Decode(c *decode.Context, s *tomltext.Section) router.ProtocolConfig {
	d := decoder{c, rip.Protocol(p)}
	cfg := rip.DefaultConfig(d.protocol)
	if distance := c.Distance[routing.SourceRIP]; distance != 0 {
		cfg.Distance = distance
	}
	interval := tomltext.Duration(time.Second, 24*time.Hour)
	cfg.Update = tomltext.Get(s, "update-interval", cfg.Update, interval)
	cfg.Invalid = tomltext.Get(s, "invalid-interval", 6*cfg.Update, interval)
	cfg.Flush = tomltext.Get(s, "flush-interval", cfg.Invalid+4*cfg.Update, interval)
	cfg.MaximumPaths = tomltext.Get(s, "maximum-paths", cfg.MaximumPaths, tomltext.Whole(1, routing.MaxNextHops))
	cfg.MaxRoutes = tomltext.Get(s, "max-routes", cfg.MaxRoutes, tomltext.Whole(1, 1<<24))
	o := s.Optional("default-information")
	origination := rip.Origination{
		Metric: uint8(tomltext.Get(o, "metric", 1, tomltext.Whole(1, rip.Infinity-1))),
		Tag:    uint16(tomltext.Get(o, "tag", 0, tomltext.Whole(0, 65535))),
	}
	if o.Done(); o.Table != nil {
		cfg.DefaultInformation = &origination
	}
	redistributed := c.Redistribute(s.Section("redistribute"), []routing.Source{routing.SourceRIP},
		func(t *tomltext.Section) (rib.Redistribution, policy.Chain) {
			return rib.Redistribution{
				Metric: uint32(tomltext.Get(t, "metric", 1, tomltext.Whole(1, rip.Infinity-1))),
				Tag:    uint32(tomltext.Get(t, "tag", 0, tomltext.Whole(0, 65535))),
			}, d.chain(t, "policy")
		})
	c.OnInterfaces(s, p.Kind(), func(i *tomltext.Section, name string) { cfg.Interfaces[name] = d.decodeInterface(i) })
	s.Done()
	d.checkTimers(s, &cfg)
	return router.ProtocolConfig{Config: cfg, Redistribute: redistributed}
}

// checkTimers checks the three timers against each other.
func (d *decoder) checkTimers(s *tomltext.Section, cfg *rip.Config) {
	for _, t := range []struct {
		key, after string
		is, than   time.Duration
	}{
		{"invalid-interval", "update-interval", cfg.Invalid, cfg.Update},
		{"flush-interval", "invalid-interval", cfg.Flush, cfg.Invalid},
	} {
		if t.is > t.than {
			continue
		}
		at := s.At.With(t.key)
		if !s.Has(t.key) {
			at = s.At.With(t.after)
		}
		d.Wrong(at, fmt.Sprintf("the %s is %v and the %s %v", t.key, t.is, t.after, t.than), fmt.Sprintf("a longer %s", t.key))
	}
}

// oneOf returns the text for RIP or that for RIPng.
func (d *decoder) oneOf(ofRIP, ofRIPng string) string {
	if d.protocol == rip.RIP {
		return ofRIP
	}
	return ofRIPng
}

// chain reads the names of policies, whose metrics and tags must be valid in
// RIP.
func (d *decoder) chain(s *tomltext.Section, key string) policy.Chain {
	chain := d.Chain(s, key)
	for _, p := range chain {
		if p.SetsNextHop() {
			d.Odd(s.At.With(key), fmt.Sprintf("policy %s sets a next hop, which changes nothing in RIP", p.Name), "metrics and tags to be set")
		}
	}
	return chain
}

var (
	receiveReading = tomltext.OneOf([]string{"1", "2", "1 2"}, []rip.Versions{rip.Version1, rip.Version2, rip.AnyVersion})
	horizonReading = tomltext.OneOf(
		[]string{rip.PoisonReverse.String(), rip.Simple.String(), rip.NoHorizon.String()},
		[]rip.SplitHorizon{rip.PoisonReverse, rip.Simple, rip.NoHorizon})
)

func (d *decoder) decodeInterface(s *tomltext.Section) rip.InterfaceConfig {
	i := rip.DefaultInterface()
	i.MaximumPrefix = tomltext.Get(s, "maximum-prefix", i.MaximumPrefix, tomltext.Whole(1, 1<<24))
	i.Passive = tomltext.Get(s, "passive", false, tomltext.Bool)
	i.Metric = uint8(tomltext.Get(s, "metric", int(i.Metric), tomltext.Whole(1, rip.Infinity-1)))
	i.OffsetOut = uint8(tomltext.Get(s, "offset-out", 0, tomltext.Whole(0, rip.Infinity-1)))
	i.SplitHorizon = tomltext.Get(s, "split-horizon", i.SplitHorizon, horizonReading)
	for _, n := range tomltext.Distinct(s, "neighbors", tomltext.Address) {
		if !d.finds(n.Value) {
			d.Wrong(n.At, fmt.Sprintf("%s is %s, where %s finds nobody", n.At, n.Value, d.protocol), d.oneOf("an IPv4 address", "an IPv6 link-local address"))
			continue
		}
		i.Neighbors = append(i.Neighbors, n.Value)
	}
	d.decodeAllowedNeighbors(s, &i)
	if w := d.Watches.Read(s); w != nil {
		i.BFD = &rip.BFD{Profile: w.Profile, Strict: w.Strict}
	}
	i.Import = Policy(d.chain(s, "import-policy"))
	i.Export = Policy(d.chain(s, "export-policy"))
	if d.protocol == rip.RIP {
		i.Receive = tomltext.Get(s, "receive-version", i.Receive, receiveReading)
		i.Auth.Algorithm, i.Auth.Keys = d.Auth(s.Optional("auth"), rip.LongestKey)
	}
	s.Done()
	return i
}

// finds reports whether a neighbour can have the address.
func (d *decoder) finds(a netip.Addr) bool {
	return d.protocol == rip.RIP && a.Is4() || d.protocol == rip.RIPng && a.Is6() && a.IsLinkLocalUnicast()
}

// decodeAllowedNeighbors reads the allowed neighbours. It warns of a configured
// neighbour that is not allowed.
func (d *decoder) decodeAllowedNeighbors(s *tomltext.Section, i *rip.InterfaceConfig) {
	const key = "allowed-neighbors"
	given := tomltext.Distinct(s, key, tomltext.HostOrSubnet)
	if !s.Has(key) {
		return
	}
	at := s.At.With(key)
	i.AllowedNeighbors = []netip.Prefix{}
	for _, n := range given {
		if !d.finds(n.Value.Addr()) {
			d.Wrong(n.At, fmt.Sprintf("%s is %s, where %s finds nobody", n.At, n.Value, d.protocol),
				d.oneOf("IPv4 addresses or prefixes", "IPv6 link-local addresses or prefixes"))
			continue
		}
		i.AllowedNeighbors = append(i.AllowedNeighbors, n.Value)
	}
	if len(s.Elements(key)) == 0 {
		d.Wrong(at, fmt.Sprintf("%s is empty, so nobody is heard", at), "at least one, or no such key to hear everybody")
	}
	for _, n := range i.Neighbors {
		if !slices.ContainsFunc(i.AllowedNeighbors, func(p netip.Prefix) bool { return p.Contains(n) }) {
			d.Odd(at, fmt.Sprintf("%s is among the neighbors that are spoken to, and not among the allowed ones, so it is not heard", n), "it in both lists")
		}
	}
}
