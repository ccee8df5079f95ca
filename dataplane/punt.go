package dataplane

import (
	"net/netip"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/internal/verdict"
	"routerd/routing"
)

// PuntKind says what a Punt asks of the neighbour machine.
type PuntKind uint8

const (
	PuntARP       PuntKind = iota // Frame is an Ethernet frame with an ARP packet
	PuntDiscovery                 // Frame is an IPv6 packet with a discovery message
	PuntResolve                   // Frame is an IP packet that waits for Target's address
	PuntUsed                      // a packet was sent by Entry while it was stale
)

// Punt is something that the neighbour machine has to see. Frame belongs to the
// batch: a Punter copies what it keeps.
type Punt struct {
	Kind    PuntKind
	In, Out routing.InterfaceID
	Target  netip.Addr
	Index   uint32 // dense number of the next hop, 0 for a neighbour on link
	Frame   []byte
	Offload port.Offload
	Entry   *arp.Entry
	Own     bool // the router's own stack sent it, and it does not answer anybody's packet
	Refused bool // set by a Punter that does not take it
}

// fewPunts is how many a batch has room for at first; the lists grow to as many
// as it has packets.
const fewPunts = 32

// Punter takes what a batch hands over. It is called once per batch, must not
// wait, and sets Refused on each of the punts that it does not take.
type Punter interface {
	Punt(list []Punt)
}

// hand gives p to the neighbour machine as x.
func (b *Batch) hand(x Punt, p *Packet) {
	if b.punter == nil {
		p.drop(verdict.NeighborQueueFull)
		return
	}
	b.punts = append(b.punts, x)
	b.punted = append(b.punted, p)
	p.drop(verdict.HandedToNeighbor)
	if x.Kind == PuntResolve {
		p.drop(verdict.Resolving)
	}
}

// used tells the machine that a packet is sent to a stale neighbour.
func (b *Batch) used(out routing.InterfaceID, target netip.Addr, e *arp.Entry) {
	if b.punter == nil {
		e.Unuse()
		return
	}
	b.punts = append(b.punts, Punt{Kind: PuntUsed, Out: out, Target: target, Entry: e})
	b.punted = append(b.punted, nil)
}

// handOver gives the batch's punts to the Punter; those that it does not take
// are dropped.
func (b *Batch) handOver() {
	if len(b.punts) == 0 {
		return
	}
	b.punter.Punt(b.punts)
	for i := range b.punts {
		if !b.punts[i].Refused {
			continue
		}
		if p := b.punted[i]; p != nil {
			p.Verdict = verdict.NeighborQueueFull
		} else {
			b.punts[i].Entry.Unuse()
		}
	}
}
