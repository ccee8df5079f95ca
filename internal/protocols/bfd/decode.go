package bfd

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
)

// defaultProfile is the name of the profile of whoever names none.
const defaultProfile = "default"

// decoder reads [bfd].
type decoder struct{ *decode.Context }

// Decode reads the table of the protocol. It comes after the tables of all who
// have their neighbours watched.
func Decode(c *decode.Context, s *tomltext.Section) router.ProtocolConfig {
	d := decoder{c}
	cfg := bfd.Config{Profiles: map[string]bfd.Profile{}}
	profiles := s.Section("profile")
	for _, n := range profiles.Names() {
		if p := profiles.Section(n); p.Table != nil {
			cfg.Profiles[n] = d.decodeProfile(p)
		}
	}
	peers := s.Section("peer")
	for _, n := range peers.Names() {
		if p := peers.Section(n); p.Table != nil {
			if peer, ok := d.decodePeer(n, p); ok {
				cfg.Peers = append(cfg.Peers, peer)
			}
		}
	}
	s.Done()
	d.finish(&cfg)
	return router.ProtocolConfig{Config: cfg}
}

// Implied gives what holds without a table, if somebody has a neighbour watched
// all the same.
func Implied(c *decode.Context) (router.ProtocolConfig, bool) {
	if !c.Watches.Asked() {
		return router.ProtocolConfig{}, false
	}
	cfg := bfd.Config{Profiles: map[string]bfd.Profile{}}
	decoder{c}.finish(&cfg)
	return router.ProtocolConfig{Config: cfg}, true
}

// finish gives the default profile its two names, and looks whether all that
// are named are there.
func (d decoder) finish(cfg *bfd.Config) {
	if p, ok := cfg.Profiles[defaultProfile]; ok {
		cfg.Profiles[""] = p
	} else {
		cfg.Profiles[""], cfg.Profiles[defaultProfile] = bfd.DefaultProfile(), bfd.DefaultProfile()
	}
	names := slices.Sorted(maps.Keys(cfg.Profiles))
	d.Watches.Check(names[1:]) // without ""
}

func (d decoder) decodeProfile(s *tomltext.Section) bfd.Profile {
	p := bfd.DefaultProfile()
	interval := tomltext.Duration(bfd.ShortestInterval, bfd.LongestInterval)
	both := tomltext.Get(s, "interval", p.Transmit, interval)
	p.Transmit = tomltext.Get(s, "transmit-interval", both, interval)
	p.Receive = tomltext.Get(s, "receive-interval", both, interval)
	p.Multiplier = uint8(tomltext.Get(s, "multiplier", int(p.Multiplier), tomltext.Whole(1, 255)))
	p.Passive = tomltext.Get(s, "passive", false, tomltext.Bool)
	p.MinimumTTL = uint8(tomltext.Get(s, "minimum-ttl", int(p.MinimumTTL), tomltext.Whole(1, 255)))
	p.Auth = d.decodeAuth(s.Optional("auth"))
	s.Done()
	for _, i := range []time.Duration{p.Transmit, p.Receive} {
		if detection := time.Duration(p.Multiplier) * i; detection < 30*time.Millisecond {
			d.Odd(s.At, fmt.Sprintf("%s takes a neighbor for lost after %v, which a busy host may be late by", s.At, detection), "a detection time of 30ms or more")
			break
		}
	}
	return p
}

var authTypes = func() tomltext.Reading[wire.AuthType] {
	all := []wire.AuthType{wire.SimplePassword, wire.KeyedMD5, wire.MeticulousKeyedMD5, wire.KeyedSHA1, wire.MeticulousKeyedSHA1}
	words := make([]string, len(all))
	for i, t := range all {
		words[i] = t.String()
	}
	return tomltext.OneOf(words, all)
}()

