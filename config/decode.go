package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/routing"
)

// decode turns the values of a file into a Config.
func (r *reader) decode(values map[string]any) *Config {
	top := &section{r: r, table: values}
	c := &Config{
		Name: get(top, "name", "routerd", routerName),
	}
	log := top.section("log")
	c.Log.Level = get(log, "level", "info", word("debug", "info", "warn", "error"))
	c.Log.Format = get(log, "format", "auto", word("auto", "journal", "text", "json"))
	log.done()

	api := top.section("api")
	for _, l := range once(r, list(api, "listen", socketAddress)) {
		c.API.Listen = append(c.API.Listen, l.value)
	}
	api.done()
	metrics := top.section("metrics")
	c.Metrics.Listen = get(metrics, "listen", "", hostPort)
	metrics.done()

	r.decodeForwarding(top, c)
	interfaces := r.decodeInterfaces(top.section("interface"), c)
	statics := r.decodeRoutes(top, c)
	top.done()

	if len(values) == 0 {
		r.problems = append(r.problems, Problem{
			Place: r.problem(span{}, "").Place, Width: 1, Warning: true,
			Message: "the configuration is empty: the router has no interface",
		})
	}
	r.check(c, interfaces, statics)
	return c
}

func (r *reader) decodeForwarding(top *section, c *Config) {
	d := &c.Dataplane
	forwarding := top.section("forwarding")
	d.MartianSources = martians(forwarding, "martian-sources", dataplane.DefaultMartianSources)
	d.MartianDestinations = martians(forwarding, "martian-destinations", dataplane.DefaultMartianDestinations)
	d.Reassembly = reassembly.Default
	d.Reassembly.Timeout = get(forwarding, "reassembly-timeout", d.Reassembly.Timeout, duration(time.Second, 2*time.Minute))
	d.Reassembly.Packets = get(forwarding, "reassembly-packets", d.Reassembly.Packets, whole(0, 4096))
	forwarding.done()

	errs := top.section("icmp")
	d.ICMP = icmp.Config{
		ErrorRate:  get(errs, "error-rate", icmp.DefaultConfig.ErrorRate, whole(0, 1_000_000)),
		ErrorBurst: get(errs, "error-burst", icmp.DefaultConfig.ErrorBurst, whole(1, 1_000_000)),
	}
	errs.done()
}

// martians reads a list that replaces the default one, also by nothing.
func martians(s *section, key string, def []netip.Prefix) []netip.Prefix {
	given := once(s.r, list(s, key, anySubnet))
	if !s.has(key) {
		return def
	}
	out := []netip.Prefix{}
	for _, p := range given {
		out = append(out, p.value)
	}
	return out
}

func (r *reader) decodeRoutes(top *section, c *Config) []*staticPlaces {
	table := top.section("rib")
	distances := table.section("distance")
	// The others' protocols are not built.
	c.RIB.Distance[routing.SourceStatic] = uint8(get(distances, routing.SourceStatic.String(), 0, whole(1, 255)))
	distances.done()
	table.done()
	static := top.section("static")
	var all []*staticPlaces
	for _, s := range static.sections("route") {
		if route := r.decodeStatic(s); route != nil {
			c.RIB.Static = append(c.RIB.Static, *route.StaticRoute)
			all = append(all, route)
		}
	}
	static.done()
	return all
}

// routerName is also a file's name and part of a namespace's.
var routerName = reading[string]{func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !isName(s, 32) {
		return "", errOther
	}
	return s, nil
}, "a name of 1 to 32 letters, digits, '-', '_' and '.', beginning with a letter or digit"}

func isName(s string, longest int) bool {
	for i, c := range s {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("-_.", c)) {
			return false
		}
	}
	return s != "" && len(s) <= longest
}

var socketAddress = reading[string]{func(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errOther
	}
	p, isUnix := strings.CutPrefix(s, "unix://")
	if !isUnix {
		if strings.HasPrefix(s, "/") {
			return "", hint{suggestion: fmt.Sprintf("did you mean %q?", "unix://"+s)}
		}
		return "", errOther
	}
	// sun_path has 108 bytes with the zero at its end (unix(7)).
	if !strings.HasPrefix(p, "/") || len(p) > 107 {
		return "", errOther
	}
	return s, nil
}, `a unix socket with an absolute path of at most 107 bytes: "unix:///run/routerd/r1.sock"`}

var hostPort = reading[string]{func(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errOther
	}
	_, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", errOther
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return "", errOther
	}
	return s, nil
}, `an address and port: "127.0.0.1:9179"`}

func word(words ...string) reading[string] { return oneOf(words, words) }
