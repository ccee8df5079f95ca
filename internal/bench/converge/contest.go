package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"routerd/internal/bench"
)

// contest is a way to lose a path, and who gets over it.
type contest struct {
	name       string
	contenders []contender
	neighbors  [2]string // n1 and n2
	cut, mend  string    // on n1
	// hello is the time between two Hellos, where they alone tell that the path is lost.
	// The cuts are spread evenly over it, and how long ago the last one came is most of
	// what gaps differ by: so what counts is the time from the last Hello that came
	// through to the end of the gap.
	hello time.Duration
	// calm is how long all are left alone before each cut, from when the path was mended
	// on, so that the delays of calculations are those of a first failure: an LSA may come
	// 5 s later still, and RFC 8405's hold-down takes 10 s from there.
	calm time.Duration
	// judge says what is wanted of routerd's gaps, beside the others', and whether it
	// is so.
	judge func(gaps map[string][]float64) (wanted string, met bool)
}

// contender is a router that loses a path, r1 of a triangle.
type contender struct {
	name    string
	node    string         // its table in the topology
	by      string         // prints the way of a packet to the far host
	up      string         // prints its sessions; empty: there are none
	session *regexp.Regexp // one that is up
	uncut   []float64      // the longest gaps before the cuts, seconds
}

// How to cut: lose everything in both directions, or the carrier.
const (
	silence = `nft 'table inet cut { chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }; chain out { type filter hook output priority -400; oifname "eth0" drop; }; chain by { type filter hook postrouting priority -400; oifname "eth0" drop; }; }'`
	mended  = "nft delete table inet cut"
	unplug  = "ip link set eth0 down"
	plugged = "ip link set eth0 up"
	calm    = 25 * time.Second
	// hears ends with the next Hello (RFC 2328 §A.3.1: type 1) that n1 sends.
	hears = "exec timeout 10 tcpdump -n --immediate-mode -c 1 -i eth0 '" + hellos + "'"
	// hellos are these.
	hellos = "src 198.18.11.2 and ip proto 89 and ip[21] = 1"
)

func contests() []contest {
	return []contest{
		{
			name: "a path that loses everything and no carrier, static routes with BFD of 50 ms x 3", contenders: staticContenders,
			neighbors: [2]string{neighbor(1, ""), neighbor(2, "route 198.18.9.0/24 via 198.18.21.1;")}, cut: silence, mend: mended, judge: byBFD,
		},
		{
			name: "the same with OSPF and BFD of 50 ms x 3", contenders: ospfContenders(true, false),
			neighbors: [2]string{ospfNeighbor(1, true), ospfNeighbor(2, true)}, cut: silence, mend: mended, calm: calm, judge: byBFD,
		},
		{
			name: "a carrier, OSPF with loop-free alternates", contenders: ospfContenders(false, true)[:1],
			neighbors: [2]string{ospfNeighbor(1, false), ospfNeighbor(2, false)}, cut: unplug, mend: plugged, calm: calm,
			judge: func(gaps map[string][]float64) (string, bool) {
				return "median <= 5", bench.SpreadOf(gaps["routerd"]).Median <= (5 * time.Millisecond).Seconds()
			},
		},
		{
			name: "a carrier, OSPF without alternates", contenders: ospfContenders(false, false),
			neighbors: [2]string{ospfNeighbor(1, false), ospfNeighbor(2, false)}, cut: unplug, mend: plugged, calm: calm, judge: beside("FRR"),
		},
		{
			name: "a path that loses everything and no carrier, OSPF with Hellos of 1 s and a dead interval of 4 s", contenders: ospfContenders(false, false),
			neighbors: [2]string{ospfNeighbor(1, false), ospfNeighbor(2, false)}, cut: silence, mend: mended, calm: calm, hello: time.Second, judge: beside("FRR", "BIRD"),
		},
	}
}

// byBFD wants what BFD of 50 ms x 3 can do.
func byBFD(gaps map[string][]float64) (string, bool) {
	s := bench.SpreadOf(gaps["routerd"])
	return fmt.Sprintf("median <= %d, longest <= %d", wantedMedian.Milliseconds(), wantedLongest.Milliseconds()),
		s.Median <= wantedMedian.Seconds() && s.Max <= wantedLongest.Seconds()
}

