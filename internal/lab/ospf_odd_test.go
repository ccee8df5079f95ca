package lab

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rowOSPF is a routerd between a BIRD and an FRR, each with a host.
var rowOSPF = ospfPlan{
	seats: []ospfSeat{{name: "a"}, {name: "b"}, {name: "c", more: map[Kind]string{KindFRR: "router ospf\n capability opaque\n graceful-restart grace-period 100\nexit\n"}}},
	nets: []ospfNet{
		{seats: []string{"a", "b"}, ptp: true},
		{seats: []string{"b", "c"}, ptp: true},
		{seats: []string{"a"}, host: true},
		{seats: []string{"c"}, host: true},
	},
}

var rowKinds = map[string]Kind{"a": KindBIRD, "b": KindRouter, "c": KindFRR}

var rowTables = map[string]learned{
	"a": {"10.0.2.0/24": {20, 0, "10.0.1.2 eth1"}, "10.0.4.0/24": {30, 0, "10.0.1.2 eth1"}},
	"b": {"10.0.3.0/24": {20, 0, "10.0.1.1 eth1"}, "10.0.4.0/24": {20, 0, "10.0.2.3 eth2"}},
	"c": {"10.0.1.0/24": {20, 0, "10.0.2.2 eth2"}, "10.0.3.0/24": {30, 0, "10.0.2.2 eth2"}},
}

