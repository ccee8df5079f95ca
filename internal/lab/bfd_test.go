package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// bfdRow is routerd with BIRD, and FRR behind BIRD: one hop to the one, two hops
// to the other. AUTH is BIRD's, PROFILE routerd's.
const bfdRow = `name = "NAME"
[node.r1]
kind = "router"
KEYS
[node.r1.config.bfd.profile.fast]
interval = "50ms"
AUTH
[node.r1.config.bfd.profile.far]
interval = "100ms"
multiplier = 4
[node.r1.config.bfd.peer."10.0.12.2"]
profile = "fast"
[node.r1.config.bfd.peer."2001:db8:12::2"]
profile = "fast"
[node.r1.config.bfd.peer."10.0.23.3"]
profile = "far"
multihop = true
source = "10.0.12.1"
[[node.r1.config.static.route]]
prefix = "10.0.23.0/24"
next-hop = "10.0.12.2"
[node.b1]
kind = "bird"
config = """
log stderr all;
router id 10.0.12.2;
protocol device { }
protocol bfd b {
  interface "eth0" { min rx interval 50 ms; min tx interval 50 ms; idle tx interval 1 s; multiplier 3; BIRDAUTH };
  neighbor 10.0.12.1 dev "eth0";
  neighbor 2001:db8:12::1 dev "eth0";
}
"""
[node.f1]
kind = "frr"
config = """
ip route 10.0.12.0/24 10.0.23.2
bfd
 peer 10.0.12.1 multihop local-address 10.0.23.3
  detect-multiplier 4
  receive-interval 100
  transmit-interval 100
 exit
exit
"""
[[link]]
endpoints = ["r1:core0", "b1:eth0"]
addresses = { "r1:core0" = ["10.0.12.1/24", "2001:db8:12::1/64"], "b1:eth0" = ["10.0.12.2/24", "2001:db8:12::2/64"] }
[[link]]
endpoints = ["b1:eth1", "f1:eth0"]
addresses = { "b1:eth1" = ["10.0.23.2/24"], "f1:eth0" = ["10.0.23.3/24"] }
`

// bfdSession is what routerd says of a session.
type bfdSession struct {
	Peer, State, Diagnostic string
	Detection, Transmit     float64
	Received, Downs, Ups    int
	LastRefusal             string `json:"last_refusal"`
	Remote                  struct{ State string }
	Against                 bool
}

func (b *bench) sessions(node string) map[string]bfdSession {
	b.t.Helper()
	var doc struct{ Sessions []bfdSession }
	if text := b.run(node, "routerd show bfd -o json"); json.Unmarshal([]byte(text), &doc) != nil {
		b.t.Fatalf("reading what routerd says: %s", text)
	}
	all := map[string]bfdSession{}
	for _, s := range doc.Sessions {
		all[s.Peer] = s
	}
	return all
}

