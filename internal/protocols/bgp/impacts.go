package bgp

import "routerd/internal/protocols/decode"

// Impacts say what changes of the protocol's table mean for traffic.
func Impacts() []decode.Impact {
	list := []decode.Impact{
		{Pattern: name, Kind: "added", Means: "sessions begin; the router's own TCP/IP stack is made if there is none"},
		{Pattern: name, Kind: "removed", Means: "all sessions end, and the routes that they brought go"},
		{Pattern: "router-id", Means: "all sessions of BGP end and begin again, unless it has a router ID of its own"},
		{Pattern: name + ".as", Means: "all sessions end and begin again"},
		{Pattern: name + ".router-id", Means: "all sessions end and begin again"},
		{Pattern: name + ".cluster-id", Means: "all sessions end and begin again"},
		{Pattern: name + ".listen", Means: "sessions stay; neighbors find the router there from now on"},
		{Pattern: name + ".port", Means: "sessions stay; neighbors find the router there from now on"},
		{Pattern: name + ".graceful-shutdown", Means: "no session ends: neighbors are told to use other ways, or no longer (RFC 8326)"},
		{Pattern: name + ".aggregate.*", Means: "no session ends: neighbors are sent the aggregate, or what it is made of, or other attributes of it"},
		{Pattern: name + ".redistribute.*", Kind: "added", Means: "no session ends: neighbors are sent these routes too"},
		{Pattern: name + ".redistribute.*", Kind: "removed", Means: "no session ends: these routes are withdrawn, unless they are among the networks"},
		{Pattern: name + ".redistribute.*", Means: "no session ends: neighbors are sent these routes with other MEDs, or others of them"},
	}
	for _, key := range []string{
		"decision", "decision.always-compare-med", "decision.deterministic-med", "decision.med-missing-as-worst", "decision.compare-router-id",
		"decision.ignore-as-path-length", "decision.ignore-next-hop-metric", "multipath", "multipath.ebgp", "multipath.ibgp", "multipath.as-path-relax",
	} {
		list = append(list, decode.Impact{Pattern: name + "." + key, Means: "no session ends: all routes are decided about again, and traffic may go other ways"})
	}
	for _, key := range []string{"networks", "networks.prefix", "networks.always"} {
		list = append(list, decode.Impact{Pattern: name + "." + key, Means: "no session ends: neighbors are told of networks that come, and those that go are withdrawn"})
	}
	list = append(list, rangeImpacts()...)
	list = append(list, neighborImpacts(name+".neighbor.*", "the session with it ends and begins again")...)
	list = append(list, neighborImpacts(name+".peer-group.*", "the sessions with its members end and begin again")...)
	return append(list,
		decode.Impact{Pattern: name + ".neighbor.*", Kind: "added", Means: "a session begins with it"},
		decode.Impact{Pattern: name + ".neighbor.*", Kind: "removed", Means: "the session with it ends, and its routes go"},
		decode.Impact{Pattern: name + ".neighbor.*.peer-group", Means: "it has from there what it does not say itself: its session ends and begins again if that is another transport, timer, AS or capability"},
		decode.Impact{Pattern: name + ".peer-group.*", Kind: "added", Means: "no session ends by that alone: what changes for a member is said of the member"},
		decode.Impact{Pattern: name + ".peer-group.*", Kind: "removed", Means: "no session ends by that alone: what changes for a member is said of the member"},
	)
}

// rangeImpacts say what changes of the ranges mean that neighbours may connect from.
func rangeImpacts() []decode.Impact {
	const of = name + ".listen-range.*"
	return []decode.Impact{
		{Pattern: of, Kind: "added", Means: "who connects from there is a neighbor"},
		{Pattern: of, Kind: "removed", Means: "the sessions of all who have connected from there end, and their routes go"},
		{Pattern: of + ".peer-group", Means: "the sessions of all who have connected from there end, unless the groups are alike"},
		{Pattern: of + ".peer-as", Means: "the sessions of all who have connected from there end and begin again"},
		{Pattern: of + ".limit", Means: "no session ends"},
	}
}