// shows waits until what a node prints matches.
func (b *bench) shows(node, line, pattern string) {
	b.t.Helper()
	p := regexp.MustCompile(pattern)
	text := ""
	deadline := time.Now().Add(settled)
	for {
		out, _ := b.Run(b.t.Context(), node, line)
		if text = string(out); p.MatchString(text) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("within %v %q on %s shows nothing like %s but\n%s\n%s", settled, line, node, pattern, text, b.ospfState())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// lacks waits until what a node prints does not have the text.
func (b *bench) lacks(node, line, text string) {
	b.t.Helper()
	within(b.t, settled, node+" does not show "+text+" by "+line, func() bool { return !strings.Contains(b.run(node, line), text) })
}

// Neighbours whose MTU is larger are refused with one line that has both MTUs and
// the neighbour; with the same MTU again they are adjacent again.
func TestOSPFMTUMismatch(t *testing.T) {
	t.Parallel()
	b := newOSPFBench(t, &rowOSPF, rowKinds)
	b.settleOSPF(settled, rowTables)
	b.run("a", "ip link set eth1 mtu 9000 && sleep 2 && birdc restart o")
	b.run("c", "ip link set eth2 mtu 9000 && sleep 2 && vtysh -c 'clear ip ospf process'")
	b.shows("b", "routerd show ospf interface eth1 detail", `MTU: theirs 9000, ours 1500; from 10\.0\.1\.1`)
	b.shows("b", "routerd show ospf interface eth2 detail", `MTU: theirs 9000, ours 1500; from 10\.0\.2\.3`)
	b.run("a", "ip link set eth1 mtu 1500")
	b.run("c", "ip link set eth2 mtu 1500")
	b.settleOSPF(settled, rowTables)
}

// FRR says that it restarts and is gone for three dead intervals: routerd helps it,
// so nobody loses a route; and then it is back.
func TestOSPFHelpsFRR(t *testing.T) {
	t.Parallel()
	b := newOSPFBench(t, &rowOSPF, rowKinds)
	b.settleOSPF(settled, rowTables)
	b.run("c", "vtysh -c 'graceful-restart prepare ip ospf'")
	b.shows("b", "routerd show ospf neighbor detail", `restart +software restart`)
	s, err := b.readState()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.peer("c")
	for n, d := range p.Daemons {
		if d.Program == "ospfd" {
			if err := unix.Kill(s.Peers["c"][n].PID, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	for until := time.Now().Add(3 * ospfDead * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if got := b.ospfTable("b")["10.0.4.0/24"]; got != rowTables["b"]["10.0.4.0/24"] {
			t.Fatalf("while FRR restarts routerd goes to its host by %+v, want %+v", got, rowTables["b"]["10.0.4.0/24"])
		}
	}
	if got := b.ospfTable("a")["10.0.4.0/24"]; got != rowTables["a"]["10.0.4.0/24"] {
		t.Errorf("while FRR restarts BIRD goes to its host by %+v", got)
	}
	b.up()
	b.settleOSPF(settled, rowTables)
	b.ping("h3", "10.0.4.100")
}

// unnumberedOSPF is routerd and BIRD over a TUN on which neither has a subnet.
const unnumberedOSPF = `name = "NAME"
[node.a]
kind = "router"
[node.a.config.interface.tun0]
kind = "tun"
addresses = ["10.255.0.1/32"]
host = { netns = "NAME-b", device = "tun0", addresses = ["10.255.0.2/32"] }
[node.a.config.ospf]
router-id = "10.255.0.1"
[node.a.config.ospf.interface.tun0]
area = 0
cost = 10
hello-interval = "1s"
[node.a.config.ospf.interface.eth1]
area = 0
cost = 10
passive = true
[node.b]
kind = "bird"
config = """
log stderr all;
router id 10.255.0.2;
protocol device { scan time 1; }
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source ~ [ RTS_OSPF, RTS_OSPF_IA ]; }; }
protocol ospf v2 o { ipv4 { import all; export none; };
  area 0 {
    interface "tun0" { type ptp; cost 10; hello 1; dead 4; };
    interface "eth2" { stub yes; cost 10; };
  };
}
"""
[node.h1]
kind = "host"
[node.h2]
kind = "host"
[[link]]
endpoints = ["a:eth1", "h1:eth0"]
addresses = { "a:eth1" = ["10.1.0.1/24"], "h1:eth0" = ["10.1.0.2/24"] }
[[link]]
endpoints = ["b:eth2", "h2:eth0"]
addresses = { "b:eth2" = ["10.2.0.1/24"], "h2:eth0" = ["10.2.0.2/24"] }
`

// An unnumbered point-to-point link over a TUN comes up, and carries what is
// behind it.
func TestOSPFUnnumbered(t *testing.T) {
	t.Parallel()
	b := newRIPBench(t, unnumberedOSPF)
	b.needsPeers("b")
	b.up()
	// BIRD takes a link for one without a subnet by the address of the other end.
	b.run("b", "ip addr flush dev tun0 && ip addr add 10.255.0.2 peer 10.255.0.1 dev tun0")
	within(t, settled, "routerd is adjacent to BIRD", func() bool {
		return strings.Contains(b.run("a", "routerd show ospf neighbor"), "full")
	})
	b.shows("a", "routerd show route --protocol ospf", `10\.2\.0\.0/24 .* on tun0`)
	b.shows("b", "birdc show route protocol o", `10\.1\.0\.0/24[^\n]*\n\s+via 10\.255\.0\.1 on tun0`)
	b.ping("h1", "10.2.0.2")
}

// forgedOSPF is Hellos and Updates, from any host of the subnet, and one in four
// from the neighbour itself.
func forgedOSPF(n int, b []byte) []byte {
	src := [4]byte{10, 0, 12, 2}
	if n%4 > 0 {
		src[2], src[3] = byte(n>>8), byte(n)
	}
	b = ipv4(b, src, [4]byte{10, 0, 12, 1}, 89, 1)
	at := len(b)
	kind, size := byte(1), 44
	if n%2 == 1 {
		kind, size = 4, 24+4+20+4
	}
	b = append(b, make([]byte, size)...)
	p := b[at:]
	p[0], p[1], p[3] = 2, kind, byte(size)
	copy(p[4:], src[:]) // a router ID
	if kind == 1 {
		copy(p[24:], []byte{255, 255, 255, 0, 0, 1, 2, 1, 0, 0, 0, 5})
	} else {
		copy(p[24:], []byte{0, 0, 0, 1, 0, 1, 2, 1, 10, 255, 0, 9, 10, 255, 0, 9, 0x80, 0, 0, byte(n), 0x12, 0x34, 0, 24})
	}
	sum := uint32(0) // of all but the authentication
	for i := 0; i < size; i += 2 {
		if i < 16 || i >= 24 {
			sum += uint32(p[i])<<8 | uint32(p[i+1])
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	p[12], p[13] = ^byte(sum>>8), ^byte(sum)
	return b
}

// Under a flood of forged Hellos and Updates the adjacency and its BFD session
// stay, and what is forwarded arrives.
func TestFloodOfForgedOSPF(t *testing.T) {
	text := strings.NewReplacer(
		"[node.b1]", `[node.r1.config.ospf]
router-id = "10.255.0.1"
[node.r1.config.ospf.interface.core0]
area = 0
hello-interval = "1s"
dead-interval = "5s"
bfd = true
auth = { type = "md5", keys = "ospf" }
[[node.r1.config.keys.ospf]]
id = 7
file = "KEYS"
[node.b1]`,
		"protocol bfd b", `protocol ospf v2 o { area 0 { interface "eth0" { hello 1; dead 5; authentication cryptographic; password "verysecret" { id 7; }; }; }; }
protocol bfd b`,
	).Replace(floodLAN)
	b := newRIPBench(t, strings.Replace(text, "KEYS", secretFile(t), 1))
	b.needsPeers("b1")
	b.up()
	b.waitSession("r1", "10.0.12.2", "up")
	b.shows("r1", "routerd show ospf neighbor", `10\.0\.12\.2 .* full `)
	before := b.sessions("r1")["10.0.12.2"]
	count := b.passage("h1", "h2", "10.2.0.2:5000")
	b.flood("forger", 100_000, floodTime, forgedOSPF)
	sent, arrived := count()
	after := b.sessions("r1")["10.0.12.2"]
	log := b.log("r1")
	t.Logf("%d of %d datagrams arrived; refused: %s", arrived, sent, b.run("r1", "routerd show ospf interface core0"))
	if after.State != "up" || after.Downs != before.Downs || strings.Contains(log, "adjacency down") || !strings.Contains(b.run("r1", "routerd show ospf neighbor"), " full ") {
		t.Errorf("the session is %s and was down %d times, want it up all the time, and the adjacency:\n%s", after.State, after.Downs-before.Downs, log)
	}
	if arrived != sent || sent < 200 {
		t.Errorf("%d of %d datagrams arrived, want all of at least 200", arrived, sent)
	}
	if n := b.drops("r1")["protocol_throttled"]; n == 0 {
		t.Error("no packet of a stranger was throttled: the flood did not reach the protocol")
	}
}