// waitSession waits until a session is in a state.
func (b *bench) waitSession(node, peer, state string) bfdSession {
	b.t.Helper()
	var last bfdSession
	deadline := time.Now().Add(40 * time.Second)
	for time.Now().Before(deadline) {
		if last = b.sessions(node)[peer]; last.State == state {
			return last
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("within 40s the session with %s is not %s but %+v\n%s", peer, state, last, b.log(node))
	return last
}

// log gives what a router has logged.
func (b *bench) log(node string) string {
	for _, r := range b.plan.Routers {
		if r.Node == node {
			text, _ := os.ReadFile(r.Log)
			return string(text)
		}
	}
	return ""
}

var (
	birdSession = regexp.MustCompile(`(?m)^(\S+)\s+eth0\s+(\S+)\s+\S+\s+(\S+)\s+(\S+)`) // address, state, interval, timeout
	frrStatus   = regexp.MustCompile(`"status":"(\w+)"`)
)

// birdStates gives BIRD's sessions: state, interval, timeout.
func (b *bench) birdStates(node string) map[string][3]string {
	b.t.Helper()
	all := map[string][3]string{}
	for _, m := range birdSession.FindAllStringSubmatch(b.run(node, "birdc show bfd sessions"), -1) {
		all[m[1]] = [3]string{m[2], m[3], m[4]}
	}
	return all
}

// frrState gives the state of FRR's only session.
func (b *bench) frrState(node string) string {
	b.t.Helper()
	m := frrStatus.FindStringSubmatch(strings.ReplaceAll(b.run(node, "vtysh -c 'show bfd peers json'"), " ", ""))
	if m == nil {
		return "none"
	}
	return m[1]
}

// Sessions with BIRD, in both families, and over two hops with FRR come up with
// the intervals of both sides, without authentication and with each kind that
// BIRD has, and whoever begins; their packets are used, and they come back after either side has ended one.
func TestBFDSessions(t *testing.T) {
	t.Parallel()
	passive := strings.NewReplacer("multiplier 3; BIRDAUTH", "multiplier 3; passive on;", "  detect-multiplier 4\n", "  detect-multiplier 4\n  passive-mode\n")
	for _, kind := range []string{"no authentication", "they are passive", "we are passive", "simple", "keyed-md5", "meticulous-keyed-md5", "keyed-sha1", "meticulous-keyed-sha1"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			key := filepath.Join(t.TempDir(), "bfd")
			if err := os.WriteFile(key, []byte("bfdkey1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			swap := []string{"BIRDAUTH", "", "AUTH", "", "KEYS", ""}
			text := bfdRow
			switch kind {
			case "no authentication":
			case "they are passive":
				text = passive.Replace(text)
			case "we are passive":
				text = strings.ReplaceAll(text, "AUTH\n", "passive = true\n")
				text = strings.Replace(text, "multiplier = 4\n", "multiplier = 4\npassive = true\n", 1)
			default:
				swap = []string{
					"BIRDAUTH", fmt.Sprintf(`authentication %s; password "bfdkey1" { id 5; };`, strings.ReplaceAll(kind, "-", " ")),
					"AUTH", fmt.Sprintf(`auth = { type = %q, keys = "bfd" }`, kind),
					"KEYS", fmt.Sprintf("[[node.r1.config.keys.bfd]]\nid = 5\nfile = %q", key),
				}
			}
			b := newRIPBench(t, strings.NewReplacer(swap...).Replace(text))
			b.needsPeers("b1", "f1")
			b.up()
			for peer, detection := range map[string]float64{"10.0.12.2": 0.15, "2001:db8:12::2": 0.15, "10.0.23.3": 0.4} {
				s := b.waitSession("r1", peer, "up")
				within(t, 10*time.Second, fmt.Sprintf("the intervals with %s are settled", peer), func() bool {
					s = b.sessions("r1")[peer]
					return s.Detection == detection
				})
			}
			within(t, 10*time.Second, "BIRD has both sessions up, with a timeout of 150 ms", func() bool {
				all := b.birdStates("b1")
				return all["10.0.12.1"] == [3]string{"Up", "0.050", "0.150"} && all["2001:db8:12::1"][0] == "Up"
			})
			within(t, 10*time.Second, "FRR has its session up", func() bool { return b.frrState("f1") == "up" })
			for peer := range b.sessions("r1") {
				first := b.sessions("r1")[peer].Received
				within(t, 20*time.Second, "40 more packets of "+peer+" are used", func() bool { return b.sessions("r1")[peer].Received >= first+40 })
				if s := b.sessions("r1")[peer]; s.LastRefusal != "" {
					t.Errorf("the session with %s: %+v", peer, s)
				}
			}
			if kind != "no authentication" {
				return
			}
			// BIRD falls silent, and FRR says that it is administratively down.
			b.run("b1", "birdc disable b")
			b.run("f1", "vtysh -c 'configure terminal' -c bfd -c 'peer 10.0.12.1 multihop local-address 10.0.23.3' -c shutdown")
			if s := b.waitSession("r1", "10.0.12.2", "down"); s.Diagnostic != "control detection time expired" {
				t.Errorf("the session with BIRD, which fell silent: %+v", s)
			}
			if s := b.waitSession("r1", "10.0.23.3", "down"); s.Remote.State != "admin-down" {
				t.Errorf("the session with FRR, which shut it: %+v", s)
			}
			b.run("b1", "birdc enable b")
			b.run("f1", "vtysh -c 'configure terminal' -c bfd -c 'peer 10.0.12.1 multihop local-address 10.0.23.3' -c 'no shutdown'")
			b.waitSession("r1", "10.0.12.2", "up")
			b.waitSession("r1", "10.0.23.3", "up")
		})
	}
}

// bfdTriangle is routerd that reaches far by n1, and by n2 and n1.
const bfdTriangle = `name = "NAME"
[node.h1]
kind = "host"
[node.far]
kind = "host"
[node.r1]
kind = "router"
[node.r1.config.bfd.profile.default]
interval = "50ms"
CLIENT
[node.n1]
N1
[node.n2]
N2
[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
addresses = { "h1:eth0" = ["10.1.0.2/24"], "r1:lan0" = ["10.1.0.1/24"] }
[[link]]
endpoints = ["r1:core1", "n1:eth0"]
addresses = { "r1:core1" = ["10.0.11.1/24"], "n1:eth0" = ["10.0.11.2/24"] }
[[link]]
endpoints = ["r1:core2", "n2:eth0"]
addresses = { "r1:core2" = ["10.0.12.1/24"], "n2:eth0" = ["10.0.12.2/24"] }
[[link]]
endpoints = ["n1:eth1", "n2:eth1"]
addresses = { "n1:eth1" = ["10.0.21.1/24"], "n2:eth1" = ["10.0.21.2/24"] }
[[link]]
endpoints = ["n1:eth2", "far:eth0"]
addresses = { "n1:eth2" = ["10.9.0.1/24"], "far:eth0" = ["10.9.0.2/24"] }
`

// bfdClients are who has the neighbours watched.
var bfdClients = map[string]string{
	"static": `[[node.r1.config.static.route]]
prefix = "10.9.0.0/24"
next-hop = { address = "10.0.11.2", bfd = true }
[[node.r1.config.static.route]]
prefix = "10.9.0.0/24"
next-hop = { address = "10.0.12.2", bfd = true }
distance = 10
`,
	"rip": `[node.r1.config.rip.interface.core1]
bfd = true
[node.r1.config.rip.interface.core2]
bfd = true
metric = 3
`,
}

// bfdNeighbors are n1 and n2: K is the last part of their and r1's addresses.
var bfdNeighbors = map[Kind]string{
	KindBIRD: `kind = "bird"
config = """
log stderr all;
router id 10.0.0.K;
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { export all; }; }
protocol static { ipv4; MORE }
protocol rip { ipv4 { import all; export all; }; interface "eth*" { update time 5; }; }
protocol bfd { interface "eth0" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; neighbor 10.0.1K.1 dev "eth0"; }
"""`,
	KindFRR: `kind = "frr"
config = """
MORE
router rip
 timers basic 5 180 120
 network eth0
 network eth1
 network eth2
bfd
 peer 10.0.1K.1 interface eth0
  receive-interval 50
  transmit-interval 50
 exit
exit
"""`,
}

// A link that loses everything and keeps its carrier is found out by BFD, for a
// static route and for RIP, and packets take the other way. How long that takes
// is logged; the Go test asks only that nobody waits for anything slower.
func TestBFDFailover(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindBIRD, KindFRR} {
		for client, config := range bfdClients {
			t.Run(string(kind)+" "+client, func(t *testing.T) {
				t.Parallel()
				n2 := map[Kind]string{KindBIRD: "route 10.9.0.0/24 via 10.0.21.1;", KindFRR: "ip route 10.9.0.0/24 10.0.21.1"}[kind]
				peer := func(k, more string) string {
					return strings.NewReplacer("K", k, "MORE", more).Replace(bfdNeighbors[kind])
				}
				text := strings.NewReplacer("CLIENT", config, "N1", peer("1", ""), "N2", peer("2", n2)).Replace(bfdTriangle)
				b := newRIPBench(t, text)
				b.needsPeers("n1", "n2")
				b.up()
				b.waitSession("r1", "10.0.11.2", "up")
				b.waitSession("r1", "10.0.12.2", "up")
				way := func(by string) {
					t.Helper()
					within(t, 90*time.Second, "r1 goes by "+by, func() bool {
						out, _ := b.Run(t.Context(), "r1", "routerd show fib for 10.9.0.2") // fails while there is no route
						return strings.Contains(string(out), by)
					})
				}
				way("10.0.11.2")
				arrivals := b.flow("h1", "far", "10.9.0.2:5000")
				eventually(t, "datagrams arrive", func() bool { return len(arrivals()) > 0 })
				for range 3 {
					cut := time.Now()
					b.run("n1", `nft 'table inet cut { chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }; chain out { type filter hook output priority -400; oifname "eth0" drop; }; }'`)
					b.waitSession("r1", "10.0.11.2", "down")
					way("10.0.12.2")
					eventually(t, "datagrams arrive again", func() bool {
						all := arrivals()
						return all[len(all)-1].After(cut.Add(time.Second))
					})
					gap := longestGap(arrivals(), cut)
					t.Logf("nothing arrived for %v", gap.Round(time.Millisecond))
					if gap > 20*time.Second { // a few regular updates
						t.Errorf("nothing arrived for %v", gap)
					}
					b.run("n1", "nft delete table inet cut")
					b.waitSession("r1", "10.0.11.2", "up")
					way("10.0.11.2")
				}
				// On a machine that is busy with other tests some may be starved.
				t.Logf("false alarms about the other neighbour: %d", b.sessions("r1")["10.0.12.2"].Downs)
			})
		}
	}
}

// longestGap is the longest time between two arrivals from a time on.
func longestGap(all []time.Time, from time.Time) (gap time.Duration) {
	for n := 1; n < len(all); n++ {
		if all[n].After(from) {
			gap = max(gap, all[n].Sub(all[n-1]))
		}
	}
	return gap
}
