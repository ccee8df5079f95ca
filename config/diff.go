package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"routerd/internal/origin"
	"routerd/internal/protocols"
	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing/rib"
)

// Change is one difference between two configurations.
type Change struct {
	Kind   string // added | removed | changed
	Path   string // "interface.lan0.mtu"; a static route is named by its prefix and distance
	Old    string // "" when added
	New    string // "" when removed
	Impact string // effect on traffic; "" for none
	Object string // the object whose key has changed: "interface.lan0"; "" if it has no name
	// Origin is the place in the new configuration; for what was removed, the
	// place in the old one.
	Origin origin.Place
}

// Diff returns the changes from old to new, sorted by path. Objects are
// identified by name, wherever they are in the file.
func Diff(old, new *Config) []Change {
	if old.recording == nil || new.recording == nil {
		return nil // of what could not be read
	}
	impacts := impacts(func(protocol string) bool {
		_, was := old.Protocols[protocol]
		_, is := new.Protocols[protocol]
		return was && is
	})
	var ordered []string
	for _, i := range impacts {
		if i.Kind == "moved" {
			ordered = append(ordered, i.Pattern)
		}
	}
	var changes []Change
	for _, d := range tomltext.Compare(old.recording, new.recording, ordered...) {
		c := Change{Kind: d.Kind, Path: d.Path, Old: d.Old, New: d.New, Impact: impact(impacts, &d), Object: d.Object, Origin: d.Place}
		if d.Kind == "moved" {
			c.Kind = "changed"
		}
		changes = append(changes, c)
	}
	stackImpact(changes, old.LocalStack, new.LocalStack)
	return routesChange(changes, old, new)
}

// routesChange says how many routes of the files differ, but not which: there may
// be a million.
func routesChange(changes []Change, old, new *Config) []Change {
	d, _ := old.RIB.List.Compare(new.RIB.List)
	if d == (rib.Difference{}) {
		return changes
	}
	const path = "static.file"
	at, found := slices.BinarySearchFunc(changes, path, func(c Change, p string) int { return strings.Compare(c.Path, p) })
	if !found {
		c := Change{Kind: "changed", Path: path, Old: old.RouteFile, New: new.RouteFile, Origin: origin.Place{File: new.RouteFile, Line: 1}}
		changes = slices.Insert(changes, at, c)
	}
	c := &changes[at]
	for _, side := range []struct {
		text *string
		cfg  *Config
	}{{&c.Old, old}, {&c.New, new}} {
		if *side.text != "" {
			*side.text += fmt.Sprintf(" (%d routes)", side.cfg.RIB.List.Len())
		}
	}
	c.Impact = fmt.Sprintf("routes added: %d, removed: %d, changed: %d", d.Added, d.Removed, d.Changed)
	return changes
}

// Share has next keep the routes of now's file where they are the same on the
// same lines, so that they are not kept twice and nobody has to compare them again.
func Share(now, next *Config) {
	d, moved := now.RIB.List.Compare(next.RIB.List)
	if d == (rib.Difference{}) && !moved {
		next.RIB.List = now.RIB.List
	}
}

const (
	deviceAnew       = "its device is made anew: the link is down for a moment"
	laterConnections = "for connections that begin from now on"
	clientsGo        = "clients whose role changes by it are disconnected from the API"
	sessionsEnd      = "translated sessions that stand on it end"
	laterFlows       = "for what begins from now on; sessions stay"
	fragmentsEnd     = "fragments held for the router itself are given up"
)

// impacts returns the effects of changes on traffic, by patterns of paths:
// those for every router, and those of the protocols. What a protocol says of keys
// outside its own table counts where it is spoken.
func impacts(spoken func(protocol string) bool) []decode.Impact {
	list := []decode.Impact{
		{Pattern: "name", Means: "refused: another name needs a restart"},
		{Pattern: "log.format", Means: "taken up by the next start"},
		{Pattern: "state-dir", Means: "taken up by the next start"},
		{Pattern: "api.tls.certificate", Means: laterConnections},
		{Pattern: "api.tls.key", Means: laterConnections},
		{Pattern: "api.tls.client-ca", Means: clientsGo},
		{Pattern: "api.tls.client-role", Means: clientsGo},
		{Pattern: "api.tls.client-auth", Means: "for requests that begin from now on"},
		{Pattern: "api.tls.client.*", Kind: "removed", Means: clientsGo},
		{Pattern: "api.tls.client.*", Kind: "changed", Means: clientsGo},
		{Pattern: "interface.*", Kind: "added", Means: "its device is made"},
		{Pattern: "interface.*", Kind: "removed", Means: "its device goes, and with it the routes that lead there"},
		{Pattern: "interface.*.kind", Means: deviceAnew},
		{Pattern: "interface.*.host.netns", Means: deviceAnew},
		{Pattern: "interface.*.host.device", Means: deviceAnew},
		{Pattern: "interface.*.netns", Means: deviceAnew},
		{Pattern: "interface.*.device", Means: deviceAnew},
		{Pattern: "interface.*.take-over", Means: deviceAnew},
		{Pattern: "interface.*.mss", Means: laterConnections},
		{Pattern: "interface.*.offload", Means: "who carries its flows from now on, the kernel or user space; none is interrupted"},
		{Pattern: "nat.mapping", Means: laterFlows},
		{Pattern: "nat.pairing", Means: laterFlows},
		{Pattern: "local-stack", Kind: "added", Means: "the router's own TCP/IP stack is made"},
		{Pattern: "local-stack", Kind: "removed", Means: "the router's own TCP/IP stack goes: its sessions end"},
		{Pattern: "forwarding.reassembly-timeout", Means: fragmentsEnd},
		{Pattern: "forwarding.reassembly-packets", Means: fragmentsEnd},
		{Pattern: "forwarding.reassembly-bytes", Means: fragmentsEnd},
		{Pattern: "forwarding.offload-flows", Means: "taken up by the next start"},
		{Pattern: "policy.definition.*.statement", Kind: "moved", Means: "another order: the first statement that decides counts"},
	}
	for _, table := range []string{"nat.pool.*", "nat.source", "nat.destination", "nat.static"} {
		list = append(list, decode.Impact{Pattern: table, Kind: "removed", Means: sessionsEnd}, decode.Impact{Pattern: table, Kind: "changed", Means: sessionsEnd})
		if table != "nat.pool.*" {
			list = append(list, decode.Impact{Pattern: table, Kind: "moved", Means: "another order, " + laterFlows})
		}
	}
	for _, p := range protocols.All() {
		for _, i := range p.Impacts {
			if table, _, _ := strings.Cut(i.Pattern, "."); table == p.Name || spoken(p.Name) {
				list = append(list, i)
			}
		}
	}
	return list
}

// impact returns the effect of a difference by the most specific pattern that
// matches, and of those of one pattern by what is said of this kind of difference.
// Protocols may say different things of one key that they share.
func impact(impacts []decode.Impact, d *tomltext.Difference) string {
	var best decode.Impact
	for _, i := range impacts {
		if i.Pattern != d.Pattern && i.Pattern != d.Table || i.Kind != d.Kind && i.Kind != "" {
			continue
		}
		switch more := cmp.Or(cmp.Compare(len(i.Pattern), len(best.Pattern)), cmp.Compare(len(i.Kind), len(best.Kind))); {
		case more > 0:
			best = i
		case more == 0:
			best.Means += "; " + i.Means
		}
	}
	return best.Means
}

func joined[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return strings.Join(words, " ")
}
