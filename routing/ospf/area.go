package ospf

import (
	"cmp"
	"slices"

	"routerd/routing/ospf/wire"
)

// area is an area that the configuration names.
type area struct {
	AreaState // what routes are calculated from
	cfg       AreaConfig
	db        *Database // all LSAs but ExternalLSA, LinkOpaque and ASOpaque
	links     []*link   // active ones by number, then virtual ones
	dirty     bool      // the Router-LSA may have to be another one
	ranges    []areaRange
	summaries summaries // into it

	// Of an NSSA.
	externals   externals
	translation translation
}

// stub reports an area that takes no LSAs of the AS's scope (RFC 2328 §3.6; RFC
// 3101 §2.2; RFC 5250 §3).
func (a *area) stub() bool { return a.Type != Normal }

// options are what Hellos and Descriptions say in the area. OptionNP is of Hellos
// alone.
func (a *area) options() wire.Options {
	switch a.Type {
	case Stub:
		return wire.OptionO
	case NSSA:
		return wire.OptionO | wire.OptionNP
	}
	return wire.OptionO | wire.OptionE
}

// area gives an attached area, nil if there is none.
func (m *Machine) area(id wire.ID) *area {
	i, found := slices.BinarySearchFunc(m.areas, id, func(a *area, id wire.ID) int { return cmp.Compare(a.ID, id) })
	if !found {
		return nil
	}
	return m.areas[i]
}

// dirtyRouter has the area's Router-LSA originated anew at the end of the step if
// it is to be another one.
func (m *Machine) dirtyRouter(a *area) { a.dirty = true }

// dirtyNetwork does so with the Network-LSA of a link.
func (m *Machine) dirtyNetwork(l *link) { l.dirty = true }