// grain is how exactly two medians are told apart: a few probes.
const grain = 3 * time.Millisecond

// beside wants no longer a median than the best of those has.
func beside(names ...string) func(map[string][]float64) (string, bool) {
	return func(gaps map[string][]float64) (string, bool) {
		best := 0.0
		for _, name := range names {
			if m := bench.SpreadOf(gaps[name]).Median; len(gaps[name]) > 0 && (best == 0 || m < best) {
				best = m
			}
		}
		return "median <= " + strings.Join(names, "'s and ") + "'s", bench.SpreadOf(gaps["routerd"]).Median <= best+grain.Seconds()
	}
}

// The three routers with OSPF on eth0 and eth1, and the host's subnet.
func ospfContenders(bfd, alternates bool) []contender {
	routerd := contender{name: "routerd", by: "routerd show fib for 198.18.9.2", node: fmt.Sprintf(`kind = "router"
[node.r1.config.bfd.profile.default]
interval = "50ms"
[node.r1.config.ospf]
router-id = "198.18.1.1"
fast-reroute = %t
[node.r1.config.ospf.interface.eth2]
area = 0
passive = true
`, alternates)}
	frr := contender{name: "FRR", by: "ip route get 198.18.9.2", node: `kind = "frr"
config = """
bfd
 profile fast
  transmit-interval 50
  receive-interval 50
  detect-multiplier 3
 exit
exit
router ospf
 ospf router-id 198.18.1.1
exit
interface eth2
 ip ospf passive
 ip ospf area 0
exit
`}
	bird := contender{name: "BIRD", by: "ip route get 198.18.9.2", node: "kind = \"bird\"\nconfig = \"\"\"\n" + birdOSPF("198.18.1.1", bfd, "eth0", "eth1") + "\"\"\"\n"}
	for _, eth := range []string{"eth0", "eth1"} {
		routerd.node += fmt.Sprintf("[node.r1.config.ospf.interface.%s]\narea = 0\nnetwork = \"point-to-point\"\ncost = 10\nhello-interval = \"1s\"\ndead-interval = \"4s\"\nbfd = %t\n", eth, bfd)
		frr.node += fmt.Sprintf("interface %s\n ip ospf network point-to-point\n ip ospf cost 10\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n", eth)
		if bfd {
			frr.node += " ip ospf bfd\n ip ospf bfd profile fast\n"
		}
		frr.node += " ip ospf area 0\nexit\n"
	}
	frr.node += "\"\"\"\n"
	if bfd {
		routerd.up, routerd.session = staticContenders[0].up, staticContenders[0].session
		bird.up, bird.session = staticContenders[1].up, staticContenders[1].session
		frr.up, frr.session = "vtysh -c 'show bfd peers brief'", regexp.MustCompile(`198\.18\.1[12]\.2 +up`)
	}
	return []contender{routerd, frr, bird}
}

// birdOSPF is BIRD with OSPF on those interfaces at a cost of 10, and on n1 and n2's
// own link and n1's host's.
func birdOSPF(id string, bfd bool, eths ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log stderr all;\nrouter id %s;\nprotocol device { scan time 1; }\nprotocol direct { ipv4; }\nprotocol kernel { ipv4 { export where source ~ [ RTS_OSPF, RTS_OSPF_IA ]; }; }\n", id)
	word := "no"
	if bfd {
		b.WriteString("protocol bfd { interface \"eth*\" { interval 50 ms; multiplier 3; }; }\n")
		word = "yes"
	}
	b.WriteString("protocol ospf v2 o { ipv4 { import all; export none; }; area 0 {\n")
	for _, eth := range eths {
		fmt.Fprintf(&b, "interface %q { type ptp; cost 10; hello 1; dead 4; bfd %s; };\n", eth, word)
	}
	b.WriteString("interface \"eth2\" { stub yes; cost 1; };\n}; }\n")
	return b.String()
}

func ospfNeighbor(k int, bfd bool) string {
	text := birdOSPF(fmt.Sprintf("198.18.1%d.2", k), bfd, "eth0")
	text = strings.Replace(text, "interface \"eth2\"", "interface \"eth1\" { type ptp; cost 5; hello 1; dead 4; };\ninterface \"eth2\"", 1)
	return "kind = \"bird\"\nconfig = \"\"\"\n" + text + "\"\"\"\n"
}
