package dataplane

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"routerd/internal/verdict"
)

// Claim has packets to the router's addresses, and to groups that it has
// joined, delivered to one of its protocols: those of an IP protocol, or of UDP
// those to one port.
type Claim struct {
	Family   uint8  // 4 or 6
	Protocol uint8  // of IP
	Port     uint16 // of UDP, else 0
	// LinkLocal takes only what is sent to a link-local address of IPv6.
	LinkLocal bool
	// Broadcast also takes UDP datagrams sent to a broadcast address.
	Broadcast bool
	// Sink takes the packets. A second claim of the same packets with another
	// Sink is refused.
	Sink Sink
}

// Sink takes packets for a protocol. Several workers may call it at once. It
// copies what it keeps, never waits, and returns the fate of h:
// verdict.HandedToProtocol if it took it.
type Sink interface {
	Receive(h *Received) verdict.Verdict
}

// Listeners is what the router's own protocols receive on one interface, or on
// all of them: their claims and the multicast groups that they have joined. Any
// goroutine may change it while packets arrive; the next packet sees the
// change. The zero value and nil receive nothing.
type Listeners struct {
	mu   sync.Mutex
	live atomic.Pointer[listening]
}

// listening is never changed once it is published.
type listening struct {
	claims []Claim
	groups []membership
}

// membership is a group and how many have joined it.
type membership struct {
	group netip.Addr
	by    int
}

func (l *Listeners) load() *listening {
	if l == nil {
		return nil
	}
	return l.live.Load()
}

// Claim adds a claim. It fails if another Sink has claimed the same packets.
func (l *Listeners) Claim(c Claim) error {
	return l.change(func(n *listening) error {
		if c.Sink == nil {
			return fmt.Errorf("claiming %s: nobody takes the packets", c)
		}
		if i := n.find(c); i >= 0 {
			if n.claims[i].Sink != c.Sink {
				return fmt.Errorf("claiming %s: another protocol has these packets", c)
			}
			n.claims[i] = c
			return nil
		}
		n.claims = append(n.claims, c)
		return nil
	})
}

// Release takes back a claim of the same packets and sink, if there is one.
func (l *Listeners) Release(c Claim) {
	_ = l.change(func(n *listening) error {
		if i := n.find(c); i >= 0 && n.claims[i].Sink == c.Sink {
			n.claims = slices.Delete(n.claims, i, i+1)
		}
		return nil
	})
}

// Join adds a member to a group. It may be called several times for one group.
func (l *Listeners) Join(group netip.Addr) {
	_ = l.change(func(n *listening) error {
		if i := n.member(group); i >= 0 {
			n.groups[i].by++
		} else {
			n.groups = append(n.groups, membership{group, 1})
		}
		return nil
	})
}

// Leave undoes one Join.
func (l *Listeners) Leave(group netip.Addr) {
	_ = l.change(func(n *listening) error {
		if i := n.member(group); i >= 0 {
			if n.groups[i].by--; n.groups[i].by == 0 {
				n.groups = slices.Delete(n.groups, i, i+1)
			}
		}
		return nil
	})
}

// Groups gives the groups that have a member, in the order of joining.
func (l *Listeners) Groups() []netip.Addr {
	n := l.load()
	if n == nil {
		return nil
	}
	var list []netip.Addr
	for _, g := range n.groups {
		list = append(list, g.group)
	}
	return list
}

// change publishes what edit makes of a copy, unless it fails.
func (l *Listeners) change(edit func(*listening) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := &listening{}
	if was := l.live.Load(); was != nil {
		next.claims, next.groups = slices.Clone(was.claims), slices.Clone(was.groups)
	}
	if err := edit(next); err != nil {
		return err
	}
	l.live.Store(next)
	return nil
}

func (n *listening) find(c Claim) int {
	return slices.IndexFunc(n.claims, func(o Claim) bool {
		return o.Family == c.Family && o.Protocol == c.Protocol && o.Port == c.Port && o.LinkLocal == c.LinkLocal
	})
}

func (n *listening) member(group netip.Addr) int {
	return slices.IndexFunc(n.groups, func(j membership) bool { return j.group == group })
}

// String describes the packets, as "UDP port 520 of IPv4".
func (c Claim) String() string {
	if c.Port != 0 {
		return fmt.Sprintf("UDP port %d of IPv%d", c.Port, c.Family)
	}
	if c.LinkLocal {
		return fmt.Sprintf("protocol %d of IPv%d to link-local addresses", c.Protocol, c.Family)
	}
	return fmt.Sprintf("protocol %d of IPv%d", c.Protocol, c.Family)
}
