package lab

import (
	"context"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// triangle is routerd with two neighbours that are joined as well. Behind the
// first one is a host, far.
const triangle = `name = "NAME"
[node.h1]
kind = "host"
[node.far]
kind = "host"
[node.r1]
kind = "router"
[node.r1.config.rip.interface.lan0]
passive = true
[node.r1.config.rip.interface.core1]
[node.r1.config.rip.interface.core2]
[node.r1.config.ripng.interface.lan0]
passive = true
[node.r1.config.ripng.interface.core1]
[node.r1.config.ripng.interface.core2]
[node.n1]
KIND
[node.n2]
KIND
[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
addresses = { "h1:eth0" = ["10.1.0.2/24", "2001:db8:1::2/64"], "r1:lan0" = ["10.1.0.1/24", "2001:db8:1::1/64"] }
[[link]]
endpoints = ["r1:core1", "n1:eth0"]
addresses = { "r1:core1" = ["10.0.11.1/24", "2001:db8:11::1/64"], "n1:eth0" = ["10.0.11.2/24", "2001:db8:11::2/64"] }
[[link]]
endpoints = ["r1:core2", "n2:eth0"]
addresses = { "r1:core2" = ["10.0.12.1/24", "2001:db8:12::1/64"], "n2:eth0" = ["10.0.12.2/24", "2001:db8:12::2/64"] }
[[link]]
endpoints = ["n1:eth1", "n2:eth1"]
addresses = { "n1:eth1" = ["10.0.21.1/24", "2001:db8:21::1/64"], "n2:eth1" = ["10.0.21.2/24", "2001:db8:21::2/64"] }
[[link]]
endpoints = ["n1:eth2", "far:eth0"]
addresses = { "n1:eth2" = ["10.9.0.1/24", "2001:db8:9::1/64"], "far:eth0" = ["10.9.0.2/24", "2001:db8:9::2/64"] }
`

var trianglePeers = map[Kind]string{
	KindBIRD: `kind = "bird"
config = """
log stderr all;
router id 10.0.0.1;
protocol device { }
protocol direct { ipv4; ipv6; }
protocol kernel { ipv4 { export where source = RTS_RIP; }; }
protocol kernel { ipv6 { export where source = RTS_RIP; }; }
protocol rip r4 { ipv4 { import all; export all; }; interface "eth0", "eth1" { }; }
protocol rip ng r6 { ipv6 { import all; export all; }; interface "eth0", "eth1" { }; }
"""`,
	KindFRR: `kind = "frr"
config = """
router rip
 timers basic 5 180 120
 network eth0
 network eth1
 network eth2
 passive-interface eth2
router ripng
 timers basic 5 180 120
 network eth0
 network eth1
 network eth2
 passive-interface eth2
"""`,
}

// A carrier that is lost is got over by asking the other neighbour, long before
// anybody's next regular update, and what is lost is poisoned.
func TestRIPFailover(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindBIRD, KindFRR} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := newRIPBench(t, strings.ReplaceAll(triangle, "KIND", trianglePeers[kind]))
			b.needsPeers("n1", "n2")
			if _, err := b.find("tcpdump"); err != nil {
				t.Skip("tcpdump is not installed")
			}
			b.up()
			seen, ready := b.capture("n2", "eth0", "port 520 or port 521")
			eventually(t, "tcpdump listens", ready)
			b.settle(40*time.Second, map[string]learned{"r1": {
				"10.9.0.0/24": {2, 0, "10.0.11.2 core1"}, "2001:db8:9::/64": {2, 0, "fe80:: core1"},
				"10.0.21.0/24": {2, 0, "10.0.11.2 core1, 10.0.12.2 core2"}, "2001:db8:21::/64": {2, 0, "fe80:: core1, fe80:: core2"},
			}})
			b.waitFor("n2", 40*time.Second, learned{"10.9.0.0/24": {2, 0, "10.0.21.1 eth1"}, "2001:db8:9::/64": {2, 0, "fe80:: eth1"}})

			if kind == KindFRR {
				b.slowDown("n2")
			}

			arrivals := b.flow("h1", "far", "10.9.0.2:5000")
			eventually(t, "datagrams arrive", func() bool { return len(arrivals()) > 0 })
			// Only what was announced is poisoned.
			b.waitFor("n2", 40*time.Second, learned{"10.1.0.0/24": {2, 0, "10.0.12.1 eth0"}})
			// With the next regular update, if tcpdump came too late for the first.
			within(t, time.Minute, "r1 announces its link with n1 to n2", func() bool { return strings.Contains(seen(), "2001:db8:11::/64 (1)") })

			b.run("n1", "ip link set eth0 down")
			cut := time.Now()
			b.waitFor("r1", 5*time.Second, learned{
				"10.9.0.0/24": {3, 0, "10.0.12.2 core2"}, "2001:db8:9::/64": {3, 0, "fe80:: core2"},
				"10.0.21.0/24": {2, 0, "10.0.12.2 core2"}, "2001:db8:21::/64": {2, 0, "fe80:: core2"},
			})
			t.Logf("r1 had the other way %v after the cut", time.Since(cut).Round(time.Millisecond))
			eventually(t, "datagrams arrive again", func() bool {
				all := arrivals()
				return len(all) > 0 && all[len(all)-1].After(cut.Add(time.Second))
			})
			all := arrivals()
			var gap time.Duration
			for n := 1; n < len(all); n++ {
				gap = max(gap, all[n].Sub(all[n-1]))
			}
			t.Logf("the longest gap between two datagrams was %v", gap.Round(time.Millisecond))
			if gap > 5*time.Second {
				t.Errorf("nothing arrived for %v", gap)
			}
			// The subnet of the link that died, which only r1 and n1 had.
			for _, want := range []string{`10\.0\.11\.0/24, .*metric: 16`, `2001:db8:11::/64 \(16\)`} {
				eventually(t, "tcpdump sees "+want, func() bool { return compile(want)[0].MatchString(seen()) })
			}
		})
	}
}

