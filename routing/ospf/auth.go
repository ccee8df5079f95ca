package ospf

import (
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// seal gives what packets of a link are sealed with now, and false if nothing can
// be sent because no key is valid yet.
func (m *Machine) seal(l *link) (*wire.Sealer, bool) { return nil, true }

// number gives the sequence number for a packet.
func (m *Machine) number(s *wire.Sealer) uint64 { return 0 }

// authSize is how many octets of each packet are authentication.
func (l *link) authSize() int { return 0 }

// authentic says whether the packet in m.packet is what its sender said.
func (m *Machine) authentic(l *link, x protocol.Received) wire.Refusal {
	var s *wire.Sealer
	return s.Verify(x.Payload, &m.packet, wire.IDOf(x.Src))
}
