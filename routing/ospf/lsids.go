package ospf

import (
	"net/netip"

	"routerd/routing/ospf/wire"
)

// lsids are the link state IDs of the router's LSAs of one type in one scope, each of
// which describes a network (RFC 2328 §E). The zero value has none.
type lsids struct {
	of    map[netip.Prefix]wire.ID
	taken map[wire.ID]netip.Prefix
}

// mostTried bounds how many IDs are tried for a network.
const mostTried = 1 << 12

// give gives the ID of a network: its address wherever possible, else its address
// with some host bits set, which the more specific of two networks with one address
// gets. Where another network has to make room, moved is that one, which has another
// ID from now on. There may be no ID left: ok is false.
func (s *lsids) give(p netip.Prefix) (id wire.ID, moved netip.Prefix, ok bool) {
	if id, known := s.of[p]; known {
		return id, moved, true
	}
	if s.of == nil {
		s.of, s.taken = map[netip.Prefix]wire.ID{}, map[wire.ID]netip.Prefix{}
	}
	id = wire.IDOf(p.Addr())
	q, taken := s.taken[id]
	switch {
	case !taken:
	case q.Bits() < 32 && (q.Addr() != p.Addr() || p.Bits() < q.Bits() || p.Bits() == 32):
		other, found := s.free(q)
		if !found {
			return 0, moved, false
		}
		s.set(q, other)
		moved = q
	default:
		if id, ok = s.free(p); !ok {
			return 0, moved, false
		}
	}
	s.set(p, id)
	return id, moved, true
}

// free finds an ID for p other than its address: at first its last address.
func (s *lsids) free(p netip.Prefix) (wire.ID, bool) {
	host := ^wire.MaskOf(p.Bits())
	for n := wire.ID(0); n < min(host, mostTried); n++ {
		id := wire.IDOf(p.Addr()) | (host - n)
		if _, taken := s.taken[id]; !taken {
			return id, true
		}
	}
	return 0, false
}

func (s *lsids) set(p netip.Prefix, id wire.ID) {
	s.of[p], s.taken[id] = id, p
}

// drop gives the ID of a network back.
func (s *lsids) drop(p netip.Prefix) (id wire.ID, ok bool) {
	id, ok = s.of[p]
	if ok {
		delete(s.of, p)
		delete(s.taken, id)
	}
	return id, ok
}
