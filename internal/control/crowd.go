package control

import (
	"net"
	"net/http"
	"sync"
)

// crowd bounds the connections of a listener. Whoever comes is let in: where
// that is one too many, a connection of the source that has most goes, the
// oldest. So no source keeps another out, and none keeps itself out either. It
// is safe for concurrent use.
type crowd struct {
	most int
	mu   sync.Mutex
	in   []member // in order of arrival
}

type member struct {
	conn   net.Conn
	source string
}

// sourceOf tells those apart who share the connections of a listener: hosts
// where it is TCP, and on a unix socket everybody is one.
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
			leaving.Close() // which whoever serves it learns at its next read or write
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
	}
}

// enter notes a connection and gives the one that has to go for it, or nil.
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
