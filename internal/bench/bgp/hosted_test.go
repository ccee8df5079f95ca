package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"routerd/internal/bench/site"
	"routerd/routing/bgp/wire"
)

// Rivals that a lab does not know learn a table, have it withdrawn, and send it on.
func TestHosted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces takes root")
	}
	f := newFeed(madeUp(500), firstAS, feederAddress(0))
	for _, r := range rivals {
		if r.hosted == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			s, err := site.New(t.Context(), "/bin/true") // routerd does not run
			t.Cleanup(func() { os.RemoveAll(s.Dir) })
			if err != nil {
				t.Fatal(err)
			}
			m, err := fullTable(t.Context(), options{site: s, limit: time.Minute}, r, f, true)
			if errors.Is(err, site.ErrMissing) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			for _, figure := range []string{learned, learnedMB, withdrawn, exported, exportedMB} {
				if m[figure] <= 0 || m[figure] == late {
					t.Errorf("%s: %v, want it measured", figure, m[figure])
				}
			}
		})
	}
}

// FRR denies what comes by a route-map that it did not know when it was named.
func TestNamedAfterwards(t *testing.T) {
	text := configFRR(setting{feeders: 3, sink: true, crowd: true})
	neighbors := strings.Index(text, "router bgp")
	for _, name := range []string{"taken", "given", "none"} {
		if i := strings.Index(text, "route-map "+name+" "); i < 0 || i > neighbors {
			t.Errorf("route-map %s is at %d of %s\nwant it before the neighbours, at %d", name, i, text, neighbors)
		}
	}
}

// connected is a speaker, and the router's end of its connection.
func connected(t *testing.T) (*speaker, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	router, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { router.Close() })
	return &speaker{conn: c.(*net.TCPConn), ended: make(chan struct{})}, router
}

// A session ends when the router wants everything once more: nobody sends it, and who waited
// for it would wait for nothing.
func TestAskedAgain(t *testing.T) {
	s, router := connected(t)
	if _, err := router.Write(wire.Refresh{Family: wire.IPv4Unicast}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	s.read(nil, spoken)
	if err := s.alive(); !errors.Is(err, errAgain) {
		t.Errorf("asked for all routes once more: %v, want %v", err, errAgain)
	}
}

// A router that takes nothing, and one that never has what is wanted, are late.
func TestLate(t *testing.T) {
	s, _ := connected(t)
	m := sample{}
	if err := m.took(learned, 0, s.say(make([]byte, 64<<20), 50*time.Millisecond)); !errors.Is(err, errLate) || m[learned] != late {
		t.Errorf("a router that takes nothing: %v, %v; want %v", err, m, errLate)
	}
	x := &stand{rival: rivals[0], limit: 20 * time.Millisecond}
	for _, want := range []error{errLate, errAgain} {
		took, err := x.until(t.Context(), time.Now(), time.Millisecond, "routes", func() (string, error) {
			if want == errAgain {
				return "", want
			}
			return "it has none", nil
		})
		m := sample{}
		if err := m.took(learned, took, err); !errors.Is(err, want) || (m[learned] == late) != (want == errLate) {
			t.Errorf("a router that never has them: %v, %v; want %v", err, m, want)
		}
	}
}
