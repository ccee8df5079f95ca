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
		{Pattern: name + ".listen-range.*", Kind: "added", Means: "who connects from there is a neighbor"},
		{Pattern: name + ".listen-range.*", Kind: "removed", Means: "the sessions of all who have connected from there end, and their routes go"},
		{Pattern: name + ".listen-range.*.peer-group", Means: "the sessions of all who have connected from there end, unless the groups are alike"},
		{Pattern: name + ".listen-range.*.peer-as", Means: "the sessions of all who have connected from there end and begin again"},
		{Pattern: name + ".listen-range.*.limit", Means: "no session ends"},
		{Pattern: name + ".networks", Means: "neighbors are told of networks that come, and those that go are withdrawn"},
	}
	for _, key := range []string{
		"decision.always-compare-med", "decision.deterministic-med", "decision.med-missing-as-worst", "decision.compare-router-id",
		"decision.ignore-as-path-length", "decision.ignore-next-hop-metric", "multipath.ebgp", "multipath.ibgp", "multipath.as-path-relax",
	} {
		list = append(list, decode.Impact{Pattern: name + "." + key, Means: "all routes are decided about again; traffic may go other ways"})
	}
	for _, of := range []struct{ pattern, whom string }{{name + ".neighbor.*", "the session with it"}, {name + ".peer-group.*", "the sessions with its members"}} {
		list = append(list, impactsOf(of.pattern, of.whom)...)
	}
	return append(list,
		decode.Impact{Pattern: name + ".neighbor.*", Kind: "added", Means: "a session begins with it"},
		decode.Impact{Pattern: name + ".neighbor.*", Kind: "removed", Means: "the session with it ends, and its routes go"},
	)
}

// resets are the keys whose change ends a session, which begins again.
var resets = []string{
	"peer-as", "local-as", "local-as-no-prepend", "local-as-replace-as", "local-address", "port", "passive", "multihop", "ttl-security",
	"auth-password-file", "hold-time", "keepalive-interval", "connect-retry", "delay-open", "afi-safis", "route-reflector-client",
	"route-server-client", "allow-own-as", "remove-private-as", "as-override", "next-hop-self", "next-hop-unchanged",
	"extended-next-hop", "enforce-first-as", "role", "role-strict",
}

// impactsOf says what changes of a neighbour's keys mean, or of a group's.
func impactsOf(pattern, whom string) (list []decode.Impact) {
	for _, key := range resets {
		list = append(list, decode.Impact{Pattern: pattern + "." + key, Means: whom + " ends and begins again"})
	}
	list = append(list, decode.Impact{Pattern: pattern + ".graceful-shutdown", Means: "no session ends: routes are sent again and asked for again, and other ways are used, or no longer (RFC 8326)"})
	list = append(list, decode.Impact{Pattern: pattern + ".bfd", Means: "it is watched, or no longer; where strict is said or no longer said, " + whom + " ends and begins again"})
	list = append(list, decode.Impact{Pattern: pattern + ".shutdown", Means: whom + " ends, or begins"})
	for _, part := range []string{"", ".ipv4-unicast", ".ipv6-unicast"} {
		for _, key := range []string{"max-prefixes", "count", "action"} {
			list = append(list, decode.Impact{
				Pattern: pattern + part + ".prefix-limit." + key, Means: "no session ends, unless there are more prefixes than there may be now",
			})
		}
		list = append(list,
			decode.Impact{Pattern: pattern + part + ".import-policy", Means: "no session ends: with soft-reconfiguration what was kept is looked at again, else routes are asked for again; those that it refuses go"},
			decode.Impact{Pattern: pattern + part + ".default-originate", Means: "no session ends: a default route is sent, or withdrawn"},
			decode.Impact{Pattern: pattern + part + ".export-policy", Means: "no session ends: all routes are sent again, and those that it refuses are withdrawn"},
			decode.Impact{Pattern: pattern + part + ".add-path.receive", Means: whom + " ends and begins again"},
			decode.Impact{Pattern: pattern + part + ".add-path.send", Means: whom + " ends and begins again, if it begins or ends with it that several paths are sent; else they are sent again"},
			decode.Impact{Pattern: pattern + part + ".long-lived-stale-time", Means: "no session ends: it counts for the next time that one does"},
			decode.Impact{Pattern: pattern + part + ".soft-reconfiguration", Means: "no session ends: routes are asked for once more and kept, or what was kept goes"},
		)
	}
	return list
}
