package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/dataplane"
	protocolrip "routerd/internal/protocols/rip"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// redistributable are the sources that a table redistribute may name, and the
// protocols that it may stand in leave their own out.
var redistributable = []routing.Source{
	routing.SourceConnected, routing.SourceStatic, routing.SourceOSPF, routing.SourceRIP,
	routing.SourceEBGP, routing.SourceIBGP,
}

// decodeRIP reads [rip] or [ripng], nil where the text has none.
func (r *reader) decodeRIP(top *tomltext.Section, p rip.Protocol, c *Config) *protocolrip.Config {
	s := top.Section(p.String())
	if s.Table == nil {
		return nil
	}
	c.placed(r, s.At)
	cfg := &protocolrip.Config{Config: rip.DefaultConfig(p)}
	interval := tomltext.Duration(time.Second, 24*time.Hour)
	cfg.Update = tomltext.Get(s, "update-interval", cfg.Update, interval)
	cfg.Invalid = tomltext.Get(s, "invalid-interval", 6*cfg.Update, interval)
	cfg.Flush = tomltext.Get(s, "flush-interval", cfg.Invalid+4*cfg.Update, interval)
	cfg.MaximumPaths = tomltext.Get(s, "maximum-paths", cfg.MaximumPaths, tomltext.Whole(1, 64))
	cfg.MaxRoutes = tomltext.Get(s, "max-routes", cfg.MaxRoutes, tomltext.Whole(1, 1<<24))
	if s.Has("default-information") {
		d := s.Section("default-information")
		cfg.DefaultInformation = &rip.Origination{
			Metric: uint8(tomltext.Get(d, "metric", 1, tomltext.Whole(1, 15))),
			Tag:    uint16(tomltext.Get(d, "tag", 0, tomltext.Whole(0, 65535))),
		}
		d.Done()
	}
	cfg.Redistribute = r.decodeRedistribute(s.Section("redistribute"), c, routing.SourceRIP)
	all := s.Section("interface")
	for _, name := range all.Names() {
		if i := all.Section(name); i.Table != nil {
			cfg.Interfaces[name] = r.decodeRIPInterface(i, p, c, name)
		}
	}
	s.Done()
	r.checkRIPTimers(s, cfg)
	return cfg
}

// checkRIPTimers looks at what only all three together show.
func (r *reader) checkRIPTimers(s *tomltext.Section, cfg *protocolrip.Config) {
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
		r.Wrong(at, fmt.Sprintf("the %s is %v and the %s %v", t.key, t.is, t.after, t.than), fmt.Sprintf("a longer %s", t.key))
	}
}

// decodeRedistribute reads a table with a table for each source.
func (r *reader) decodeRedistribute(s *tomltext.Section, c *Config, speaks ...routing.Source) []rib.Redistribution {
	var list []rib.Redistribution
	for _, source := range redistributable {
		own := false
		for _, o := range speaks {
			own = own || o == source
		}
		if own || !s.Has(source.String()) {
			continue
		}
		t := s.Section(source.String())
		list = append(list, router.WithPolicy(rib.Redistribution{
			Source: source,
			Metric: uint32(tomltext.Get(t, "metric", 1, tomltext.Whole(1, 15))),
			Tag:    uint32(tomltext.Get(t, "tag", 0, tomltext.Whole(0, 65535))),
		}, r.ripChain(t, "policy", c)))
		t.Done()
	}
	s.Done()
	return list
}

var receiveReading = tomltext.OneOf([]string{"1", "2", "1 2"}, []rip.Versions{rip.Version1, rip.Version2, rip.AnyVersion})

func (r *reader) decodeRIPInterface(s *tomltext.Section, p rip.Protocol, c *Config, name string) rip.InterfaceConfig {
	c.placed(r, s.At)
	i := rip.DefaultInterface()
	i.MaximumPrefix = tomltext.Get(s, "maximum-prefix", i.MaximumPrefix, tomltext.Whole(1, 1<<24))
	i.Passive = tomltext.Get(s, "passive", false, tomltext.Bool)
	i.Metric = uint8(tomltext.Get(s, "metric", int(i.Metric), tomltext.Whole(1, 15)))
	i.OffsetOut = uint8(tomltext.Get(s, "offset-out", 0, tomltext.Whole(0, 15)))
	i.SplitHorizon = tomltext.Get(s, "split-horizon", i.SplitHorizon, tomltext.OneOf(
		[]string{rip.PoisonReverse.String(), rip.Simple.String(), rip.NoHorizon.String()},
		[]rip.SplitHorizon{rip.PoisonReverse, rip.Simple, rip.NoHorizon}))
	for _, n := range tomltext.Distinct(s, "neighbors", tomltext.Address) {
		if p == rip.RIP && !n.Value.Is4() || p == rip.RIPng && !n.Value.IsLinkLocalUnicast() {
			want := "an IPv4 address"
			if p == rip.RIPng {
				want = "an IPv6 link-local address"
			}
			r.Wrong(n.At, fmt.Sprintf("%s is %s, where %s finds nobody", n.At, n.Value, p), want)
			continue
		}
		i.Neighbors = append(i.Neighbors, n.Value)
	}
	r.decodeAllowedNeighbors(s, p, &i)
	i.Import = protocolrip.Policy(r.ripChain(s, "import-policy", c))
	i.Export = protocolrip.Policy(r.ripChain(s, "export-policy", c))
	if p == rip.RIP {
		i.Receive = tomltext.Get(s, "receive-version", i.Receive, receiveReading)
		i.Auth = r.decodeRIPAuth(s.Section("auth"), c, name)
	}
	s.Done()
	return i
}

