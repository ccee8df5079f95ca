package config

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"routerd/internal/origin"
	"routerd/internal/tomltext"
	"routerd/routing/keys"
	"routerd/routing/rip"
)

// placed notes where something stands, for Diff.
func (c *Config) placed(r *reader, at tomltext.Path) {
	if c.places == nil {
		c.places = map[string]origin.ID{}
	}
	c.places[at.String()] = r.origin(at)
}

func (c *Config) placeOf(path string) origin.Place { return c.Origins.Place(c.places[path]) }

// ripObjects adds [rip] or [ripng], its interfaces and what it redistributes to
// what Diff compares.
func (c *Config) ripObjects(all map[string]object, p rip.Protocol) {
	of, spoken := c.Protocols[p.String()]
	if !spoken {
		return
	}
	cfg := of.Config.(rip.Config)
	name := p.String()
	fields := map[string]string{
		"update-interval": cfg.Update.String(), "invalid-interval": cfg.Invalid.String(), "flush-interval": cfg.Flush.String(),
		"maximum-paths": fmt.Sprint(cfg.MaximumPaths), "max-routes": fmt.Sprint(cfg.MaxRoutes),
	}
	if d := cfg.DefaultInformation; d != nil {
		fields["default-information"] = fmt.Sprintf("metric %d, tag %d", d.Metric, d.Tag)
	}
	for _, d := range of.Redistribute {
		key := "redistribute." + d.Source.String()
		fields[key] = strings.TrimSuffix(fmt.Sprintf("metric %d, tag %d, policy %s", d.Metric, d.Tag, c.named[name+"."+key+".policy"]), ", policy ")
	}
	all[name] = object{fields, c.placeOf(name)}
	for _, iface := range sortedKeys(cfg.Interfaces) {
		path := name + ".interface." + iface
		all[path] = object{c.ripInterfaceFields(path, cfg.Interfaces[iface], c.named[path+".auth.keys"], p), c.placeOf(path)}
	}
}

func (c *Config) ripInterfaceFields(path string, i rip.InterfaceConfig, chain string, p rip.Protocol) map[string]string {
	fields := map[string]string{
		"passive": textOf(i.Passive, i.Passive), "metric": fmt.Sprint(i.Metric), "offset-out": textOf(i.OffsetOut, i.OffsetOut != 0),
		"split-horizon": i.SplitHorizon.String(), "neighbors": joined(i.Neighbors),
		"allowed-neighbors": joined(i.AllowedNeighbors), "maximum-prefix": fmt.Sprint(i.MaximumPrefix),
		"import-policy": c.named[path+".import-policy"], "export-policy": c.named[path+".export-policy"],
	}
	if p == rip.RIP {
		fields["receive-version"] = i.Receive.String()
		if i.Auth.Algorithm != keys.None {
			fields["auth"] = fmt.Sprintf("%s keys %s", i.Auth.Algorithm, chain)
		}
	}
	return fields
}

// keyObjects adds the chains of keys. A secret stands there as a number that
// says nothing but whether it is the same in this process.
func (c *Config) keyObjects(all map[string]object) {
	for _, name := range sortedKeys(c.Keys) {
		fields := map[string]string{}
		for n, k := range c.Keys[name] {
			text := "file " + k.File
			if k.Algorithm != keys.None {
				text += ", algorithm " + k.Algorithm.String()
			}
			text += lifetimeText(", send ", k.Send) + lifetimeText(", accept ", k.Accept)
			if sums := c.sums[name]; n < len(sums) {
				text += fmt.Sprintf(" (sum %s)", sums[n])
			}
			fields[fmt.Sprintf("id %d", k.ID)] = text
		}
		all["keys."+name] = object{fields, c.placeOf("keys." + name)}
	}
}

func lifetimeText(word string, l keys.Lifetime) string {
	if l == (keys.Lifetime{}) {
		return ""
	}
	end := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	return word + end(l.From) + "/" + end(l.Until)
}

// diffKey is another one in each process, so that nobody can try secrets
// against what a diff shows.
var diffKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
})

func keyed(secret []byte) []byte {
	h := hmac.New(sha256.New, diffKey())
	h.Write(secret)
	return h.Sum(nil)
}
