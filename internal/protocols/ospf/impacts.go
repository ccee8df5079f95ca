package ospf

import "routerd/internal/protocols/decode"

// Impacts say what changes of the protocol's table mean for traffic.
func Impacts() []decode.Impact {
	const (
		on      = name + ".interface.*"
		area    = name + ".area.*"
		virtual = area + ".virtual-link.*"
		drops   = "drops the adjacencies there, which form again"
		agreed  = "adjacencies stay only with neighbors that change it too within the dead-interval"
		keyed   = "adjacencies stay only with neighbors that authenticate alike within the dead-interval"
		costs   = "traffic may go other ways"
		elects  = "elects a DR anew only when the one there is leaves"
	)
	return []decode.Impact{
		{Pattern: name, Kind: "removed", Means: "the routes that it learned go, and its neighbors are told so"},
		{Pattern: "router-id", Means: "drops all adjacencies of OSPF, unless it has one of its own; they form again"},
		{Pattern: name + ".router-id", Means: "drops all adjacencies, which form again"},
		{Pattern: name + ".passive-default", Means: "drops the adjacencies on interfaces that do not say passive themselves, or forms some there"},
		{Pattern: name + ".import-policy", Means: "routes that it refuses go"},
		{Pattern: name + ".reference-bandwidth", Means: costs},
		{Pattern: name + ".stub-router.always", Means: "traffic through the router goes another way where there is one, or comes back"},
		{Pattern: on, Kind: "added", Means: "adjacencies form there"},
		{Pattern: on, Kind: "removed", Means: "drops the adjacencies there, and its networks are announced no more"},
		{Pattern: on + ".area", Means: drops},
		{Pattern: on + ".network", Means: drops},
		{Pattern: on + ".passive", Means: "drops the adjacencies there, or forms some"},
		{Pattern: on + ".hello-interval", Means: agreed},
		{Pattern: on + ".dead-interval", Means: agreed},
		{Pattern: on + ".auth", Means: keyed},
		{Pattern: on + ".auth.type", Means: keyed},
		{Pattern: on + ".auth.keys", Means: keyed},
		{Pattern: on + ".cost", Means: costs},
		{Pattern: on + ".priority", Means: elects},
		{Pattern: on + ".neighbor.*", Kind: "removed", Means: "drops the adjacency with it, unless it greets"},
		{Pattern: area, Kind: "added", Means: "drops all adjacencies in the area if it is of another type by it"},
		{Pattern: area, Kind: "removed", Means: "drops all adjacencies in the area if it is of another type by it"},
		{Pattern: area + ".type", Means: "drops all adjacencies in the area, which form again with neighbors that change it too"},
		{Pattern: virtual, Kind: "removed", Means: "drops the adjacency over it"},
		{Pattern: virtual + ".hello-interval", Means: agreed},
		{Pattern: virtual + ".dead-interval", Means: agreed},
		{Pattern: virtual + ".auth", Means: keyed},
		{Pattern: virtual + ".auth.type", Means: keyed},
		{Pattern: virtual + ".auth.keys", Means: keyed},
	}
}
