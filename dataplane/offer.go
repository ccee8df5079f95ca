package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/acl"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// Offer is a flow of which packets are forwarded that the kernel might carry,
// by the latest one of them.
type Offer struct {
	In       routing.InterfaceID
	Proto    uint8          // packet.ProtoTCP or packet.ProtoUDP
	Src, Dst netip.AddrPort // as it arrived
	Length   int            // of the IP packet
	Segment  int            // of a super-packet: bytes of payload in each of its segments but the last; else 0
	// Now is what one worker has forwarded of the flow in this OfferInterval so
	// far, and Before all that it has in the one before.
	Now, Before Usage
}

// Usage is what a worker has forwarded of a flow. One whose Frames come in few
// Runs is read in large batches.
type Usage struct {
	Frames uint32 // a super-packet is one
	Bytes  uint32 // from the IP header on
	Runs   uint32 // through the stages, each with one or more of the frames
}

// Offerer takes what a worker offers. Offer is called once for a batch at most,
// after Transmit, by any worker. It must not wait, and keeps nothing of list.
type Offerer interface {
	Offer(list []Offer)
}

// OfferInterval is the time in which Carried.Frames and Carried.Bytes count. A
// flow that reaches one of them is offered once in it at most, and in each as long
// as it goes on. One that is offered for Carried.Again is so once in a second.
const OfferInterval = 100 * time.Millisecond

const (
	watchedFlows = 256 // a power of two
	mostPatience = 64
	mostOffers   = 32 // for one batch

	seenSets = 2048 // a power of two
	seenWays = 4
)

// watch counts what a worker forwards of flows that the kernel might carry, in
// tables of fixed size.
type watch struct {
	// flows has for each flow's hash one place. A flow that finds another one
	// there takes the place when that has been offered, or has been met as often
	// as it was seen: so flows with many packets keep theirs.
	flows [watchedFlows]watched
	// seen has of more flows only whether and in which second they were seen: 24
	// bits of the hash, a bit for one that has been offered, 7 of the second.
	seen [seenSets][seenWays]uint32
	list [mostOffers]Offer
	n    int // of list
	run  uint32
}

type watched struct {
	hash        uint64
	interval    uint32
	run         uint32 // the latest with packets of it
	now, before Usage
	patience    uint8
	offered     bool // in this interval
}

// see counts the packets of a batch, which came in by the interface in, and
// offers the flows that have become worth it.
func (w *watch) see(v *View, b *Batch, in *Interface, now time.Time) {
	interval, second := uint32(now.UnixNano()/int64(OfferInterval)), uint32(now.Unix())
	w.n = 0
	w.run++
	for i := range b.packets[:b.n] {
		p := &b.packets[i]
		if p.Verdict != verdict.Forwarded || !p.mayBeCarried(v) {
			continue
		}
		hash := p.arrivedHash(&v.Secrets.Flows)
		f := &w.flows[hash&(watchedFlows-1)]
		its := f.hash == hash && f.interval == interval || f.turn(hash, interval)
		if its {
			f.count(p, w.run)
			if f.offered {
				continue
			}
		}
		if w.n == mostOffers {
			continue
		}
		if c := in.Carried; its && (f.now.Frames >= c.Frames || f.now.Bytes >= c.Bytes) || c.Again && w.again(hash, second) {
			w.offer(p, f, its)
		}
	}
	if w.n > 0 {
		v.Offers.Offer(w.list[:w.n])
	}
}

// offer adds the flow of p to the list; f counts it if that is its place.
func (w *watch) offer(p *Packet, f *watched, its bool) {
	o := &w.list[w.n]
	w.n++
	p.offer(o)
	if its {
		o.Now, o.Before, f.offered = f.now, f.before, true
	} else {
		o.Now = Usage{Frames: 1, Bytes: uint32(o.Length), Runs: 1}
	}
}

// again notes that a packet of a flow was seen in a second, and reports whether
// another one was in this second or the one before, unless it has done so in this
// second.
func (w *watch) again(hash uint64, second uint32) bool {
	const offered = 1 << 7
	set, tag := &w.seen[hash>>8&(seenSets-1)], uint32(hash>>40)<<8
	second &= offered - 1
	for i, word := range set {
		if word&^0xff != tag {
			continue
		}
		age := (second - word) & (offered - 1)
		if age == 0 && word&offered != 0 {
			return false
		}
		if set[i] = tag | second; age > 1 {
			return false
		}
		set[i] |= offered
		return true
	}
	// Any way goes, but not the oldest: flows that come in turn would never meet.
	set[(uint32(hash>>20)+w.run)&(seenWays-1)] = tag | second
	return false
}

