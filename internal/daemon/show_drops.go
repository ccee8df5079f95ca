package daemon

import (
	"cmp"
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/control"
	"routerd/internal/show"
	"routerd/internal/verdict"
	"routerd/routing"
)

func (a api) Drops(ctx context.Context, q control.DropQuery) (out control.Drops, err error) {
	err2 := a.on(ctx, func() {
		view := a.d.router.View()
		in := routing.NoInterface
		if q.Interface != "" {
			i := view.Named(q.Interface)
			if i == nil {
				err = show.NotFound("packets dropped that came in by %q: there is no such interface", q.Interface)
				return
			}
			in = i.ID
		}
		out = control.Drops{Verdicts: a.d.dropCounts(in, string(q.Verdict)), Last: a.d.lastDrops(view, in, q)}
		if in == routing.NoInterface && view.ACL != nil {
			out.Rules = dropRules(a.d.aclRules(view, nil), string(q.Verdict))
		}
	})
	if err2 != nil {
		err = err2
	}
	return out, err
}

// dropCounts returns the number of packets by verdict, received on one
// interface or on all.
func (d *Daemon) dropCounts(in routing.InterfaceID, label string) (list []control.VerdictCount) {
	for v := range verdict.All {
		if v.Class() != verdict.Dropped || label != "" && v.Label() != label {
			continue
		}
		n := uint64(0)
		for _, w := range d.counted {
			if in == routing.NoInterface || w.in == in {
				n += w.counters.Verdict(v)
			}
		}
		list = append(list, control.VerdictCount{Verdict: v.Label(), Sentence: v.Sentence(), Packets: n})
	}
	return list
}

// dropRules returns what of the filter has dropped packets, the most frequent first.
func dropRules(rules []control.ACLRule, label string) (list []control.DropRule) {
	add := func(r *control.ACLRule, n uint64, v verdict.Verdict) {
		if n > 0 && (label == "" || label == v.Label()) {
			list = append(list, control.DropRule{Packets: n, Verdict: v.Label(), List: r.List, Rule: r.Rule, Origin: r.Origin})
		}
	}
	for i := range rules {
		r := &rules[i]
		switch {
		case r.List == noZonePolicy:
			add(r, r.Packets, verdict.ZoneNoPolicy)
		case r.Action == acl.Drop.String():
			add(r, r.Packets, verdict.ACLDropped)
		case r.Action == acl.Reject.String():
			add(r, r.Packets, verdict.ACLRejected)
		default:
			add(r, r.Limited, verdict.ACLLimited)
		}
	}
	slices.SortStableFunc(list, func(x, y control.DropRule) int { return cmp.Compare(y.Packets, x.Packets) })
	return list
}

// lastDrops returns the latest dropped packets that q selects.
func (d *Daemon) lastDrops(view *dataplane.View, in routing.InterfaceID, q control.DropQuery) (list []control.Drop) {
	if q.Last == 0 {
		return nil
	}
	var drops []dataplane.Drop
	for _, w := range d.counted {
		if w.drops != nil {
			drops = append(drops, w.drops.Last(control.MaxDrops)...)
		}
	}
	drops = slices.DeleteFunc(drops, func(p dataplane.Drop) bool {
		if in != routing.NoInterface && p.In != in || q.Verdict != "" && p.Verdict.Label() != string(q.Verdict) {
			return true
		}
		src, dst := endsOf(&p)
		return q.Src.IsValid() && !q.Src.Contains(src) || q.Dst.IsValid() && !q.Dst.Contains(dst)
	})
	slices.SortStableFunc(drops, func(x, y dataplane.Drop) int { return y.Time.Compare(x.Time) })
	for i := range drops[:min(q.Last, len(drops))] {
		list = append(list, shownDrop(view, &drops[i]))
	}
	return list
}

func shownDrop(view *dataplane.View, p *dataplane.Drop) control.Drop {
	describe := control.Describe
	if p.Frame {
		describe = control.DescribeFrame
	}
	return control.Drop{
		Time: p.Time.UTC(), Interface: interfaceName(view, p.In), Header: describe(p.Header, p.Length),
		Length: p.Length, Verdict: p.Verdict.Label(), Sentence: cmp.Or(view.DropSentence(p), p.Sentence(interfaceName(view, p.In))),
	}
}

// dropsSince returns the latest dropped packets, up to most, that were dropped
// after a time, the newest first.
func (d *Daemon) dropsSince(after time.Time, most int) (shown []control.Drop, raw []dataplane.Drop) {
	for _, w := range d.counted {
		if w.drops == nil {
			continue
		}
		for _, p := range w.drops.Last(most) {
			if p.Time.After(after) {
				raw = append(raw, p)
			}
		}
	}
	slices.SortStableFunc(raw, func(x, y dataplane.Drop) int { return y.Time.Compare(x.Time) })
	raw = raw[:min(most, len(raw))]
	view := d.router.View()
	for i := range raw {
		shown = append(shown, shownDrop(view, &raw[i]))
	}
	return shown, raw
}

// endsOf returns the addresses of a dropped packet, invalid if it has none.
func endsOf(p *dataplane.Drop) (src, dst netip.Addr) {
	b := p.Header
	if p.Frame {
		if len(b) < 14 || binary.BigEndian.Uint16(b[12:]) != 0x0800 && binary.BigEndian.Uint16(b[12:]) != 0x86dd {
			return src, dst
		}
		b = b[14:]
	}
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	}
	return src, dst
}
