package dataplane

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// Claim says that one of the router's own protocols hears what is sent to the
// router's addresses, or to a group that it has joined: packets of an IP
// protocol, of UDP those to one port.
type Claim struct {
	Family   uint8  // 4 or 6
	Protocol uint8  // of IP
	Port     uint16 // of UDP, else 0
	// Broadcast also takes UDP datagrams that are for everybody on the link.
	Broadcast bool
	// Sink takes the packets. Claims are told apart by the rest, so of two for
	// the same packets the later one is refused.
	Sink Sink
}

// Sink takes packets for a protocol. Workers call it, several at once: it
// copies what it keeps, never waits, and reports whether it has taken h.
type Sink interface {
	Hear(h *Heard) (taken bool)
}

// Listeners is what the router's own protocols hear on one interface, or on
// all of them: claims, and the multicast groups that they take part in. It may
// be changed while packets arrive, by any goroutine; the next packet sees it.
// The zero value hears nothing, and so does nil.
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

// Claim adds a claim. It fails if somebody else has the same packets already.
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

// Join adds one who takes part in a group.
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

// Leave takes one away.
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

// Groups gives the groups that somebody has joined, in the order of joining.
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
		return o.Family == c.Family && o.Protocol == c.Protocol && o.Port == c.Port
	})
}

func (n *listening) member(group netip.Addr) int {
	return slices.IndexFunc(n.groups, func(j membership) bool { return j.group == group })
}

// String says what packets the claim is for: "UDP port 520 of IPv4".
func (c Claim) String() string {
	if c.Port != 0 {
		return fmt.Sprintf("UDP port %d of IPv%d", c.Port, c.Family)
	}
	return fmt.Sprintf("protocol %d of IPv%d", c.Protocol, c.Family)
}
