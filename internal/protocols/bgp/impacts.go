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
	list = append(list, decode.Impact{Pattern: pattern + ".shutdown", Means: whom + " ends, or begins"})
	for _, part := range []string{"", ".ipv4-unicast", ".ipv6-unicast"} {
		list = append(list,
			decode.Impact{Pattern: pattern + part + ".import-policy", Means: "no session ends: routes are asked for again, and those that it refuses go"},
			decode.Impact{Pattern: pattern + part + ".export-policy", Means: "no session ends: all routes are sent again, and those that it refuses are withdrawn"},
		)
	}
	return list
}
