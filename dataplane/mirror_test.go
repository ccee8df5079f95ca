package dataplane

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"routerd/arp"
	"routerd/dataplane/offload"
	"routerd/dataplane/offload/offloadtest"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// mirror is a router like the network's, behind the kernel's side of a flow
// cache. It gets the same packets, and whatever can be seen of it has to be the
// same: verdicts, bytes, sessions, and the counters of both.
type mirror struct {
	*network
	batch   *Batch
	kernel  *offloadtest.Kernel
	decider Decider
	offers  offered
	entries map[offload.Flow]mirrored

	carried, counted uint64 // packets, by the test and by the kernel's side
}

// mirrored is how a flow was put.
type mirrored struct {
	offer    Offer
	decision offload.Decision
	sessions *flow.Table
	hit      flow.Hit
}

// cached has the network's packets come by Ethernet, and mirrors it. The
// function makes a network, twice the same.
func cached(tb testing.TB, make func() *network) *network {
	tb.Helper()
	n := make().onEthernet(tb)
	m := &mirror{
		network: make().onEthernet(tb), batch: NewBatch(BatchSize, &Counters{}, nil),
		kernel:  offloadtest.New(offload.Config{Flows: 16, Causes: 1}, func() int64 { return 1 }),
		entries: map[offload.Flow]mirrored{},
	}
	for _, id := range []routing.InterfaceID{lan0, lan1, bare0} {
		m.view.Interface(id).Carried = &Carried{Device: 10 + int(id)}
	}
	m.view.Offers = &m.offers
	n.mirror = m
	return n
}

// hostMAC is the link address of all hosts.
var hostMAC = arp.MAC{2, 0, 0, 0, 9, 9}

// onEthernet has the LANs be Ethernet, with hosts .2 to .9 on each.
func (n *network) onEthernet(tb testing.TB) *network {
	n.view.Neighbors = arp.NewTable(64, siphash.Key{1})
	for _, id := range []routing.InterfaceID{lan0, lan1, lan2, bare0} {
		i := n.view.Interface(id)
		p := memory.New(i.Name, i.MTU, memory.WithOffloads(i.Offloads), memory.WithLinkHeader(arp.EthernetHeader))
		tb.Cleanup(func() { p.Close() })
		n.ports[id], i.Output = p, p.Queues()[0]
		i.Kind, i.PointToPoint, i.LinkHeader, i.MAC = KindPacket, false, arp.EthernetHeader, macRouter
		for _, a := range i.Addresses {
			host := a.Addr()
			for range 8 {
				host = host.Next()
				n.view.Neighbors.Apply(arp.Publish{Entry: &arp.Entry{Interface: id, State: arp.Reachable, MAC: hostMAC, Addr: host}})
			}
		}
	}
	return n
}

// framed puts a packet into a frame for the router.
func (n *network) framed(in routing.InterfaceID, p memory.Packet) memory.Packet {
	if n.view.Interface(in).LinkHeader == 0 {
		return p
	}
	ethertype := uint16(arp.EtherTypeIPv4)
	if len(p.Data) > 0 && p.Data[0]>>4 == 6 {
		ethertype = arp.EtherTypeIPv6
	}
	f := framed(macRouter, hostMAC, ethertype, p.Data)
	f.Offload = p.Offload
	f.Offload.ChecksumStart += min(arp.EthernetHeader, 0xffff-f.Offload.ChecksumStart)
	f.Offload.HeaderLength += min(arp.EthernetHeader, 0xffff-f.Offload.HeaderLength)
	return f
}

// compare has both routers handle a packet, and n's batch b be what the caller
// sees of it.
func (m *mirror) compare(tb rapid.TB, n *network, b *Batch, in routing.InterfaceID, packets []memory.Packet) {
	tb.Helper()
	if len(packets) != 1 {
		tb.Fatalf("%d packets at once: those of a mirrored network come one by one, since the cache coalesces none", len(packets))
	}
	f := n.framed(in, packets[0])
	before := map[routing.InterfaceID]int{}
	for id, p := range n.ports {
		before[id] = len(p.Sent())
	}
	n.process(b, in, f)
	m.view.ACL = n.view.ACL
	fate, sent := m.handle(tb, in, f, b)
	if want := b.packets[0].Verdict; fate != want {
		tb.Fatalf("with the cache %s, without %s: %+v\n% x", fate, want, f.Offload, f.Data)
	}
	for id, p := range n.ports {
		want := p.Sent()[before[id]:]
		if len(sent[id]) != len(want) {
			tb.Fatalf("with the cache %d frames leave by %s, without %d: %+v\n% x", len(sent[id]), p.Name(), len(want), f.Offload, f.Data)
		}
		for i := range want {
			one, other := sent[id][i], want[i]
			if one.Offload.GSO == port.GSONone {
				one.Offload.HeaderLength = other.Offload.HeaderLength // a hint that comes with super-packets alone
			}
			if !bytes.Equal(one.Data, other.Data) || one.Offload != other.Offload {
				tb.Fatalf("with the cache leaves\n%+v % x\nwithout\n%+v % x\nof\n%+v % x", one.Offload, one.Data, other.Offload, other.Data, f.Offload, f.Data)
			}
		}
	}
}

