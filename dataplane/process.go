package dataplane

import (
	"time"

	"routerd/dataplane/reassembly"
	"routerd/internal/bucket"
)

// stage is one step of a packet's way. run looks at every packet in b.work that
// has no Verdict yet. explain says, for `explain packet` alone, what the stage
// found out about one packet it has just looked at; "" means nothing worth a
// line.
type stage struct {
	name    string
	run     func(v *View, b *Batch, now time.Time)
	explain func(v *View, p *Packet) Finding
}

// The way of a packet that came in by a port, and of one that the router
// made itself, which begins at lookup.
//
//	port -> link -> validate -> urpf -> nat in -> lookup -> deliver -> hop limit -> fit -> nat out -> mss -> rewrite -> neighbor -> egress -> port
//	          |                                     ^         |  |          |        |        |                             |
//	          v                                     |         |  +----+-----+--------+--------+                             v
//	   neighbour machine <--------------------------|---------+       v                                               neighbour machine
//	                                                +-------------- answer (echo replies, ICMP errors)
//
// Before nat in, session looks for the packet's session, and acl-in decides about
// those that have none; acl-local does so before deliver, then acl-zone and
// acl-out before nat out, and track makes the sessions of IPv6, as nat out does those of IPv4.
//
// What deliver finds to be for the router's own TCP/IP stack goes on to egress,
// which writes it to the port of the stack; what the stack sends comes in by
// that port.
var (
	inbound  []stage
	outbound []stage
	leave    []stage
)

func init() { // the explain functions look at the stages, so this cannot be a composite literal
	inbound = []stage{
		{"link", link, explainLink},
		{"validate", validate, explainValidate},
		{"urpf", urpf, explainURPF},
		{"session", findSessions, explainSession},
		{"acl-in", aclIn, explainACL},
		{"nat-in", natIn, explainNATIn},
		{"lookup", lookup, explainLookup},
		{"acl-local", aclLocal, explainACL},
		{"deliver", deliver, explainDeliver},
		{"hop-limit", hopLimit, explainHopLimit},
		{"fit", fit, explainFit},
		{"zone", zones, explainZones},
		{"acl-zone", aclZone, explainACL},
		{"acl-out", aclOut, explainACL},
		{"nat-out", natOut, explainNATOut},
		{"track", track6, explainTrack},
		{"redirect", redirect, explainRedirect},
		{"answer", answer, explainAnswer},
	}
	outbound = []stage{
		{"lookup", lookup, explainLookup},
		{"deliver", deliverOwn, explainDeliver},
		{"fit", fit, explainFit},
		{"nat-out", natOut, explainNATOut},
		{"track", track6, explainTrack},
	}
	leave = []stage{
		{"mss", clampMSS, explainMSS},
		{"rewrite", lowerHops, explainRewrite},
		{"neighbor", neighbor, explainNeighbor},
		{"egress", leaveBy, explainEgress},
	}
}

// Process decides the fate of every packet in b under the view v at the time
// now and gathers what is to be written by egress. It is the whole path: the
// worker, the simulator and `explain packet` all call it, and differ only in
// where the packets come from and go to.
//
// The verdicts of what goes out are final once Transmit has written it.
//
// Process allocates nothing once the batch's lists have grown to their size.
func Process(v *View, b *Batch, now time.Time) {
	b.begin(v)
	for i := range b.packets[:b.n] {
		b.work = append(b.work, &b.packets[i])
	}
	b.through(inbound, v, now)
	b.giveBack()

	b.send(v, now)
}

// send runs the packets that the router made itself through the stages from
// lookup on, and then gathers everything that has no other fate by egress. No
// packet of the router's own provokes another, so one run is enough.
func (b *Batch) send(v *View, now time.Time) {
	b.work = b.work[:0]
	for i := range b.made {
		b.work = append(b.work, &b.made[i])
	}
	b.through(outbound, v, now)

	b.work = b.work[:0]
	for i := range b.packets[:b.n] {
		b.work = append(b.work, &b.packets[i])
	}
	for i := range b.made {
		b.work = append(b.work, &b.made[i])
	}
	b.through(leave, v, now)
}

// Expire is Process without packets: it gives up the fragments that have waited
// too long and answers their senders (RFC 792, RFC 8200 §4.5).
func Expire(v *View, b *Batch, now time.Time) {
	b.n = 0
	b.expire(v, now)
}

func (b *Batch) through(stages []stage, v *View, now time.Time) {
	if len(b.work) == 0 {
		return
	}
	for i := range stages {
		s := &stages[i]
		if b.trace == nil {
			s.run(v, b, now)
			continue
		}
		b.traced(s, v, now)
	}
}

func (b *Batch) begin(v *View) {
	b.work = b.work[:0]
	b.made = b.made[:0]
	b.translations, b.hashes, b.places = b.translations[:0], b.hashes[:0], b.places[:0]
	if v.NAT != nil && b.translations == nil {
		b.translations = make([]translation, 0, len(b.packets)+cap(b.made))
		b.hashes = make([]uint64, 0, len(b.packets)+cap(b.made))
		b.places = make([]uint32, 0, len(b.packets)+cap(b.made))
	}
	b.trackings, b.filtering = b.trackings[:0], false
	if v.ACL != nil {
		if b.trackings == nil {
			b.trackings = make([]tracking, 0, len(b.packets)+cap(b.made))
		}
		b.counters.growRules(v.ACL.Slots())
		if v.ACL.Limited() && b.admissions == nil {
			b.admissions = make([]admission, 0, cap(b.trackings)) // each tracking has one at most
		}
	}
	b.logger.follow(v.ACL)
	b.arena.used, b.arena.taken = 0, 0
	for i := range b.egress {
		b.egress[i].reset()
	}
	b.egress = b.egress[:0]
	b.punts, b.punted = b.punts[:0], b.punted[:0]
	b.counters.grow(len(v.Interfaces))
	if b.limits != v.Limits {
		b.limit(v.Limits)
	}
}

// limit applies changed limits. Fragments held under the old ones are given up.
func (b *Batch) limit(l Limits) {
	if b.limits.ICMP != l.ICMP {
		for i := range b.errors {
			b.errors[i] = bucket.New(l.ICMP.ErrorRate, l.ICMP.ErrorBurst)
		}
	}
	if b.limits.Reassembly != l.Reassembly {
		b.held = reassembly.New(l.Reassembly)
	}
	if b.limits.Stack != l.Stack {
		for i := range b.police {
			b.police[i] = bucket.New(l.Stack.Rate, l.Stack.Burst)
		}
	}
	b.limits = l
}