// decodeAllowedNeighbors reads who is listened to. A neighbor that is spoken to
// and not listened to is odd.
func (r *reader) decodeAllowedNeighbors(s *tomltext.Section, p rip.Protocol, i *rip.InterfaceConfig) {
	const key = "allowed-neighbors"
	if !s.Has(key) {
		return
	}
	at, given := s.At.With(key), tomltext.Distinct(s, key, hostOrSubnet)
	i.AllowedNeighbors = []netip.Prefix{}
	for _, n := range given {
		if a := n.Value.Addr(); a.Is4() != (p == rip.RIP) || p == rip.RIPng && !a.IsLinkLocalUnicast() {
			want := "IPv4 addresses or prefixes"
			if p == rip.RIPng {
				want = "IPv6 link-local addresses or prefixes"
			}
			r.Wrong(n.At, fmt.Sprintf("%s is %s, where %s finds nobody", n.At, n.Value, p), want)
			continue
		}
		i.AllowedNeighbors = append(i.AllowedNeighbors, n.Value)
	}
	if len(s.Elements(key)) == 0 {
		r.Wrong(at, fmt.Sprintf("%s is empty, so nobody is heard", at), "at least one, or no such key to hear everybody")
	}
	for _, n := range i.Neighbors {
		if !slices.ContainsFunc(i.AllowedNeighbors, func(p netip.Prefix) bool { return p.Contains(n) }) {
			r.Odd(at, fmt.Sprintf("%s is among the neighbors that are spoken to, and not among the allowed ones, so it is not heard", n), "it in both lists")
		}
	}
}

var ripAuthTypes = []rip.Algorithm{rip.PlainText, rip.KeyedMD5, rip.HMACSHA1, rip.HMACSHA256, rip.HMACSHA384, rip.HMACSHA512}

// decodeRIPAuth reads auth = { type, keys }. The keys are those of a chain,
// without their secrets: those are read by Load.
func (r *reader) decodeRIPAuth(s *tomltext.Section, c *Config, iface string) rip.Auth {
	if s.Table == nil {
		return rip.Auth{}
	}
	words := make([]string, len(ripAuthTypes))
	for i, a := range ripAuthTypes {
		words[i] = a.String()
	}
	auth := rip.Auth{Algorithm: tomltext.Get(s, "type", rip.NoAuth, tomltext.OneOf(words, ripAuthTypes))}
	chain := tomltext.Get(s, "keys", "", tomltext.Text("the name of keys: [[keys.NAME]]"))
	for _, key := range []string{"type", "keys"} {
		if !s.Has(key) {
			r.Wrong(s.At, fmt.Sprintf("%s has no %s", s.At, key), `auth = { type = "md5", keys = "core" }, say`)
		}
	}
	s.Done()
	if chain == "" {
		return auth
	}
	keys, known := c.Keys[chain]
	if !known {
		p := r.Wrong(s.At.With("keys"), fmt.Sprintf("%s is %q, and there are no [[keys.%s]]", s.At.With("keys"), chain, chain), "the name of keys that there are")
		var names []string
		for name := range c.Keys {
			names = append(names, name)
		}
		p.Suggestion = tomltext.Suggest(chain, names)
		return auth
	}
	for n, k := range keys {
		at := tomltext.Path(nil).With("keys").With(chain).Element(n).With("algorithm")
		if k.Algorithm != rip.NoAuth && (k.Algorithm == rip.PlainText) != (auth.Algorithm == rip.PlainText) {
			r.Wrong(at, fmt.Sprintf("a key for %s in %s, where %s is used", k.Algorithm, chain, auth.Algorithm), "another chain for each")
		}
		auth.Keys = append(auth.Keys, rip.Key{ID: k.ID, Algorithm: k.Algorithm, Send: k.Send, Accept: k.Accept})
	}
	if c.chains == nil {
		c.chains = map[string]string{}
	}
	c.chains[iface] = chain
	return auth
}

// checkRIP looks at what the protocol's interfaces are.
func (r *reader) checkRIP(p rip.Protocol, c *protocolrip.Config, interfaces []*interfacePlaces) {
	if c == nil {
		return
	}
	byName := map[string]*interfacePlaces{}
	for _, i := range interfaces {
		byName[i.name] = i
	}
	for _, name := range sortedKeys(c.Interfaces) {
		at := tomltext.Path(nil).With(p.String()).With("interface").With(name)
		i := byName[name]
		if i == nil {
			r.WrongKey(at, fmt.Sprintf("%s shall speak %s, and there is no such interface", name, p), "the name of an interface").
				Suggestion = tomltext.Suggest(name, sortedKeys(byName))
			continue
		}
		// Ethernet interfaces form a link-local address by themselves.
		speaks := p == rip.RIPng && (i.kind == dataplane.KindTAP || i.kind == dataplane.KindPacket)
		for _, a := range i.addresses {
			speaks = speaks || (p == rip.RIP) == a.Value.Addr().Is4()
		}
		if !speaks {
			r.Odd(at, fmt.Sprintf("%s has no address to speak %s with", name, p), map[rip.Protocol]string{
				rip.RIP: "an IPv4 address", rip.RIPng: "an IPv6 address",
			}[p])
		}
	}
	if len(c.Interfaces) == 0 {
		r.Odd(tomltext.Path(nil).With(p.String()), fmt.Sprintf("%s is spoken on no interface", p), fmt.Sprintf("[%s.interface.NAME]", p))
	}
}