// handle has the mirror handle a frame, and gives its verdict and what leaves.
func (m *mirror) handle(tb rapid.TB, in routing.InterfaceID, f memory.Packet, b *Batch) (fate verdict.Verdict, sent map[routing.InterfaceID][]memory.Packet) {
	sent = map[routing.InterfaceID][]memory.Packet{}
	device := 10 + int(in)
	out, by, carried := m.kernel.Receive(device, f)
	if carried {
		fate = verdict.Forwarded
		m.carried += uint64(b.packets[0].carried)
		sent[routing.InterfaceID(by.Device-10)] = []memory.Packet{out}
	} else {
		m.process(m.batch, in, f)
		fate = m.batch.packets[0].Verdict
		m.look()
		m.offer(in)
	}
	m.kernel.Finish(device, m.kernel.Passed(device))
	for id, p := range m.ports {
		sent[id] = append(sent[id], p.Take()...)
	}
	return fate, sent
}

// offer has the flow of the packet that the batch has carried put into the
// kernel, if the stages say that it may be.
func (m *mirror) offer(in routing.InterfaceID) {
	w := watch{}
	if i := m.view.Interface(in); i.Carried != nil {
		w.see(m.view, m.batch, i, testNow)
	}
	for _, o := range m.offers.list {
		c, why := m.decider.Decide(m.view, &o, testNow)
		if why != Carriable || c.Sessions != nil && !c.Sessions.Carry(&c.Hit) {
			continue
		}
		k := offload.Key{Ingress: c.In.Carried.Device, Proto: c.Proto, Src: c.Src, Dst: c.Dst}
		f, err := m.kernel.Put(k, c.decision(), m.kernel.Ref(0))
		if errors.Is(err, offload.ErrFull) {
			m.forget(func(mirrored) bool { return true })
			f, err = m.kernel.Put(k, c.decision(), m.kernel.Ref(0))
		}
		if err == nil {
			m.entries[f] = mirrored{o, c.decision(), c.Sessions, c.Hit}
		}
	}
	m.offers.list = m.offers.list[:0]
}

func (c *Carriage) decision() offload.Decision {
	return offload.Decision{Src: c.NewSrc, Dst: c.NewDst, Station: c.In.MAC, From: c.Out.MAC, To: c.MAC, Egress: c.Out.Carried.Device, MTU: c.Out.MTU}
}

// look ends entries of which the stages would not say what they said.
func (m *mirror) look() {
	m.forget(func(e mirrored) bool {
		c, why := m.decider.Decide(m.view, &e.offer, testNow)
		return why != Carriable || c.decision() != e.decision || c.Hit.Session != e.hit.Session
	})
}

// forget removes the entries that match.
func (m *mirror) forget(match func(mirrored) bool) {
	for f, e := range m.entries {
		if match(e) {
			m.kernel.Remove(f)
		}
	}
	m.kernel.Reap(func(f offload.Flow, _ offload.Key, n offload.Counters) {
		m.counted += n.Packets
		if e := m.entries[f]; e.sessions != nil {
			e.sessions.Carried(&e.hit, n.Packets, n.Bytes-n.Frames*arp.EthernetHeader, m.view.Flows.At(testNow))
			e.sessions.Uncarry(&e.hit)
		}
		delete(m.entries, f)
	})
}

// same compares what has come together in both routers: sessions with what they
// carried, and packets.
func (m *mirror) same(tb testing.TB, n *network) {
	tb.Helper()
	m.forget(func(mirrored) bool { return true })
	if m.carried != m.counted {
		tb.Errorf("%d packets were carried, the kernel's side counted %d", m.carried, m.counted)
	}
	for _, of := range []struct{ one, other *flow.Table }{{m.sessions(), n.sessions()}, {m.view.Sessions6, n.view.Sessions6}} {
		var have, want []flow.Session
		if of.one != nil {
			of.one.Each(func(s *flow.Session) { have = append(have, *s) })
			of.other.Each(func(s *flow.Session) { want = append(want, *s) })
		}
		if diff := cmp.Diff(want, have); diff != "" {
			tb.Errorf("sessions, without the cache (-) and with it (+):\n%s", diff)
		}
	}
}

// sessions are those of IPv4, nil without any.
func (n *network) sessions() *flow.Table {
	if n.view.NAT == nil {
		return nil
	}
	return n.view.NAT.Sessions()
}

// clear ends all sessions.
func (n *network) clear() {
	if n.mirror != nil {
		n.mirror.forget(func(mirrored) bool { return true })
		n.mirror.clear()
	}
	n.view.NAT.Clear(nat.Filter{})
	n.view.Sessions6.Clear(func(*flow.Session) bool { return true }, nil)
}