// resets are the keys whose change ends a session, which begins again.
var resets = []string{
	"peer-as", "local-as", "local-as-no-prepend", "local-as-replace-as", "local-address", "port", "passive", "multihop", "ttl-security",
	"auth-password-file", "hold-time", "keepalive-interval", "connect-retry", "delay-open", "afi-safis", "route-reflector-client",
	"route-server-client", "allow-own-as", "remove-private-as", "as-override", "next-hop-self", "next-hop-unchanged",
	"extended-next-hop", "enforce-first-as", "role", "role-strict",
}

// neighborImpacts say what changes of a neighbour's keys mean, or of a group's; again is
// that sessions end and begin again.
func neighborImpacts(of, again string) (list []decode.Impact) {
	for _, key := range resets {
		list = append(list, decode.Impact{Pattern: of + "." + key, Means: again})
	}
	list = append(list,
		decode.Impact{Pattern: of + ".advertisement-interval", Means: "no session ends: it counts from the next UPDATE on"},
		decode.Impact{Pattern: of + ".graceful-shutdown", Means: "no session ends: routes are sent again and asked for again, and other ways are used, or no longer (RFC 8326)"},
		decode.Impact{Pattern: of + ".bfd", Means: "it is watched, or no longer; where strict is said or no longer said, " + again},
		decode.Impact{Pattern: of + ".bfd.profile", Means: "no session ends: it is watched by the other profile"},
		decode.Impact{Pattern: of + ".bfd.strict", Means: again},
		decode.Impact{Pattern: of + ".shutdown", Means: "true ends the session, false begins it"},
	)
	list = append(list, familyImpacts(of, again)...)
	for _, f := range families {
		list = append(list, decode.Impact{Pattern: of + "." + f, Means: "no session ends, unless add-path is another one there: routes of this family are sent or asked for again, as far as needed"})
		list = append(list, familyImpacts(of+"."+f, again)...)
	}
	return list
}

// familyImpacts say what changes of the keys mean that a family may have of its own.
func familyImpacts(of, again string) []decode.Impact {
	const (
		limit      = "no session ends, unless there are more prefixes than there may be now"
		originates = "no session ends: a default route is sent, or another one, or it is withdrawn"
	)
	return []decode.Impact{
		{Pattern: of + ".import-policy", Means: "no session ends: with soft-reconfiguration what was kept is looked at again, else routes are asked for again, or the session begins again with who cannot send them again; those that it refuses go"},
		{Pattern: of + ".export-policy", Means: "no session ends: all routes are sent again, and those that it refuses are withdrawn"},
		{Pattern: of + ".default-originate", Means: originates},
		{Pattern: of + ".default-originate.always", Means: originates},
		{Pattern: of + ".default-originate.policy", Means: originates},
		{Pattern: of + ".soft-reconfiguration", Means: "no session ends: routes are asked for once more and kept, or what was kept goes"},
		{Pattern: of + ".long-lived-stale-time", Means: "no session ends: it counts for the next time that one does"},
		{Pattern: of + ".add-path", Means: again + ", if it begins or ends with it that several paths are sent or taken; else they are sent again"},
		{Pattern: of + ".add-path.receive", Means: again},
		{Pattern: of + ".add-path.send", Means: again + ", if it begins or ends with it that several paths are sent; else they are sent again"},
		{Pattern: of + ".prefix-limit", Means: limit},
		{Pattern: of + ".prefix-limit.max-prefixes", Means: limit},
		{Pattern: of + ".prefix-limit.action", Means: limit},
		{Pattern: of + ".prefix-limit.count", Means: limit + "; to count all that come, routes are asked for again"},
		{Pattern: of + ".prefix-limit.restart-timer", Means: "no session ends: it counts from the next time that the limit ends one"},
		{Pattern: of + ".prefix-limit.warning-threshold-pct", Means: "no session ends"},
	}
}
