package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// many is a router whose metrics fill the buffers of a socket many times over,
// and which may be asked by several at once.
type many struct {
	fake
	snapshot Snapshot
}

func newMany(t *testing.T, workers int) *many {
	m := &many{}
	var err error
	if m.snapshot, err = m.fake.Metrics(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range workers {
		m.snapshot.Workers = append(m.snapshot.Workers, WorkerSnapshot{Interface: fmt.Sprintf("tun%d%s", i, strings.Repeat("x", 1000))})
	}
	return m
}

func (m *many) Metrics(context.Context) (Snapshot, error) { return m.snapshot, nil }

// serveOn serves metrics until the test ends, and gives the address.
func serveOn(t *testing.T, r Router, o Options) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(r, o).ServeMetrics(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l.Addr().String()
}

// Clients that ask and do not read keep nobody out, be they a few whose answers
// have begun or more than are let in, half of which do not even ask.
func TestMetricsBesideClientsThatDoNotRead(t *testing.T) {
	for n, workers := range map[int]int{8: 100, 3 * maxMetricsConns: 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			address := serveOn(t, newMany(t, workers), Options{})
			for i := range n {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if i >= 8 && i%2 == 0 {
					continue
				}
				c.(*net.TCPConn).SetReadBuffer(4096)
				if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if i >= 8 {
					continue
				}
				c.SetReadDeadline(time.Now().Add(30 * time.Second))
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Fatalf("the answer to client %d does not begin: %v", i, err)
				}
			}
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
			resp, err := client.Get("http://" + address + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "routerd_build_info") {
				t.Errorf("one that reads got %s, %d bytes, %v", resp.Status, len(body), err)
			}
		})
	}
}

// conn is a connection from an address.
type conn struct {
	net.Conn
	from   netip.AddrPort
	closed bool
}

func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }
func (c *conn) Close() error         { c.closed = true; return nil }

// The source with most connections makes room, by its oldest.
func TestCrowdIsFair(t *testing.T) {
	c := &crowd{most: 4}
	enter := func(host string) *conn {
		n := &conn{from: netip.AddrPortFrom(addr(host), 1)}
		c.watch(n, http.StateNew)
		return n
	}
	scraper := enter("10.0.0.1")
	var crowded []*conn
	for range 20 {
		crowded = append(crowded, enter("10.0.0.2"))
	}
	if scraper.closed {
		t.Error("the one connection of 10.0.0.1 was closed for those of 10.0.0.2")
	}
	for i, n := range crowded {
		if want := i < len(crowded)-3; n.closed != want {
			t.Errorf("connection %d of 10.0.0.2: closed %t, want %t", i, n.closed, want)
		}
	}
	for _, n := range crowded {
		c.watch(n, http.StateClosed)
	}
	if len(c.in) != 1 {
		t.Errorf("%d connections are counted, want 1", len(c.in))
	}
}

// A request is answered only where it names the router: not where a name of
// somebody else's has been made to lead to it.
func TestHost(t *testing.T) {
	names := []string{"r1.example.net"}
	address := serveOn(t, &fake{}, Options{MetricsHosts: func() []string { return names }})
	for host, want := range map[string]int{
		"127.0.0.1:9179": 200, "[::1]:9179": 200, "localhost": 200, "LOCALHOST:1": 200, "r1": 200, "10.0.0.1": 200,
		"r1.example.net:9179": 200, "R1.EXAMPLE.NET.": 200,
		"evil.example": 421, "evil.example:9179": 421, "127.0.0.1.evil.example": 421, "x.r1.example.net": 421,
	} {
		req, err := http.NewRequest(http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %s: %s, want %d: %.200s", host, resp.Status, want, body)
		}
	}
}
