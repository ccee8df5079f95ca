package sim

import (
	"fmt"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
)

// Faults is what a link does to the frames that cross it. The zero Faults is a
// perfect link without any length.
type Faults struct {
	Delay     time.Duration // of every frame
	Jitter    time.Duration // up to as much more, so that frames overtake one another
	Loss      float64       // the share of frames that are lost, 0 to 1
	Duplicate float64       // the share of frames that arrive twice, 0 to 1
}

// Link joins two or more ends: what one sends arrives at all the others, as on
// a hub.
type Link struct {
	Faults Faults

	net    *Network
	name   string
	ends   []*End
	up     bool
	silent bool
}

// End is where an interface of a node meets a link. An end without a link is a
// stub, on which the simulation itself is the only other station.
type End struct {
	Node      *Node
	Interface string
	Link      *Link // nil on a stub

	port *memory.Port
	mac  [6]byte
	// groups are those that the port was told to receive, each as often as it
	// is joined. A new port has none.
	groups map[[6]byte]int
	// Received is what reached the other side of a stub, oldest first.
	Received [][]byte
}

// String is the end's name as links are drawn: "r1:eth0".
func (e *End) String() string { return e.Node.Name + ":" + e.Interface }

// station makes a memory port an Ethernet one, which receives what is sent to
// its own address, to everybody and to the groups that it has joined.
type station struct {
	*memory.Port
	end *End
}

var _ port.Ethernet = station{}

func (s station) HardwareAddr() [6]byte { return s.end.mac }

func (s station) Join(group [6]byte) error {
	s.end.groups[group]++
	return nil
}

func (s station) Leave(group [6]byte) error {
	if s.end.groups[group] == 0 {
		return fmt.Errorf("%s leaves group %x, which it has not joined", s.end, group)
	}
	s.end.groups[group]--
	return nil
}

// receives reports whether the end's device takes a frame from the link.
func (e *End) receives(frame []byte) bool {
	to := [6]byte(frame)
	return to == e.mac || to == everybody || e.groups[to] > 0
}

var everybody = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Up says whether the link has a carrier.
func (l *Link) Up() bool { return l.up }

// String is the link as it is drawn.
func (l *Link) String() string { return l.name }

// SetUp sets the carrier; every end's router learns it at once.
func (l *Link) SetUp(up bool) {
	if l.up == up {
		return
	}
	l.up = up
	word := "down"
	if up {
		word = "up"
	}
	l.net.note("link %s %s", l.name, word)
	l.net.touched = l.net.clock.now
	for _, e := range l.ends {
		if e.port != nil {
			e.port.SetUp(up)
			e.follow()
		}
	}
}

// SetSilent makes the link lose every frame while its carrier stays.
func (l *Link) SetSilent(silent bool) {
	if l.silent == silent {
		return
	}
	l.silent = silent
	l.net.note("link %s silent: %t", l.name, silent)
	l.net.touched = l.net.clock.now
}

// Carries reports whether frames have a chance to cross the link.
func (l *Link) Carries() bool { return l.up && !l.silent }

// follow tells the end's router what became of its port.
func (e *End) follow() {
	for {
		select {
		case ev := <-e.port.Events():
			if err := e.Node.Router.PortChanged(e.Interface, ev, e.Node.net.clock.now); err != nil {
				e.Node.net.fail(fmt.Errorf("%s: following its port: %w", e, err))
			}
			e.Node.wake()
		default:
			return
		}
	}
}

// carry takes what the end's router has sent and arranges for its arrival.
func (e *End) carry() bool {
	if e.port == nil {
		return false
	}
	if e == e.Node.tcp.end {
		return e.Node.tcp.take()
	}
	sent := e.port.Take()
	for _, p := range sent {
		if w := e.Node.net.Watch; w != nil {
			w(e, p.Data)
		}
		switch {
		case e.Link == nil:
			e.Received = append(e.Received, p.Data)
		case e.Link.Carries():
			for _, other := range e.Link.ends {
				if other != e {
					e.Link.pass(p, other)
				}
			}
		}
	}
	return len(sent) > 0
}

// shortest is how long a frame takes at least: something that is sent has not
// arrived yet.
const shortest = time.Microsecond

func (l *Link) pass(p memory.Packet, to *End) {
	n := l.net
	copies := 1
	if l.Faults.Duplicate > 0 && n.rand.Float64() < l.Faults.Duplicate {
		copies = 2
	}
	for range copies {
		if l.Faults.Loss > 0 && n.rand.Float64() < l.Faults.Loss {
			n.Lost++
			continue
		}
		delay := max(l.Faults.Delay, shortest)
		if l.Faults.Jitter > 0 {
			delay += time.Duration(n.rand.Int64N(int64(l.Faults.Jitter)))
		}
		n.clock.at(n.clock.now.Add(delay), func() {
			if !l.Carries() || to.port == nil {
				return // it was on its way when the link or the router failed
			}
			n.Frames++
			if !to.receives(p.Data) {
				return
			}
			to.port.Inject(p)
			to.Node.wake()
		})
	}
}
