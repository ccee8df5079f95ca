package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"routerd/internal/lab"
)

// The ASes of the router and of the neighbour that is sent what it has; those that feed
// it count from firstAS.
const (
	routerAS = 65000
	sinkAS   = 64999
	firstAS  = 65001
)

// rival is a way to route that is measured: a program and how it is told to.
type rival struct {
	name string
	// config is its table in the topology without the key kind: so many neighbours feed
	// it, and one is sent all if sink is set.
	config func(s setting) string
	// ask opens a way to ask it how many routes it has from neighbours; close ends it.
	ask func(l *lab.Lab, node, dir string) (asker, error)
	// every is how often it is asked: seldom where a program has to be started for it.
	every time.Duration
	// forwards: its routes get into a table that packets are forwarded by.
	forwards bool
	// hosted is how it is started, where a lab does not know it.
	hosted *hosted
	// slow: it takes long, and is measured in the rounds that -slow says; without lost
	// sessions and ten neighbours.
	slow bool
	// refreshes: it sends all once more to who asks. refreshOnce: in the first round alone,
	// since it takes long.
	refreshes, refreshOnce bool
	// crowds: it is measured with a crowd too.
	crowds bool
	// echoes: in a crowd it sends each neighbour also what came from it.
	echoes bool
}

// setting is what a router has to do.
type setting struct {
	feeders int
	sink    bool
	// crowd: all have policies, and are sent what comes from the others.
	crowd bool
	// sameMEDs: MEDs are compared as RFC 4271 has it, among all routes of an AS, which takes
	// BIRD a while.
	sameMEDs bool
}

// asker asks one router.
type asker interface {
	// routes is how many routes it has from its neighbours.
	routes(ctx context.Context) (int, error)
	close()
}

const (
	nameRouterd = "routerd"
	nameBIRD    = "BIRD"
	nameKernel  = "BIRD and the kernel"
	nameFRR     = "FRR"
	nameGoBGP   = "GoBGP"
	nameOpen    = "OpenBGPD"
)

var rivals = []*rival{
	{name: nameRouterd, config: configRouterd, ask: askRouterd, every: 5 * time.Millisecond, forwards: true, crowds: true, refreshes: true},
	{name: nameBIRD, config: func(s setting) string { return configBIRD(s, false) }, ask: askBIRD, every: 5 * time.Millisecond, crowds: true, refreshes: true, refreshOnce: true},
	{name: nameKernel, config: func(s setting) string { return configBIRD(s, true) }, ask: askBIRD, every: 5 * time.Millisecond, forwards: true, slow: true},
	{name: nameFRR, config: configFRR, ask: askFRR, every: 50 * time.Millisecond, slow: true, crowds: true, echoes: true, refreshes: true},
	// OpenBGPD does not send again what has not changed, and GoBGP takes minutes.
	{name: nameOpen, config: configHost, hosted: openBGPD, ask: askOpenBGPD, every: 50 * time.Millisecond, slow: true},
	{name: nameGoBGP, config: configHost, hosted: goBGP, ask: askGoBGP, every: 200 * time.Millisecond, slow: true},
}

// neighbors calls yield with the address and AS of each neighbour of a router.
func (s setting) neighbors(yield func(address string, as int, sink bool)) {
	for i := range s.feeders {
		yield(feederAddress(i).String(), firstAS+i, false)
	}
	if s.sink {
		yield(sinkAddress.String(), sinkAS, true)
	}
}

// byRouterd asks routerd's API.
type byRouterd struct{ client *http.Client }

func askRouterd(l *lab.Lab, node, dir string) (asker, error) {
	socket := filepath.Join(dir, l.Topology.Name+"-"+node+".sock")
	return byRouterd{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}, nil
}

func (a byRouterd) routes(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://routerd/v1/bgp/summary", nil)
	if err != nil {
		return 0, fmt.Errorf("asking routerd: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking routerd: %w", err)
	}
	defer resp.Body.Close()
	var x struct{ Neighbors []struct{ Accepted int } }
	if err := json.NewDecoder(resp.Body).Decode(&x); err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("asking routerd: %s: %w", resp.Status, err)
	}
	n := 0
	for _, neighbor := range x.Neighbors {
		n += neighbor.Accepted
	}
	return n, nil
}

func (a byRouterd) close() { a.client.CloseIdleConnections() }

// byBIRD speaks to BIRD's command socket.
type byBIRD struct {
	conn net.Conn
	in   *bufio.Scanner
}

func askBIRD(l *lab.Lab, node, dir string) (asker, error) {
	conn, err := net.Dial("unix", filepath.Join(dir, "lab-"+l.Topology.Name, node, "bird.ctl"))
	if err != nil {
		return nil, fmt.Errorf("asking BIRD: %w", err)
	}
	a := &byBIRD{conn, bufio.NewScanner(conn)}
	if !a.in.Scan() {
		conn.Close()
		return nil, fmt.Errorf("asking BIRD: no greeting: %w", a.in.Err())
	}
	return a, nil
}

var imported = regexp.MustCompile(`Routes: +(\d+) imported`)

// routes adds up what the protocols have imported: counters, which BIRD need not walk
// its table for.
func (a *byBIRD) routes(ctx context.Context) (n int, err error) {
	deadline, _ := ctx.Deadline()
	if err := a.conn.SetDeadline(deadline); err != nil {
		return 0, fmt.Errorf("asking BIRD: %w", err)
	}
	if _, err := fmt.Fprint(a.conn, "show protocols all \"p*\"\n"); err != nil {
		return 0, fmt.Errorf("asking BIRD: %w", err)
	}
	for a.in.Scan() {
		line := a.in.Text()
		if m := imported.FindStringSubmatch(line); m != nil {
			k, err := strconv.Atoi(m[1])
			if err != nil {
				return 0, fmt.Errorf("asking BIRD: %w", err)
			}
			n += k
		}
		// The last line of an answer has a blank behind its code.
		if len(line) > 4 && line[0] >= '0' && line[0] <= '9' && line[4] == ' ' {
			return n, nil
		}
	}
	return 0, fmt.Errorf("asking BIRD: it has ended the connection: %w", errors.Join(a.in.Err()))
}

func (a *byBIRD) close() { a.conn.Close() }

// byFRR asks FRR by vtysh.
type byFRR struct {
	lab  *lab.Lab
	node string
}

func askFRR(l *lab.Lab, node, _ string) (asker, error) { return byFRR{l, node}, nil }

func (a byFRR) routes(ctx context.Context) (n int, err error) {
	text, err := a.lab.Run(ctx, a.node, "vtysh -c 'show bgp ipv4 unicast summary json'")
	if err != nil {
		return 0, fmt.Errorf("asking FRR: %w: %s", err, text)
	}
	var x struct {
		Peers map[string]struct{ PfxRcd int }
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return 0, fmt.Errorf("asking FRR: %w", err)
	}
	for _, p := range x.Peers {
		n += p.PfxRcd
	}
	return n, nil
}

func (byFRR) close() {}
