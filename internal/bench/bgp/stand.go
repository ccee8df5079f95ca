package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"sync"
	"time"

	"routerd/internal/bench/site"
	"routerd/internal/lab"
	"routerd/routing/bgp/wire"
)

// Where everybody is: the router r between the host a, where those are who feed it, and
// the host c, where the one is who is sent all; n watches it by BFD, if it is routerd.
var (
	routerAddress = netip.MustParseAddr("10.0.1.1")
	sinkRouter    = netip.MustParseAddr("10.0.2.1")
	sinkAddress   = netip.MustParseAddr("10.0.2.2")
)

// mostFeeders is for how many there are addresses.
const mostFeeders = 240

func feederAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(2 + i)}) }

// topology is the lab of a rival. To a every address is its own but those of the lab, so
// that it receives whatever is sent to a destination that it has announced.
func topology(r *rival, s setting) string {
	addresses := ""
	for i := range max(1, s.feeders) {
		addresses += fmt.Sprintf("\"%v/24\", ", feederAddress(i))
	}
	links := joined
	if r.hosted != nil {
		links = switched
	}
	text := fmt.Sprintf("[node.a]\nkind = \"host\"\n[node.c]\nkind = \"host\"\n[node.r]\n%s\n", r.config(s)) + fmt.Sprintf(links, addresses)
	if r.name == nameRouterd && s.sink {
		text += watcher
	}
	return text
}

// The links of r. A lab joins two hosts by a switch, which is a bridge of the kernel's.
const (
	joined = `[[link]]
endpoints = ["a:eth0", "r:eth0"]
addresses = { "a:eth0" = [%s], "r:eth0" = ["10.0.1.1/24"] }
routes = { "a:eth0" = ["10.0.2.0/24"] }
[[link]]
endpoints = ["c:eth0", "r:eth1"]
addresses = { "c:eth0" = ["10.0.2.2/24"], "r:eth1" = ["10.0.2.1/24"] }
`
	switched = `[node.s]
kind = "switch"
[node.t]
kind = "switch"
[[link]]
endpoints = ["a:eth0", "s:p1"]
addresses = { "a:eth0" = [%s] }
[[link]]
endpoints = ["r:eth0", "s:p2"]
addresses = { "r:eth0" = ["10.0.1.1/24"] }
[[link]]
endpoints = ["c:eth0", "t:p1"]
addresses = { "c:eth0" = ["10.0.2.2/24"] }
[[link]]
endpoints = ["r:eth1", "t:p2"]
addresses = { "r:eth1" = ["10.0.2.1/24"] }
`
)

// watcher is BIRD, which has a session of BFD with routerd.
const watcher = `[node.r.config.bfd.profile.default]
interval = "50ms"
[node.r.config.bfd.peer."10.0.3.2"]
[node.n]
kind = "bird"
config = """
log stderr all;
router id 10.0.3.2;
protocol device { }
protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; }; neighbor 10.0.3.1 dev "eth0" local 10.0.3.2; }
"""
[[link]]
endpoints = ["n:eth0", "r:eth2"]
addresses = { "n:eth0" = ["10.0.3.2/24"], "r:eth2" = ["10.0.3.1/24"] }
`

// stand is a lab with the speakers of a rival.
type stand struct {
	rival   *rival
	setting setting
	lab     *lab.Lab
	asker   asker
	program *program      // if the rival is hosted
	limit   time.Duration // that one figure may take
	feeders []*speaker
	sink    *speaker
	narrow  bool               // feeders have AS numbers of two octets
	hear    func(*wire.Update) // see speaker, of the sink

	mu      sync.Mutex
	slowest time.Duration // answer to a question
	asked   int
}

// errLate is of what took longer than the limit.
var errLate = errors.New("it took too long")