// turn begins another interval, or another flow; it reports false if the place
// stays with the flow that has it.
func (f *watched) turn(hash uint64, interval uint32) bool {
	switch {
	case f.hash == hash && f.interval+1 == interval:
		f.before, f.now = f.now, Usage{}
		f.interval, f.offered = interval, false
	case f.hash != hash && f.interval == interval && !f.offered && f.patience > 0:
		f.patience--
		return false
	default:
		*f = watched{hash: hash, interval: interval}
	}
	return true
}

func (f *watched) count(p *Packet, run uint32) {
	if f.run != run || f.now.Frames == 0 {
		f.run = run
		f.now.Runs++
	}
	f.now.Frames++
	f.now.Bytes += uint32(p.Frame.End - p.l3)
	f.patience = min(f.patience+1, mostPatience)
}

// mayBeCarried reports whether p, which was forwarded, is such a packet as the
// kernel may carry, of a flow whose packets may all fare alike.
func (p *Packet) mayBeCarried(v *View) bool {
	switch {
	case p.cut != 0 || p.Fragment || p.joined || p.Out == p.In || v.Interfaces[p.Out].Carried == nil:
		return false
	case p.nat != nil && (p.nat.to.Session == nat.NoSession || p.nat.to.New || p.innerSum()):
		return false
	case p.track != nil && p.track.state != acl.Established:
		return false
	case p.l4 != packet.IPv4MinHeader && p.Family == 4 || p.l4 != packet.IPv6Header && p.Family == 6:
		return false
	case p.Proto == packet.ProtoTCP:
		t := packet.TCP(p.Frame.Buf[p.l3+p.l4 : p.Frame.End])
		return t.Valid() && goesOn(t.Flags())
	}
	return p.Proto == packet.ProtoUDP && p.Frame.End-p.l3-p.l4 >= packet.UDPHeader
}

// innerSum reports whether p has a partial checksum that is not its own but that of
// a packet in a tunnel. The kernel would take p's own for partial when it translates
// it. A frame that was chained to another one has begun behind its headers since, and
// has none.
func (p *Packet) innerSum() bool {
	off := &p.Frame.Offload
	return off.NeedsChecksum && p.Frame.Start <= p.l3 && !p.partial()
}

// arrivedHash hashes the addresses, ports and protocol that p came with. By now
// the packet has those that it leaves with, and perhaps a link header in front.
func (p *Packet) arrivedHash(key *siphash.Key) uint64 {
	ip, by := p.Frame.Buf[p.l3:], key[1]
	h := key[0] ^ uint64(p.Proto)
	if p.nat != nil {
		k := &p.nat.packet.Key
		h = mix(h^(uint64(k.Src)<<32|uint64(k.Dst)), by)
		return mix(h^(uint64(k.SrcPort)<<16|uint64(k.DstPort)), by)
	}
	if p.Family == 4 {
		h = mix(h^binary.BigEndian.Uint64(ip[12:]), by)
	} else {
		h = mix(h^binary.BigEndian.Uint64(ip[8:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[16:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[24:]), by)
		h = mix(h^binary.BigEndian.Uint64(ip[32:]), by)
	}
	return mix(h^uint64(binary.BigEndian.Uint32(ip[p.l4:])), by)
}

// offer writes the flow of p.
func (p *Packet) offer(o *Offer) {
	*o = Offer{In: p.In, Proto: p.Proto, Length: p.Frame.End - p.l3}
	if p.carried > 1 { // then it was not coalesced either, and its Offload is as it came
		o.Segment = int(p.Frame.Offload.SegmentSize)
	}
	if p.nat != nil {
		k := &p.nat.packet.Key
		o.Src, o.Dst = netip.AddrPortFrom(address4(k.Src), k.SrcPort), netip.AddrPortFrom(address4(k.Dst), k.DstPort)
		return
	}
	o.Src, o.Dst = arrivedAt(p.Src, p.Dst, p.Frame.Buf[p.l3+p.l4:])
}

func address4(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}
