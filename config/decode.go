package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/tomltext"
	"routerd/routing"
)

// decode makes a Config of the text.
func (r *reader) decode() *Config {
	r.watches.Document = r.Document
	top := r.Root()
	c := &Config{
		Name:     tomltext.Get(top, "name", "routerd", routerName),
		StateDir: tomltext.Get(top, "state-dir", "", absolutePath),
	}
	log := top.Section("log")
	c.Log.Level = tomltext.Get(log, "level", "info", tomltext.Word("debug", "info", "warn", "error"))
	c.Log.Format = tomltext.Get(log, "format", "auto", tomltext.Word("auto", "journal", "text", "json"))
	log.Done()

	r.decodeListen(top, c)
	r.decodeForwarding(top, c)
	interfaces := r.decodeInterfaces(top.Section("interface"), c)
	r.decodeStack(top, c)
	statics := r.decodeRoutes(top, c)
	r.decodeKeys(top, c)
	r.decodePolicy(top, c)
	r.decodeProtocols(top, c, interfaces)
	r.decodeNAT(top, c)
	r.decodeACL(top, c)
	r.decodeZones(top, c)
	c.addressStack()
	top.Done()

	if len(top.Table) == 0 {
		p := r.Odd(nil, "the configuration is empty: the router has no interface", "")
		p.Line = "" // there is none to show
	}
	r.check(c, interfaces, statics)
	return c
}

func (r *reader) decodeForwarding(top *tomltext.Section, c *Config) {
	d := &c.Dataplane
	forwarding := top.Section("forwarding")
	d.MartianSources = martians(forwarding, "martian-sources", dataplane.DefaultMartianSources)
	d.MartianDestinations = martians(forwarding, "martian-destinations", dataplane.DefaultMartianDestinations)
	d.Reassembly = reassembly.Default
	d.Reassembly.Timeout = tomltext.Get(forwarding, "reassembly-timeout", d.Reassembly.Timeout, tomltext.Duration(time.Second, 2*time.Minute))
	d.Reassembly.Packets = tomltext.Get(forwarding, "reassembly-packets", d.Reassembly.Packets, tomltext.Whole(0, 4096))
	d.Reassembly.Bytes = tomltext.Get(forwarding, "reassembly-bytes", d.Reassembly.Bytes, tomltext.Whole(0, 1<<28))
	d.OffloadFlows = tomltext.Get(forwarding, "offload-flows", dataplane.DefaultOffloadFlows, tomltext.Whole(0, dataplane.MaxOffloadFlows))
	forwarding.Done()

	errs := top.Section("icmp")
	d.ICMP = icmp.Config{
		ErrorRate:  tomltext.Get(errs, "error-rate", icmp.DefaultConfig.ErrorRate, tomltext.Whole(0, 1_000_000)),
		ErrorBurst: tomltext.Get(errs, "error-burst", icmp.DefaultConfig.ErrorBurst, tomltext.Whole(1, 1_000_000)),
		Redirects:  tomltext.Get(errs, "redirects", icmp.DefaultConfig.Redirects, tomltext.Bool),
	}
	errs.Done()
}

// martians reads a list that replaces the default one, even if it is empty.
func martians(s *tomltext.Section, key string, def []netip.Prefix) []netip.Prefix {
	given := tomltext.Distinct(s, key, tomltext.AnySubnet)
	if !s.Has(key) {
		s.Default(key, joined(def))
		return def
	}
	out := []netip.Prefix{}
	for _, p := range given {
		out = append(out, p.Value)
	}
	return out
}

func (r *reader) decodeRoutes(top *tomltext.Section, c *Config) []*staticPlaces {
	table := top.Section("rib")
	distances := table.Section("distance")
	// Connected routes are not in the list: nothing may be preferred to them.
	for s := routing.SourceStatic; int(s) < routing.NumSources; s++ {
		c.RIB.Distance[s] = uint8(tomltext.Get(distances, s.String(), 0, tomltext.Whole(1, 255)))
		distances.Default(s.String(), fmt.Sprint(s.DefaultDistance()))
	}
	distances.Done()
	table.Done()
	static := top.Section("static")
	var all []*staticPlaces
	for _, s := range static.Sections("route") {
		if route := r.decodeStatic(s, c); route != nil {
			c.RIB.Static = append(c.RIB.Static, *route.StaticRoute)
			all = append(all, route)
		}
	}
	c.RouteFile = tomltext.Get(static, "file", "", tomltext.Text("the path of a file of routes"))
	static.Done()
	r.statics = all
	return all
}

// routerName reads the router's name, which becomes part of the names of files
// and namespaces.
var routerName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !isName(s, 32) {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: "a name of 1 to 32 letters, digits, '-', '_' and '.', beginning with a letter or digit"}

var absolutePath = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !filepath.IsAbs(s) {
		return "", tomltext.ErrUnwanted
	}
	return filepath.Clean(s), nil
}, Want: `an absolute path, "/var/lib/routerd"`}

func isName(s string, longest int) bool {
	for i, c := range s {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("-_.", c)) {
			return false
		}
	}
	return s != "" && len(s) <= longest
}
