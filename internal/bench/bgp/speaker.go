package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/routing/bgp/wire"
)

// speaker is a session of BGP in a namespace, which writes what it is given as fast as TCP
// takes it and counts the prefixes that come.
type speaker struct {
	conn *net.TCPConn
	// announced and withdrawn are prefixes that came, each as often as it came.
	announced, withdrawn atomic.Int64
	hear                 func(*wire.Update) // if not nil, is called with each UPDATE
	ended                chan struct{}
	err                  error // why, once ended is closed
}

// identity is who a speaker is, and whom it speaks to.
type identity struct {
	namespace string
	local     netip.Addr
	router    netip.Addr
	as, peer  uint32
	narrow    bool               // AS numbers have two octets
	hear      func(*wire.Update) // if not nil, is called with each UPDATE that comes
}

// Of a session: longer than anything takes that holds one of the two up.
const (
	holdTime  = 240
	keepAlive = 30 * time.Second
)

// dial has a session come up, and tries until it does or limit has passed: routers let
// some time go by after a session was lost. It tries seldom, since to refuse a connection
// takes the router's time, which is measured.
func dial(ctx context.Context, who identity, limit time.Duration) (s *speaker, err error) {
	err = site.Await(ctx, limit, 200*time.Millisecond, fmt.Sprintf("a session from %v to %v", who.local, who.router), func() (string, error) {
		x, err := open(who)
		if err != nil {
			return err.Error(), nil
		}
		s = x
		return "", nil
	})
	return s, err
}

// open makes one attempt.
func open(who identity) (s *speaker, err error) {
	s = &speaker{hear: who.hear, ended: make(chan struct{})}
	err = bench.InNamespace(who.namespace, func() (err error) {
		from, to := net.TCPAddrFromAddrPort(netip.AddrPortFrom(who.local, 0)), net.TCPAddrFromAddrPort(netip.AddrPortFrom(who.router, wire.Port))
		s.conn, err = net.DialTCP("tcp4", from, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	ours := wire.Open{
		AS: who.as, HoldTime: holdTime, ID: routerIDOf(who.local),
		Capabilities: wire.Capabilities{Families: spoken.Families, FourOctetAS: !who.narrow, RouteRefresh: true},
	}
	rest, session, err := s.greet(&ours, who.peer)
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	go s.read(rest, session)
	go s.keep()
	return s, nil
}

// greet exchanges OPENs and KEEPALIVEs, and gives what came behind them.
func (s *speaker) greet(ours *wire.Open, as uint32) (rest []byte, session wire.Session, err error) {
	if err := s.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, session, err
	}
	if _, err := s.conn.Write(wire.AppendKeepalive(ours.Append(nil))); err != nil {
		return nil, session, fmt.Errorf("sending an OPEN: %w", err)
	}
	var theirs wire.Open
	for opened, buffer := false, make([]byte, 0, 1<<16); ; {
		n, err := s.conn.Read(buffer[len(buffer):cap(buffer)])
		if err != nil {
			return nil, session, fmt.Errorf("waiting for an OPEN: %w", err)
		}
		buffer = buffer[:len(buffer)+n]
		for {
			m, rest, r := wire.Split(buffer, wire.MaxMessage)
			if !r.OK() {
				return nil, session, errors.New(r.String())
			}
			if m.Octets == nil {
				break
			}
			buffer = rest
			switch m.Type {
			case wire.TypeOpen:
				if r := wire.DecodeOpen(m.Body(), &theirs); !r.OK() {
					return nil, session, errors.New(r.String())
				}
				if session, r = wire.Negotiate(ours, &theirs, wire.Expected{AS: as}); !r.OK() {
					return nil, session, errors.New(r.String())
				}
				opened = true
			case wire.TypeKeepalive:
				if opened {
					return rest, session, s.conn.SetDeadline(time.Time{})
				}
			default:
				return nil, session, refused(m)
			}
		}
	}
}

// refused says which message has come instead of what was wanted.
func refused(m wire.Message) error {
	if m.Type == wire.TypeNotification {
		return fmt.Errorf("the router has sent %v", wire.DecodeNotification(m.Body()))
	}
	return fmt.Errorf("the router has sent %v", m.Type)
}

// errAgain ends a session: a router that has its policies before its neighbours come needs
// nothing twice, and what it learns a second time would not be what is measured.
var errAgain = errors.New("the router wants all routes once more (ROUTE-REFRESH), which nobody does here whose policies are there from the beginning")

// read counts what comes until the session ends.
func (s *speaker) read(rest []byte, session wire.Session) {
	defer close(s.ended)
	buffer := make([]byte, 1<<18)
	n := copy(buffer, rest)
	var u wire.Update
	for {
		b := buffer[:n]
		for {
			m, rest, r := wire.Split(b, session.Longest())
			if !r.OK() {
				s.err = errors.New(r.String())
				return
			}
			if m.Octets == nil {
				break
			}
			b = rest
			switch m.Type {
			case wire.TypeUpdate:
				s.count(m, &session, &u)
			case wire.TypeNotification:
				s.err = refused(m)
				return
			case wire.TypeRouteRefresh:
				s.err = errAgain
				return
			}
		}
		n = copy(buffer, b)
		got, err := s.conn.Read(buffer[n:])
		if err != nil {
			s.err = fmt.Errorf("reading from the router: %w", err)
			return
		}
		n += got
	}
}

func (s *speaker) count(m wire.Message, session *wire.Session, u *wire.Update) {
	wire.DecodeUpdate(m.Body(), session, u)
	if s.hear != nil {
		s.hear(u)
	}
	announced, withdrawn := 0, 0
	for i := range u.Reach {
		announced += u.Reach[i].Len()
		withdrawn += u.Withdrawn[i].Len()
	}
	s.announced.Add(int64(announced))
	s.withdrawn.Add(int64(withdrawn))
}

// has is how many prefixes the router has sent and not withdrawn, if it sends each once.
func (s *speaker) has() int { return int(s.announced.Load() - s.withdrawn.Load()) }

// keep keeps the session alive.
func (s *speaker) keep() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
			_, _ = s.conn.Write(wire.AppendKeepalive(nil)) // the reader hears of an error
		}
	}
}

// say writes whole messages. If the router does not take them all within limit the error is
// errLate.
func (s *speaker) say(messages []byte, limit time.Duration) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return fmt.Errorf("sending to the router: %w", err)
	}
	if n, err := s.conn.Write(messages); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: the router has taken %d of %d octets within %v", errLate, n, len(messages), limit)
	} else if err != nil {
		select {
		case <-s.ended:
			return fmt.Errorf("the session has ended: %w", s.err)
		case <-time.After(time.Second):
			return fmt.Errorf("sending to the router: %w", err)
		}
	}
	return s.conn.SetWriteDeadline(time.Time{})
}

// alive complains if the session has ended.
func (s *speaker) alive() error {
	select {
	case <-s.ended:
		return fmt.Errorf("the session has ended: %w", s.err)
	default:
		return nil
	}
}

// close resets the connection.
func (s *speaker) close() {
	_ = s.conn.SetLinger(0)
	s.conn.Close()
	<-s.ended
}

func routerIDOf(a netip.Addr) wire.RouterID {
	b := a.As4()
	return wire.RouterID(binary.BigEndian.Uint32(b[:]))
}
