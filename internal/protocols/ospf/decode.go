package ospf

import (
	"fmt"
	"time"

	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
	"routerd/routing/policy"
	"routerd/routing/rib"
)

// Metrics of routes that are redistributed and of the default route, as FRR has
// them.
const (
	defaultMetric       = 20
	defaultRouteMetric  = 10
	defaultAlwaysMetric = 1
)

// decoder reads [ospf].
type decoder struct {
	*decode.Context
	// passive is what interfaces are that do not say so themselves.
	passive bool
	areas   map[wire.ID]tomltext.Path // that have a table
}

// Decode reads the table of the protocol, and what it redistributes.
func Decode(c *decode.Context, s *tomltext.Section) router.ProtocolConfig {
	d := &decoder{Context: c, areas: map[wire.ID]tomltext.Path{}}
	cfg := ospf.DefaultConfig()
	if id := tomltext.Get(s, "router-id", c.RouterID, decode.RouterID); id.IsValid() {
		cfg.RouterID = wire.IDOf(id)
	}
	cfg.ReferenceBandwidth = uint64(tomltext.Get(s, "reference-bandwidth", bandwidth(cfg.ReferenceBandwidth), bandwidthReading))
	cfg.MaximumPaths = tomltext.Get(s, "maximum-paths", cfg.MaximumPaths, tomltext.Whole(1, routing.MaxNextHops))
	cfg.MaxLSA = tomltext.Get(s, "max-lsa", cfg.MaxLSA, tomltext.Whole(0, 1<<28))
	cfg.RFC1583 = tomltext.Get(s, "rfc1583-compatibility", cfg.RFC1583, tomltext.Bool)
	cfg.StandardABR = tomltext.Get(s, "abr-type", cfg.StandardABR, abrReading)
	cfg.PrefixSuppression = tomltext.Get(s, "prefix-suppression", cfg.PrefixSuppression, tomltext.Bool)
	cfg.FastReroute = tomltext.Get(s, "fast-reroute", cfg.FastReroute, tomltext.Bool)
	d.passive = tomltext.Get(s, "passive-default", false, tomltext.Bool)
	cfg.Import = Policy(d.chain(s, "import-policy"))
	d.decodeDistance(s.Section("distance"), &cfg)
	d.decodeSPF(s.Section("spf"), &cfg.SPF)
	d.decodeStubRouter(s.Section("stub-router"), &cfg.StubRouter)
	d.decodeHelper(s.Section("graceful-restart-helper"), &cfg.Helper)
	cfg.DefaultInformation = d.decodeDefault(s.Optional("default-information"))
	redistributed := d.decodeRedistribute(s, &cfg)
	d.decodeAreas(s.Section("area"), &cfg)
	redistributed = withDefaults(redistributed, &cfg)
	c.OnInterfaces(s, Kind(), func(i *tomltext.Section, name string) { cfg.Interfaces[name] = d.decodeInterface(i, name) })
	s.Done()
	d.checkAreas(s, &cfg)
	return router.ProtocolConfig{Config: cfg, Redistribute: redistributed}
}

func (d *decoder) decodeDistance(s *tomltext.Section, cfg *ospf.Config) {
	all := d.Distance[routing.SourceOSPF]
	if all == 0 {
		all = routing.SourceOSPF.DefaultDistance()
	}
	one := func(key string) uint8 { return uint8(tomltext.Get(s, key, int(all), tomltext.Whole(1, 255))) }
	cfg.Distance = ospf.Distances{IntraArea: one("intra-area"), InterArea: one("inter-area"), External: one("external")}
	s.Done()
}