// with has f use the stand of a rival in a lab of its own.
func with(ctx context.Context, o options, r *rival, s setting, f func(*stand) error) error {
	if r.hosted != nil {
		if _, err := exec.LookPath(r.hosted.terminal); err != nil {
			return fmt.Errorf("%s %w", r.hosted.terminal, site.ErrMissing)
		}
	}
	return o.site.Lab(ctx, topology(r, s), func(l *lab.Lab) error {
		x := &stand{rival: r, setting: s, lab: l, limit: o.given(r), feeders: make([]*speaker, s.feeders)}
		defer x.close()
		if text, err := l.Run(ctx, "a", "ip route replace local default dev lo"); err != nil {
			return fmt.Errorf("having a take all addresses: %w: %s", err, text)
		}
		var err error
		if x.asker, err = r.ask(l, "r", o.site.Dir); err != nil {
			return err
		}
		if r.hosted != nil {
			if err := x.start(ctx, o.site.Dir); err != nil {
				return err
			}
		}
		return f(x)
	})
}

func (x *stand) close() {
	for _, s := range append(x.feeders, x.sink) {
		if s != nil {
			s.close()
		}
	}
	if x.asker != nil {
		x.asker.close()
	}
	if x.program != nil {
		x.program.end()
	}
}

// feed has the session of a feeder come up.
func (x *stand) feed(ctx context.Context, i int) (err error) {
	x.feeders[i], err = dial(ctx, identity{
		namespace: x.lab.Topology.Name + "-a", local: feederAddress(i), router: routerAddress, as: firstAS + uint32(i), peer: routerAS, narrow: x.narrow,
	}, x.limit)
	return err
}

// listen has the session of the sink come up.
func (x *stand) listen(ctx context.Context) (err error) {
	x.sink, err = dial(ctx, identity{
		namespace: x.lab.Topology.Name + "-c", local: sinkAddress, router: sinkRouter, as: sinkAS, peer: routerAS, hear: x.hear,
	}, x.limit)
	return err
}

// routes asks the rival how many routes it has.
func (x *stand) routes(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began := time.Now()
	n, err := x.asker.routes(ctx)
	took := time.Since(began)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slowest, x.asked = max(x.slowest, took), x.asked+1
	return n, err
}

// until waits for a condition and gives how long that took since began. If that is longer
// than the limit the error is errLate.
func (x *stand) until(ctx context.Context, began time.Time, every time.Duration, what string, complaint func() (string, error)) (time.Duration, error) {
	var failed error
	err := site.Await(ctx, x.limit-time.Since(began), every, x.rival.name+": "+what, func() (why string, err error) {
		if failed = x.alive(); failed == nil {
			why, failed = complaint()
		}
		return why, failed
	})
	if err != nil && failed == nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errLate, err)
	}
	return time.Since(began), err
}

// alive complains if a session has ended.
func (x *stand) alive() error {
	for _, s := range append(x.feeders, x.sink) {
		if s != nil {
			if err := s.alive(); err != nil {
				return err
			}
		}
	}
	return nil
}

// has waits until the rival has so many routes.
func (x *stand) has(ctx context.Context, began time.Time, want int) (time.Duration, error) {
	return x.until(ctx, began, x.rival.every, fmt.Sprintf("%d routes", want), func() (string, error) {
		n, err := x.routes(ctx)
		if err == nil && n != want {
			return fmt.Sprintf("it has %d", n), nil
		}
		return "", err
	})
}

// sent waits until the sink has been sent so many prefixes more than it has been withdrawn.
// Of others than routerd some may come twice.
func (x *stand) sent(ctx context.Context, began time.Time, want int) (time.Duration, error) {
	return x.until(ctx, began, time.Millisecond, fmt.Sprintf("%d prefixes sent", want), func() (string, error) {
		switch n := x.sink.has(); {
		case want > 0 && n < want, want == 0 && n > 0:
			return fmt.Sprintf("%d are", n), nil
		case n != want && x.rival.name == nameRouterd:
			return "", fmt.Errorf("%d prefixes were sent, want %d", n, want)
		}
		return "", nil
	})
}

// settles is how long a rival is left alone before its memory is looked at.
const settles = 3 * time.Second

// memory gives the resident memory of the rival in MB, 10^6 bytes.
func (x *stand) memory(ctx context.Context) (float64, error) {
	if err := site.Pause(ctx, settles); err != nil {
		return 0, err
	}
	u, err := x.used()
	return u.RSS * (1 << 20) / 1e6, err
}
