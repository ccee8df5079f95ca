package policy

// Depends is the set of properties of a route on which a verdict may depend.
type Depends uint8

const (
	OnPrefix Depends = 1 << iota
	OnFamily         // that of the prefix
	OnSource
	OnNextHop
	OnMetric
	OnTag
	OnAttributes
	OnNeighbor // that it is from, or sent to
)

// Depends is what the verdicts of the policies may depend on. Routes that are
// equal in that are all accepted or all rejected, and get the same metric, tag,
// next hop and attributes if any are set.
func (c Chain) Depends() (all Depends) {
	for _, p := range c {
		all |= p.depends
		if p.decidesAll {
			break
		}
	}
	return all
}

func (s *statement) depends() (all Depends) {
	for _, c := range s.conditions {
		all |= c.depends()
	}
	for _, c := range s.changes {
		all |= c.depends()
	}
	return all
}

func (inPrefixSets) depends() Depends  { return OnPrefix }
func (fromProtocols) depends() Depends { return OnSource }
func (withTag) depends() Depends       { return OnTag }
func (withMetric) depends() Depends    { return OnMetric }
func (byNextHop) depends() Depends     { return OnNextHop }
func (ofFamily) depends() Depends      { return OnFamily }

func (setMetric) depends() Depends  { return 0 }
func (addMetric) depends() Depends  { return OnMetric }
func (setTag) depends() Depends     { return 0 }
func (setNextHop) depends() Depends { return OnFamily }
