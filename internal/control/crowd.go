package control

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// crowd bounds the connections of a listener. Every new connection is accepted;
// if that is one too many, the oldest connection of the source with the most is
// closed. So no source can lock out another or itself. It is safe for
// concurrent use.
type crowd struct {
	most int
	mu   sync.Mutex
	in   []member // in order of arrival
}

type member struct {
	conn   net.Conn
	source string
}

// sourceOf returns the source of a connection: the host with TCP; on a unix
// socket all connections have the same source.
func sourceOf(c net.Conn) string {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.IP.String()
	}
	return ""
}

// watch is an http.Server's ConnState.
func (c *crowd) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if leaving := c.enter(conn, sourceOf(conn)); leaving != nil {
			hangUp(leaving) // its handler fails at the next read or write
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
	}
}

// hangUp closes a connection without waiting: TLS would wait for the other side to
// take its goodbye.
func hangUp(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

// enter adds a connection and returns the one to close for it, or nil.
func (c *crowd) enter(conn net.Conn, source string) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, member{conn, source})
	if len(c.in) <= c.most {
		return nil
	}
	count := map[string]int{}
	largest := 0
	for _, m := range c.in {
		count[m.source]++
		largest = max(largest, count[m.source])
	}
	for i, m := range c.in {
		if count[m.source] == largest {
			c.in = append(c.in[:i], c.in[i+1:]...)
			return m.conn
		}
	}
	return nil
}

func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.in {
		if m.conn == conn {
			c.in = append(c.in[:i], c.in[i+1:]...)
			return
		}
	}
}
