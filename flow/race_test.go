package flow

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Workers look flows up and note their packets while others make, end and
// expire them, in a table so small that records are used again at once. Each
// finds the right session or none, and a session that stays is never missed.
func TestConcurrently(t *testing.T) {
	const flows, limit = 200, 64
	tab := New(Config{MaxSessions: limit, Timeouts: Timeouts{UDP: MinTimeout}})
	// Whatever is known of a flow follows from its number.
	flow := func(i int) (Key, Key, uint32) {
		proto := []uint8{protoUDP, protoTCP}[i%2]
		forward, reply := keys(proto, i, uint16(i+1), uint16(30_000+i))
		return forward, reply, uint32(i) * 0x01010101
	}
	check := func(i int) bool {
		forward, reply, rule := flow(i)
		k, other, d := forward, reply, Forward
		if i/2%2 == 1 {
			k, other, d = reply, forward, Reply
		}
		hit := tab.Find(k)
		if hit.Session == NoSession {
			return false
		}
		if hit.Other != other || hit.Direction != d || hit.Rule != rule || hit.Owner != ^rule {
			t.Errorf("%v is found as %+v, want the other key %v, rule %#x", k, hit, other, rule)
		}
		s := []*Segment{nil, {Flags: ack, Seq: uint32(i), Ack: 1}}[i%2]
		tab.Packet(&hit, s, Time(i))
		return true
	}

	// Flow 0 stays.
	forward, reply, rule := flow(0)
	if _, why := tab.Insert(forward, reply, rule, ^rule, host(0), nil, 0); why != Accepted {
		t.Fatalf("inserting the flow that stays: %v", why)
	}
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for g := range 2 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for !done.Load() && !t.Failed() {
				check(1 + random.IntN(flows-1))
				if !check(0) {
					t.Error("the flow that stays is not found")
				}
			}
		})
		writers.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(g)))
			for range 5000 {
				i := 1 + random.IntN(flows-1)
				forward, reply, rule := flow(i)
				if hit := tab.Find(forward); hit.Session != NoSession {
					tab.Delete(hit.Session, func(s *Session) {
						if s.Number == 1 {
							t.Errorf("%v has the number of the flow that stays", s.Forward)
						}
					})
					continue
				}
				var s *Segment
				if forward.Proto == protoTCP {
					s = &Segment{Flags: syn, Seq: uint32(i)}
				}
				tab.Insert(forward, reply, rule, ^rule, host(i), s, 0)
			}
		})
	}
	writers.Go(func() {
		page := make([]Session, limit)
		for range 500 {
			tab.Tick(500, 10, nil) // visits, and ends none
			n, _ := tab.Walk(0, page)
			for _, s := range page[:n] {
				if forward, reply, _ := flow(int(s.Forward.SrcPort) - 1); s.Forward != forward || s.Reply != reply {
					t.Errorf("walked by %+v, want the keys %v, %v", s, forward, reply)
				}
			}
			tab.Configure(Config{MaxSessions: limit, Timeouts: Timeouts{UDP: time.Minute}})
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if stats := tab.Stats(); stats.Sessions != int(stats.Made-stats.Deleted-stats.Expired) {
		t.Errorf("%+v does not add up", stats)
	}
}

// A record that is read while it goes from one session to another is either
// the one's or the other's, or nobody's.
func TestTornRead(t *testing.T) {
	var r record
	forward, reply := keys(0, 1, 1, 0) // a protocol and table that free records seem to have
	var done atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range uint32(50_000) {
			reply.DstPort = uint16(i)
			r.write(&forward, &reply, uint32(reply.DstPort), ^uint32(reply.DstPort), false, conversation{})
			r.retire()
		}
		done.Store(true)
	})
	found := 0
	for !done.Load() {
		var hit Hit
		if !r.read(&forward, Forward, &hit) {
			continue
		}
		found++
		if port := uint32(hit.Other.DstPort); hit.Rule != port || hit.Owner != ^port || hit.Generation%2 != 1 {
			t.Fatalf("read %+v, want rule, owner and port of one session", hit)
		}
	}
	writer.Wait()
	t.Logf("found %d times", found)
	if r.read(&forward, Forward, new(Hit)) {
		t.Error("a record that is free is read as a session's")
	}
}

// Packets find the session of a flow at any moment while others carry it and cease
// to, and what all of them count adds up.
func TestCarryConcurrently(t *testing.T) {
	const rounds = 20_000
	tab := New(Config{MaxSessions: 4})
	forward, reply := keys(protoTCP, 0, 1000, 2000)
	number := opened(t, tab, forward, reply)
	var ends atomic.Uint64
	tab.OnEnd(func(uint32) { ends.Add(1) })
	var done atomic.Bool
	var packets, others sync.WaitGroup
	var seen atomic.Uint64
	for d, k := range []Key{forward, reply} {
		packets.Go(func() {
			for i := uint32(0); !done.Load() && !t.Failed(); i++ {
				hit := tab.Find(k)
				if hit.Session != number || !tab.Packet(&hit, &Segment{Flags: ack, Seq: 2000 + i, Ack: 6000 + i, Window: offered}, Time(i)) {
					t.Errorf("direction %d: the session is not found: %+v", d, hit)
					return
				}
				tab.Count(number, 1, 10)
				seen.Add(1)
			}
		})
		others.Go(func() {
			hit := tab.Find(k)
			for i := range rounds {
				if !tab.Carry(&hit) || !tab.Carried(&hit, 1, 10, Time(i)) {
					t.Error("the session has ended for who carries it")
					return
				}
				tab.Uncarry(&hit)
			}
		})
	}
	others.Wait()
	done.Store(true)
	packets.Wait()
	s, _ := tab.Session(number)
	if want := seen.Load() + 2*rounds; s.Traffic.Packets != want || s.State != Established || s.Carried || ends.Load() != 0 {
		t.Errorf("%+v, told of %d ends; want it established with %d packets, and no end", s, ends.Load(), want)
	}
}

// Where a session that is to be carried ends at the same time, who carries it is
// told, or told that there is none.
func TestCarryOrEnd(t *testing.T) {
	tab := New(Config{MaxSessions: 4})
	var told atomic.Bool
	tab.OnEnd(func(uint32) { told.Store(true) })
	for i := range 3000 {
		forward, reply := keys(protoTCP, 0, 1000, uint16(i))
		number := opened(t, tab, forward, reply)
		s, _ := tab.Session(number)
		told.Store(false)
		hit := tab.Find(forward)
		var both sync.WaitGroup
		both.Go(func() {
			if i%2 == 0 {
				through(tab, &s, rstR, 1)
			} else {
				tab.Delete(number, nil)
			}
		})
		carried := tab.Carry(&hit)
		both.Wait()
		if carried && !told.Load() {
			t.Fatalf("round %d: it is carried, and nobody was told of its end", i)
		}
		tab.Delete(number, nil)
	}
}
