package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// Change is one difference between two configurations.
type Change struct {
	Kind   string // added | removed | changed
	Path   string // "interface.lan0.mtu"; a static route is named by its prefix and distance
	Old    string // "" when added
	New    string // "" when removed
	Impact string // what it means for traffic; "" when nothing
	Object string // what has changed, without the key of it that did: "interface.lan0"; "" for what has no name
	// Origin is where the new configuration says so; of what it no longer
	// says, where the old one did.
	Origin origin.Place
}

// object is a part of a configuration that has an identity, with its values
// as text.
type object struct {
	fields map[string]string
	origin origin.Place
}

// Diff gives what changes from old to new, in order of path. Things are the
// same when they have the same name, wherever they stand in the file.
func Diff(old, new *Config) []Change {
	a, b := objects(old), objects(new)
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if _, stays := b[name]; !stays {
			changes = append(changes, Change{"removed", name, summary(a[name]), "", impact(name, "", "removed"), name, a[name].origin})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		was, known := a[name]
		is := b[name]
		if !known {
			changes = append(changes, Change{"added", name, "", summary(is), impact(name, "", "added"), name, is.origin})
			continue
		}
		keys := maps.Clone(was.fields)
		maps.Copy(keys, is.fields)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if from, to := was.fields[key], is.fields[key]; from != to {
				path := strings.TrimPrefix(name+"."+key, ".")
				changes = append(changes, Change{"changed", path, from, to, impact(name, key, "changed"), name, is.origin})
			}
		}
	}
	stackImpact(changes, old.LocalStack, new.LocalStack)
	changes = append(changes, natOrder(old, new)...)
	slices.SortStableFunc(changes, func(x, y Change) int { return cmp.Compare(x.Path, y.Path) })
	return changes
}