func (d *decoder) decodeSPF(s *tomltext.Section, t *ospf.Throttle) {
	delay := tomltext.Duration(0, time.Minute)
	t.InitialDelay = tomltext.Get(s, "initial-delay", t.InitialDelay, delay)
	t.ShortDelay = tomltext.Get(s, "short-delay", t.ShortDelay, delay)
	t.LongDelay = tomltext.Get(s, "long-delay", t.LongDelay, delay)
	t.TimeToLearn = tomltext.Get(s, "time-to-learn", t.TimeToLearn, delay)
	t.HoldDown = tomltext.Get(s, "hold-down", t.HoldDown, delay)
	s.Done()
	for _, x := range []struct {
		key, than string
		is, least time.Duration
	}{
		{"short-delay", "initial-delay", t.ShortDelay, t.InitialDelay},
		{"long-delay", "short-delay", t.LongDelay, t.ShortDelay},
		{"hold-down", "time-to-learn", t.HoldDown, t.TimeToLearn}, // RFC 8405 §3
	} {
		if x.is >= x.least {
			continue
		}
		at := s.At.With(x.key)
		if !s.Has(x.key) {
			at = s.At.With(x.than)
		}
		d.Wrong(at, fmt.Sprintf("the %s is %v and the %s %v", x.key, x.is, x.than, x.least), fmt.Sprintf("a longer %s", x.key))
	}
}

func (d *decoder) decodeStubRouter(s *tomltext.Section, r *ospf.StubRouter) {
	r.Always = tomltext.Get(s, "always", r.Always, tomltext.Bool)
	r.OnStartup = tomltext.Get(s, "on-startup", r.OnStartup, tomltext.Duration(0, 24*time.Hour))
	r.OnShutdown = tomltext.Get(s, "on-shutdown", r.OnShutdown, tomltext.Duration(0, 100*time.Second))
	s.Done()
}

func (d *decoder) decodeHelper(s *tomltext.Section, h *ospf.Helper) {
	h.Off = !tomltext.Get(s, "enabled", !h.Off, tomltext.Bool)
	h.LooseLSAChecking = !tomltext.Get(s, "strict-lsa-checking", !h.LooseLSAChecking, tomltext.Bool)
	h.LongestGrace = tomltext.Get(s, "longest-grace", h.LongestGrace, seconds(1, 1800)) // RFC 3623 §B.1
	s.Done()
}

// decodeDefault reads what is said of a default route; nil where nothing is.
func (d *decoder) decodeDefault(s *tomltext.Section) *ospf.Origination {
	o := ospf.Origination{Always: tomltext.Get(s, "always", false, tomltext.Bool)}
	metric := defaultRouteMetric
	if o.Always {
		metric = defaultAlwaysMetric
	}
	o.Metric = uint32(tomltext.Get(s, "metric", metric, metricReading))
	o.Type1 = tomltext.Get(s, "metric-type", 2, tomltext.Whole(1, 2)) == 1
	o.Tag = uint32(tomltext.Get(s, "tag", 0, tagReading))
	if s.Done(); s.Table == nil {
		return nil
	}
	return &o
}

// decodeRedistribute reads what is redistributed, and how.
func (d *decoder) decodeRedistribute(s *tomltext.Section, cfg *ospf.Config) []rib.Redistribution {
	metric := tomltext.Get(s, "default-metric", defaultMetric, metricReading)
	var type1 []bool
	list := d.Redistribute(s.Section("redistribute"), []routing.Source{routing.SourceOSPF},
		func(t *tomltext.Section) (rib.Redistribution, policy.Chain) {
			type1 = append(type1, tomltext.Get(t, "metric-type", 2, tomltext.Whole(1, 2)) == 1)
			return rib.Redistribution{
				Metric: uint32(tomltext.Get(t, "metric", metric, metricReading)),
				Tag:    uint32(tomltext.Get(t, "tag", 0, tagReading)),
			}, d.chain(t, "policy")
		})
	for i, r := range list {
		cfg.Type1[r.Source], cfg.Default[r.Source] = type1[i], r.Policy != nil
	}
	return list
}

// chain reads the names of policies.
func (d *decoder) chain(s *tomltext.Section, key string) policy.Chain {
	chain := d.Chain(s, key)
	for _, p := range chain {
		if p.SetsNextHop() {
			d.Odd(s.At.With(key), fmt.Sprintf("policy %s sets a next hop, which changes nothing in OSPF", p.Name), "metrics and tags to be set")
		}
	}
	return chain
}
