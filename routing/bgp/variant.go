package bgp

import (
	"bytes"

	"routerd/routing"
)

// patch is what is different in a block for one of the neighbours.
type patch struct {
	rider                *outgoing
	skip                 [][2]int // parts of the data that it is not sent, in order
	extra                []byte   // what it is sent besides, at
	at                   int
	announced, withdrawn int // prefixes more
}

// apply makes what the neighbour is sent in place of the block.
func (p *patch) apply(data []byte) []byte {
	size := len(p.extra) + len(data)
	for _, s := range p.skip {
		size -= s[1] - s[0]
	}
	out := make([]byte, 0, size)
	out = append(append(out, data[:p.at]...), p.extra...)
	at := p.at
	for _, s := range p.skip {
		out = append(out, data[at:s[0]]...)
		at = s[1]
	}
	return append(out, data[at:]...)
}

// variant is what will be a patch.
type variant struct {
	rider     *outgoing
	skip      []int // segments
	withdrawn []item
	special   []item
	had       []bool // of each special one, whether it had been sent it
	announced int    // prefixes more, and so below 0
}

// variant gives the number of the variant for a neighbour, which is made if there is none,
// and has it skip the open segment.
func (e *encoder) variant(o *outgoing) int {
	c := e.variantOf(o)
	c.skip = append(c.skip, len(e.segments)-1)
	return o.variant
}

func (e *encoder) variantOf(o *outgoing) *variant {
	if o.variant == 0 {
		if len(e.variants) < cap(e.variants) { // with the room of one before
			e.variants = e.variants[:len(e.variants)+1]
		} else {
			e.variants = append(e.variants, variant{})
		}
		o.variant = len(e.variants)
		c := &e.variants[o.variant-1]
		*c = variant{rider: o, skip: c.skip[:0], withdrawn: c.withdrawn[:0], special: c.special[:0], had: c.had[:0]}
	}
	return &e.variants[o.variant-1]
}

// exclude leaves out a route that the neighbour is not sent, and withdraws what it has had
// of the prefix.
func (c *variant) exclude(l *lane, it item, had bool) {
	c.announced--
	if id := routing.SlotID(it.number); l.paths == nil {
		if c.rider.except.Has(id) {
			return
		}
		c.rider.except.Add(id)
		c.rider.exceptions++
	}
	if had {
		c.withdrawn = append(c.withdrawn, it)
	}
}

// patch makes what is different for a neighbour, in a block whose withdrawals begin at head
// and its announcements at from; some is false if nothing is.
func (m *Machine) patch(l *lane, r *rib, c *variant, head, from int) (p patch, some bool) {
	e, f := &m.encoder, l.group.family
	e.extra.Begin(e.buffers[2][:0], &l.group.key.session)
	hops := l.group.hops
	hops.Peer = c.rider.neighbor.cfg.Address
	var last *item
	permitted := false
	for i := range c.special {
		it := &c.special[i]
		if last == nil || it.attributes != last.attributes || it.source != last.source || l.group.export.Chain.Depends() != 0 {
			last = it
			if _, permitted = m.prepare(l.group, r, it, &hops); permitted {
				permitted = e.extra.Announce(f, &m.given)
			}
		}
		if permitted {
			e.extra.Add(it.path, r.table.Prefix(it.number))
		} else {
			c.exclude(l, *it, c.had[i])
			last = nil
		}
	}
	if len(c.withdrawn) > 0 {
		e.extra.Withdraw(f)
		for _, it := range c.withdrawn {
			e.extra.Add(it.path, r.table.Prefix(it.number))
		}
	}
	e.buffers[2] = e.extra.Bytes()
	p = patch{rider: c.rider, extra: bytes.Clone(e.buffers[2]), announced: c.announced, withdrawn: len(c.withdrawn)}
	for i := range e.parts {
		x, end := &e.parts[i], len(e.buffers[1])
		if i+1 < len(e.parts) {
			end = e.parts[i+1].at
		}
		if x.but == c.rider && x.number > 0 {
			p.skip = append(p.skip, [2]int{head + x.at, head + end})
			p.withdrawn -= x.number
		}
	}
	for _, i := range c.skip {
		end := len(e.buffers[0])
		if i+1 < len(e.segments) {
			end = e.segments[i+1].at
		}
		p.skip = append(p.skip, [2]int{from + e.segments[i].at, from + end})
	}
	return p, len(p.skip) > 0
}