func summary(o object) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		if v := o.fields[key]; v != "" {
			parts = append(parts, key+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// objects takes a configuration apart. The object "" is what has no name.
func objects(c *Config) map[string]object {
	d := &c.Dataplane
	all := map[string]object{"": {fields: map[string]string{
		"name":      c.Name,
		"state-dir": c.StateDir,
		"log.level": c.Log.Level, "log.format": c.Log.Format,
		"api.listen": strings.Join(c.API.Listen, " "), "api.group": c.API.Group,
		"metrics.listen": c.Metrics.Listen, "metrics.host-names": strings.Join(c.Metrics.HostNames, " "),
		"forwarding.martian-sources":      joined(d.MartianSources),
		"forwarding.martian-destinations": joined(d.MartianDestinations),
		"forwarding.reassembly-timeout":   d.Reassembly.Timeout.String(),
		"forwarding.reassembly-packets":   fmt.Sprint(d.Reassembly.Packets),
		"forwarding.reassembly-bytes":     fmt.Sprint(d.Reassembly.Bytes),
		"icmp.error-rate":                 fmt.Sprint(d.ICMP.ErrorRate),
		"icmp.error-burst":                fmt.Sprint(d.ICMP.ErrorBurst),
		"icmp.redirects":                  fmt.Sprint(d.ICMP.Redirects),
	}}}
	for s := routing.SourceConnected; int(s) < routing.NumSources; s++ {
		all[""].fields["rib.distance."+s.String()] = textOf(c.RIB.Distance[s], c.RIB.Distance[s] != 0)
	}
	c.stackObject(all)
	c.natFields(all[""].fields)
	for _, i := range d.Interfaces {
		if i.Kind == dataplane.KindStack {
			continue // its values are [local-stack]'s
		}
		all["interface."+i.Name] = c.interfaceObject(i)
	}
	for _, s := range c.RIB.Static {
		name := fmt.Sprintf("static.route.%s", s.Prefix)
		if s.Distance != 0 && s.Distance != c.staticDistance(&rib.StaticRoute{}) {
			name += fmt.Sprintf(" distance %d", s.Distance)
		}
		var hops []string
		for _, h := range s.NextHops {
			hop := textOf(h.Address, h.Address.IsValid())
			if h.Interface != "" {
				hop = strings.TrimSpace(hop + " on " + h.Interface)
			}
			if h.Weight > 1 {
				hop += fmt.Sprintf(" weight %d", h.Weight)
			}
			hops = append(hops, hop)
		}
		fields := map[string]string{"next-hop": strings.Join(hops, ", "), "tag": textOf(s.Tag, s.Tag != 0)}
		if s.Action != routing.Forward {
			fields["action"] = s.Action.String()
		}
		all[name] = object{fields, c.Origins.Place(s.Origin)}
	}
	c.policyObjects(all)
	c.keyObjects(all)
	c.ripObjects(all, rip.RIP)
	c.ripObjects(all, rip.RIPng)
	c.natObjects(all)
	return all
}

func (c *Config) interfaceObject(i dataplane.InterfaceConfig) object {
	fields := map[string]string{"kind": string(i.Kind), "mtu": fmt.Sprint(i.MTU), "urpf": textOf(i.URPF, i.URPF != dataplane.URPFOff), "mss": i.MSS.String()}
	var addresses []string
	for _, a := range i.Addresses {
		addresses = append(addresses, a.Prefix.String())
	}
	fields["addresses"] = strings.Join(addresses, " ")
	for _, t := range c.TAP {
		if t.Name == i.Name {
			fields["host.netns"], fields["host.device"], fields["host.bridge"] = t.Host.Netns, t.Host.Device, t.Bridge
			fields["host.addresses"], fields["host.routes"] = joined(t.Host.Addresses), joined(t.Host.Routes)
			neighborFields(fields, &i.Neighbor)
		}
	}
	for _, p := range c.Packet {
		if p.Name == i.Name {
			fields["mtu"], fields["netns"], fields["device"] = "", p.Netns, p.Device
			fields["take-over"] = textOf(p.TakeOver, p.TakeOver)
			neighborFields(fields, &i.Neighbor)
		}
	}
	for _, t := range c.TUN {
		if t.Name == i.Name {
			fields["host.netns"], fields["host.device"] = t.Host.Netns, t.Host.Device
			fields["host.addresses"], fields["host.routes"] = joined(t.Host.Addresses), joined(t.Host.Routes)
		}
	}
	return object{fields, c.Origins.Place(i.Origin)}
}

func neighborFields(fields map[string]string, n *dataplane.NeighborConfig) {
	fields["neighbor.timeout"] = textOf(n.Timeout, n.Timeout != 0)
	fields["neighbor.proxy-arp"] = textOf(n.ProxyARP, n.ProxyARP)
	var static []string
	for _, s := range n.Static {
		static = append(static, s.Addr.String()+" at "+s.MAC.String())
	}
	slices.Sort(static)
	fields["neighbor.static"] = strings.Join(static, ", ")
	if n.RA != nil {
		var prefixes []string
		for _, p := range n.RA.Prefixes {
			prefixes = append(prefixes, p.Prefix.String())
		}
		fields["ra.prefix"], fields["ra.rdnss"] = strings.Join(prefixes, " "), joined(n.RA.RDNSS)
		fields["ra.mtu"] = textOf(n.RA.LinkMTU, n.RA.LinkMTU != 0)
		fields["ra.managed"], fields["ra.other-config"] = textOf(n.RA.Managed, n.RA.Managed), textOf(n.RA.Other, n.RA.Other)
		fields["ra.preference"] = textOf(n.RA.Preference, n.RA.Preference != arp.PreferenceMedium)
		fields["ra.max-interval"], fields["ra.min-interval"] = n.RA.MaxInterval.String(), n.RA.MinInterval.String()
		fields["ra.lifetime"] = n.RA.DefaultLifetime.String()
		if len(n.RA.Prefixes) > 0 {
			p := n.RA.Prefixes[0] // all have the same
			fields["ra.autonomous"] = textOf(p.Autonomous, !p.Autonomous)
			fields["ra.valid-lifetime"], fields["ra.preferred-lifetime"] = p.Valid.String(), p.Preferred.String()
		}
	}
}

func textOf(v any, given bool) string {
	if !given {
		return ""
	}
	return fmt.Sprint(v)
}

func joined[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return strings.Join(words, " ")
}

// impact says what a change means for traffic.
func impact(object, key, kind string) string {
	isInterface := strings.HasPrefix(object, "interface.")
	switch {
	case isInterface && kind == "added":
		return "its device is made"
	case isInterface && kind == "removed":
		return "its device goes, and with it the routes that lead there"
	case isInterface && (key == "kind" || key == "host.netns" || key == "host.device" || key == "netns" || key == "device" || key == "take-over"):
		return "its device is made anew: the link is down for a moment"
	case isInterface && key == "mss":
		return "for connections that begin from now on"
	case strings.HasPrefix(object, "nat.") && kind != "added":
		return "translated sessions that stand on it end"
	case key == "nat.mapping" || key == "nat.pairing":
		return "for what begins from now on; sessions stay"
	case object == "local-stack" && kind == "added":
		return "the router's own TCP/IP stack is made"
	case object == "local-stack" && kind == "removed":
		return "the router's own TCP/IP stack goes: its sessions end"
	case key == "name":
		return "refused: another name needs a restart"
	case key == "log.format":
		return "taken up by the next start"
	case strings.HasPrefix(key, "forwarding.reassembly-"):
		return "fragments held for the router itself are given up"
	}
	return ""
}