// slowDown has FRR, which would take minutes to learn all with it, go back to
// the usual interval, and waits until no regular update is near.
func (b *bench) slowDown(node string) {
	b.t.Helper()
	for _, protocol := range []string{"rip", "ripng"} {
		b.run(node, fmt.Sprintf("vtysh -c 'configure terminal' -c 'router %s' -c 'timers basic 30 180 120'", protocol))
	}
	eventually(b.t, "FRR's next updates are not soon", func() bool {
		due := frrDue.FindAllStringSubmatch(b.run(node, "vtysh -c 'show ip rip status' -c 'show ipv6 ripng status'"), -1)
		return len(due) == 2 && !slices.ContainsFunc(due, func(m []string) bool { seconds, _ := strconv.Atoi(m[1]); return seconds < 6 })
	})
}

var frrDue = regexp.MustCompile(`next due in (\d+) seconds`)

// waitFor waits until a node has learned these, whatever else it has.
func (b *bench) waitFor(node string, within time.Duration, want learned) {
	b.t.Helper()
	deadline := time.Now().Add(within)
	for {
		some := b.tables(node)
		maps.DeleteFunc(some, func(prefix string, _ known) bool { _, asked := want[prefix]; return !asked })
		diff := cmp.Diff(want, some)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("within %v %s has learned (-want +got)\n%s", within, node, diff)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// flow sends a datagram every 10 ms from one node to an address of another,
// and gives when those came that came so far.
func (b *bench) flow(from, to, address string) func() []time.Time {
	b.t.Helper()
	var out net.Conn
	var in net.PacketConn
	err := inNamespace(b.namespace(to), func() (err error) {
		in, err = net.ListenPacket("udp", address)
		return err
	})
	if err == nil {
		b.t.Cleanup(func() { in.Close() })
		err = inNamespace(b.namespace(from), func() (err error) {
			out, err = net.Dial("udp", address)
			return err
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	came := make(chan []time.Time, 1)
	came <- nil
	go func() {
		for {
			if _, _, err := in.ReadFrom(make([]byte, 16)); err != nil {
				return
			}
			came <- append(<-came, time.Now())
		}
	}()
	stop := make(chan struct{})
	b.t.Cleanup(func() { close(stop); out.Close() })
	go func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				_, _ = out.Write([]byte("one more")) // errors are what is measured
			}
		}
	}()
	return func() []time.Time {
		all := <-came
		came <- all
		return all
	}
}

// capture runs tcpdump on what comes to a node by an interface.
func (b *bench) capture(node, iface, filter string) (seen func() string, ready func() bool) {
	b.t.Helper()
	var out lockedBuffer
	ctx, cancel := context.WithCancel(b.t.Context())
	cmd, err := b.start(ctx, node, fmt.Sprintf("exec tcpdump -n -v -l -Q in -i %s %s", iface, filter), &out)
	if err != nil {
		cancel()
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return out.String, func() bool { return strings.Contains(out.String(), "listening on") }
}

// lockedBuffer is written by a process and read meanwhile.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