// decodeAuth reads auth = { type, keys }. The secrets come when all has been read.
func (d decoder) decodeAuth(s *tomltext.Section) bfd.Auth {
	auth := bfd.Auth{Type: tomltext.Get(s, "type", wire.AuthNone, authTypes)}
	var list []decode.Key
	var used keys.Chain
	chain, list := d.KeyChain(s, "keys", func(secrets [][]byte) { d.takeSecrets(auth.Type, used, list, secrets) })
	if s.Done(); s.Table == nil {
		return bfd.Auth{}
	}
	for _, key := range []string{"type", "keys"} {
		if !s.Has(key) {
			d.Wrong(s.At, fmt.Sprintf("%s has no %s", s.At, key), `auth = { type = "meticulous-keyed-sha1", keys = "bfd" }, say`)
		}
	}
	for _, k := range list {
		if k.Algorithm != keys.None {
			d.Wrong(k.At.With("algorithm"), fmt.Sprintf("a key for %s in %s, which bfd does not have", k.Algorithm, chain), "another chain for bfd, of keys without an algorithm")
		}
		used = append(used, k.Key)
	}
	auth.Keys = used
	return auth
}

func (d decoder) takeSecrets(of wire.AuthType, used keys.Chain, list []decode.Key, secrets [][]byte) {
	for n := range used {
		used[n].Secret = secrets[n]
		if at := list[n].At.With("file"); len(secrets[n]) > of.LongestSecret() {
			d.Wrong(at, fmt.Sprintf("%s has a key of %d bytes, and %s has room for %d", at, len(secrets[n]), of, of.LongestSecret()), "a shorter key")
		}
	}
}

// decodePeer reads a peer, whose name is its address: with a zone, the interface
// that it is on.
func (d decoder) decodePeer(name string, s *tomltext.Section) (bfd.Peer, bool) {
	p := bfd.Peer{
		Interface: tomltext.Get(s, "interface", "", tomltext.Text("the name of an interface")),
		Multihop:  tomltext.Get(s, "multihop", false, tomltext.Bool),
		Source:    tomltext.Get(s, "source", netip.Addr{}, tomltext.Address),
		Profile:   d.Watches.Profile(s, "profile"),
		Shutdown:  tomltext.Get(s, "shutdown", false, tomltext.Bool),
	}
	s.Done()
	a, err := netip.ParseAddr(name)
	if err != nil || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.Is4In6() {
		d.WrongKey(s.At, fmt.Sprintf("%q is no neighbor's address", name), `an address, "10.0.12.2" or "fe80::2%core0"`)
		return p, false
	}
	if zone := a.Zone(); zone != "" {
		if p.Interface != "" && p.Interface != zone {
			d.Wrong(s.At.With("interface"), fmt.Sprintf("%s is on %s, and its interface is %s", name, zone, p.Interface), "one of them")
		}
		p.Interface = zone
	}
	p.Address = a.WithZone("")
	return p, d.checkPeer(name, s, &p)
}

func (d decoder) checkPeer(name string, s *tomltext.Section, p *bfd.Peer) bool {
	switch {
	case p.Multihop && p.Interface != "":
		d.Wrong(s.At, fmt.Sprintf("%s is several hops away, and on interface %s", name, p.Interface), "multihop, or an interface")
	case p.Multihop && !s.Has("source"):
		d.Wrong(s.At, fmt.Sprintf("%s is several hops away, and has no source", name), "source = one of this router's addresses")
	case p.Multihop && p.Source.IsValid() && p.Source.Is4() != p.Address.Is4():
		d.Wrong(s.At.With("source"), fmt.Sprintf("source %s of %s is of the other family", p.Source, name), "an address of the peer's family")
	case !p.Multihop && s.Has("source"):
		d.Wrong(s.At.With("source"), fmt.Sprintf("%s is one hop away, and its source is that of the link", name), "a source with multihop alone")
	case p.Address.IsLinkLocalUnicast() && p.Address.Is6() && p.Interface == "":
		d.Wrong(s.At, fmt.Sprintf("%s is link-local and means nothing without its interface", name), fmt.Sprintf("%q, say", name+"%core0"))
	case p.Interface != "" && !d.Known(p.Interface):
		d.WrongKey(s.At, fmt.Sprintf("%s is on interface %s, and there is no such interface", name, p.Interface), "the name of an interface").
			Suggestion = d.SuggestInterface(p.Interface)
	case !p.Multihop && p.Interface == "" && !d.OnLink(p.Address):
		d.Odd(s.At, fmt.Sprintf("%s is on no interface's subnet, so it has no session", name), "an interface, or multihop with a source")
		return true
	default:
		return true
	}
	return false
}
