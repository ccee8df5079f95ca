package rip

import "routerd/internal/protocols/decode"

// Impacts returns the effects of changes of the protocol's table on traffic.
func (p Protocol) Impacts() []decode.Impact {
	table := p.String()
	on := table + ".interface.*"
	const (
		again  = "all routes are announced again"
		agreed = "neighbors are heard only if they authenticate alike; routes of others die after the invalid-interval"
	)
	list := []decode.Impact{
		{Pattern: table, Kind: "removed", Means: "the routes that it learned go, and its neighbors are told so"},
		{Pattern: on, Kind: "removed", Means: "the routes learned there go, and the neighbors there are told so"},
		{Pattern: on + ".passive", Means: "regular updates there begin, or end with the word that the routes are gone"},
		{Pattern: on + ".allowed-neighbors", Means: "the routes of neighbors that it leaves out go"},
		{Pattern: on + ".import-policy", Means: "the neighbors there are asked for their routes again"},
		{Pattern: on + ".export-policy", Means: again},
		{Pattern: on + ".split-horizon", Means: again},
		{Pattern: on + ".offset-out", Means: again},
	}
	if p == RIP {
		list = append(list, decode.Impact{Pattern: on + ".auth", Means: agreed})
	}
	return list
}
