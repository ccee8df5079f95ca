package daemon

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port/porttest"
	"routerd/internal/control"
	"routerd/internal/corpus"
	"routerd/internal/packet"
)

// How much TestMutatedFrames sends into each port: little in every run of the
// tests, and with ROUTERD_MUTATE=full (make mutate) what counts.
var (
	mutatedFrames    = map[bool]int{false: 4000, true: 1_000_000}
	mutatedPayloads  = map[bool]int{false: 400, true: 18_000}
	mutatedAtOnce    = 64 // frames between two looks at what the router has read
	mutatedMostGrown = 16 << 20
)

// mutateSite is a router in a process of its own with a port of each kind,
// each on a host's namespace, and translation from the two inside ones to the
// outside:
//
//	h1 10.0.1.2 -- lan0, a TUN [    ]
//	h2 10.0.2.2 -- lan1, a TAP [ r1 ] wan0, a packet port 203.0.113.1 -- out 203.0.113.2
type mutateSite struct {
	*site
	t       *testing.T
	process *exec.Cmd
	out     string
	victims []*victim
}

// victim is one live port that frames are thrown at.
type victim struct {
	name   string
	send   func(frame []byte)
	header func(etherType uint16) []byte
	host   netip.Addr // of the other end
	router netip.Addr
}

func newMutateSite(t *testing.T) *mutateSite {
	// The router dies with the thread that started it, and threads that have
	// entered a namespace are thrown away.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s := newSite(t)
	m := &mutateSite{site: s, t: t, out: strings.Replace(s.hosts[0], "-h1", "-out", 1)}
	core := s.core(0)
	for _, ns := range []string{core, m.out} {
		s.must("ip", "netns", "add", ns)
		t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
		s.must("ip", "-n", ns, "link", "set", "lo", "up")
	}
	outMAC := [6]byte{2, 0, 0, 0, 9, 2}
	s.must("ip", "link", "add", "wan0", "netns", core, "type", "veth", "peer", "name", "eth0", "address", net.HardwareAddr(outMAC[:]).String(), "netns", m.out)
	s.must("ip", "-n", m.out, "address", "add", "203.0.113.2/24", "dev", "eth0")
	s.must("ip", "-n", m.out, "link", "set", "eth0", "up")
	// Neighbours are fixed: frames that are thrown at the router say of the
	// hosts whatever they like.
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[log]
level = "error"
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.lan1]
kind = "tap"
addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.2.2/24", "2001:db8:2::2/64"], routes = ["0.0.0.0/0", "::/0"] }
[interface.lan1.neighbor.static]
"10.0.2.2" = "02:00:00:00:02:02"
[interface.wan0]
kind = "packet"
netns = %q
addresses = ["203.0.113.1/24", "2001:db8:9::1/64"]
[interface.wan0.neighbor.static]
"203.0.113.2" = "02:00:00:00:09:02"
[rip]
[rip.interface.lan0]
[rip.interface.lan1]
[rip.interface.wan0]
[forwarding]
reassembly-timeout = "1s"
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
source = "10.0.0.0/8"
translation = "masquerade"
`, s.socket(), s.hosts[0], s.hosts[1], core)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// With Go's own setting of the collector, memory does not swing by what the
	// daemon's lets a small heap grow by.
	m.process = s.startProcess([]string{"GOGC=100"})
	s.must("ip", "-n", s.hosts[1], "link", "set", "dev", "eth0", "address", "02:00:00:00:02:02")
	lan1 := hardwareOf(s.must("ip", "-n", s.hosts[1], "-br", "link"), "eth0")
	wan0 := hardwareOf(s.must("ip", "-n", core, "-br", "link"), "wan0")
	for _, p := range [][2]string{{s.hosts[1], "10.0.2.1"}, {m.out, "203.0.113.1"}} {
		m.says(p[0], "1 received", "ping", "-n", "-c1", "-W5", p[1]) // which also resolves
	}
	tapRouter := hardwareOf(s.must("ip", "-n", s.hosts[1], "neigh", "show", "10.0.2.1"), "10.0.2.1")
	for _, p := range [][3]string{{s.hosts[1], "10.0.2.1", net.HardwareAddr(tapRouter[:]).String()}, {m.out, "203.0.113.1", net.HardwareAddr(wan0[:]).String()}} {
		s.must("ip", "-n", p[0], "neigh", "replace", p[1], "lladdr", p[2], "nud", "permanent", "dev", "eth0")
	}
	ethernet := func(to, from [6]byte) func(uint16) []byte {
		return func(etherType uint16) []byte { return porttest.Ethernet(to, from, etherType) }
	}
	a := netip.MustParseAddr
	m.victims = []*victim{
		{"tun", porttest.Sender(t, s.hosts[0], "eth0", nil), func(uint16) []byte { return nil }, a("10.0.1.2"), a("10.0.1.1")},
		{"tap", porttest.Sender(t, s.hosts[1], "eth0", nil), ethernet(tapRouter, lan1), a("10.0.2.2"), a("10.0.2.1")},
		{"packet", porttest.Sender(t, m.out, "eth0", nil), ethernet(wan0, outMAC), a("203.0.113.2"), a("203.0.113.1")},
	}
	return m
}

var hardwareAddress = regexp.MustCompile(`(?:[0-9a-f]{2}:){5}[0-9a-f]{2}`)

// hardwareOf finds a link address in the line of what ip(8) said that begins
// with name.
func hardwareOf(said, name string) (a [6]byte) {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, name) {
			h, err := net.ParseMAC(hardwareAddress.FindString(line))
			if err == nil {
				copy(a[:], h)
			}
		}
	}
	return a
}

func (m *mutateSite) says(ns, want string, command ...string) {
	m.t.Helper()
	wait(m.t, strings.Join(command, " "), func() error {
		out, _ := exec.Command("ip", append([]string{"netns", "exec", ns}, command...)...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			return fmt.Errorf("it says\n%s", out)
		}
		return nil
	})
}

// usage is the memory in bytes and the processor time that the router has.
func (m *mutateSite) usage() (rss int, cpu time.Duration) {
	m.t.Helper()
	rss = resident(m.t, m.process.Process.Pid)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.process.Process.Pid))
	if err != nil {
		m.t.Fatal(err)
	}
	fields := strings.Fields(string(stat))
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	return rss, time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the memory of a process, in bytes.
func resident(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("the router has ended: %v", err)
	}
	_, after, found := strings.Cut(string(status), "VmRSS:")
	if !found { // a process that has ended and was not waited for
		t.Fatalf("the router has ended: its status is\n%s", status)
	}
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// seeds are frames of the ways into the router: for it, through it, to be
// translated, fragments, of every protocol that it hears, and what was
// captured of them.
func (v *victim) seeds(captured [][]byte) (list [][]byte) {
	at := func(a netip.Addr, port int) string { return netip.AddrPortFrom(a, uint16(port)).String() }
	strange := v.host.Next().Next().Next() // whom no ping comes from
	for _, to := range []netip.Addr{v.router, netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("224.0.0.9")} {
		udp := packet.IPv4(porttest.UDP4(at(strange, 520), at(to, 520), string(make([]byte, 64)), false))
		list = append(list, udp)
		for n, more := range []bool{true, false} {
			f := packet.IPv4(append([]byte(nil), udp[:packet.IPv4MinHeader+32]...))
			f.SetTotalLen(len(f))
			f.SetFragment(false, more, n*32)
			f.FillChecksum()
			list = append(list, f)
		}
		for _, proto := range []uint8{packet.ProtoICMP, packet.ProtoTCP, 47, 89} {
			p := packet.IPv4(append([]byte(nil), udp...))
			p.SetProtocol(proto)
			p.FillChecksum()
			list = append(list, p)
		}
	}
	return append(list, captured...)
}

// framed puts the link header of the port in front of a packet, whose kind its
// first bytes tell.
func (v *victim) framed(p []byte) []byte {
	etherType := uint16(0x0806)
	switch {
	case len(p) > 0 && p[0]>>4 == 4:
		etherType = 0x0800
	case len(p) > 0 && p[0]>>4 == 6:
		etherType = 0x86dd
	}
	return append(v.header(etherType), p...)
}

// mutate changes a frame in one of the ways that break parsers.
func mutate(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		switch r.IntN(7) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.IntN(256))
		case 2:
			b = b[:1+at] // cut off
		case 3:
			if at+2 <= len(b) {
				binary.BigEndian.PutUint16(b[at:], []uint16{0, 1, 0x7fff, 0xffff}[r.IntN(4)])
			}
		case 4:
			b = append(b, b[at:]...) // something twice
		case 5:
			b = append(b[:at:at], append([]byte{byte(r.IntN(256))}, b[at:]...)...)
		case 6:
			for i := range min(8, len(b)-at) {
				b[at+i] = byte(r.IntN(256))
			}
		}
		b = b[:min(len(b), 1500)]
	}
	return b
}

// throw sends frames, a few at a time: until the router has read what came
// before, so that none of them, and no ping, is lost for want of room.
func (m *mutateSite) throw(v *victim, n int, next func() []byte) {
	m.t.Helper()
	c := control.Dial(m.socket())
	defer c.Close()
	name := map[string]string{"tun": "lan0", "tap": "lan1", "packet": "wan0"}[v.name]
	received := func() (uint64, error) {
		list, err := c.Interfaces(m.t.Context())
		for _, i := range list {
			if i.Name == name {
				return i.Received.Packets, err
			}
		}
		return 0, err
	}
	before, err := received()
	if err != nil {
		m.t.Fatal(err)
	}
	for sent := 0; sent < n; {
		some := min(mutatedAtOnce, n-sent)
		for range some {
			b := next()
			if len(v.header(0)) > 0 && len(b) < 14 {
				b = append(b, make([]byte, 14-len(b))...)
			}
			v.send(b)
		}
		sent += some
		// The kernel may drop a frame that it takes for nonsense itself.
		until := before + uint64(some)*9/10
		for limit := time.Now().Add(100 * time.Millisecond); time.Now().Before(limit); {
			if before, err = received(); err != nil {
				m.t.Fatalf("%s: after %d frames the router does not answer: %v", v.name, sent, err)
			}
			if before >= until {
				break
			}
		}
	}
}

// pings sends pings until it is told to stop, and gives how many were lost.
func (m *mutateSite) pings(ns, to string) (stop func() (sent, lost int)) {
	m.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", ns, "ping", "-n", "-q", "-i", "0.2", "-W", "10", to)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() (sent, lost int) {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		got := pingCounts.FindStringSubmatch(out.String())
		if got == nil {
			m.t.Fatalf("ping %s said %q", to, out.String())
		}
		sent, _ = strconv.Atoi(got[1])
		received, _ := strconv.Atoi(got[2])
		return sent, sent - received
	}
}

var pingCounts = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// payloads are captured packets of protocols, from corpora.
func payloads(t *testing.T, names ...string) (list [][]byte) {
	for _, n := range names {
		for _, p := range corpus.Hex(t, n) {
			if len(p) > 0 && len(p) <= 1480 {
				list = append(list, p)
			}
		}
	}
	return list
}

// Mutated frames, and mutated packets of the protocols that a router hears,
// into a live port of each kind with translation on: no ping to the router or
// through it is lost meanwhile, its memory stays what it is, and afterwards it
// rests.
func TestMutatedFrames(t *testing.T) {
	full := os.Getenv("ROUTERD_MUTATE") == "full"
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	m := newMutateSite(t)
	captured := payloads(t, "arp", "icmpv4", "icmpv6", "igmp", "ipv4-fragments", "ipv4-malformed", "ipv4-options", "ipv6-exthdr", "ipv6-malformed", "rip", "ospfv2", "ospfv3", "bgp", "vrrp")
	r := rand.New(rand.NewPCG(1, 2))
	var stops []func() (int, int)
	for _, p := range [][2]string{
		{m.hosts[0], "10.0.1.1"}, {m.hosts[1], "10.0.2.1"}, {m.out, "203.0.113.1"}, // to the router
		{m.hosts[0], "203.0.113.2"}, {m.hosts[1], "203.0.113.2"}, {m.hosts[0], "10.0.2.2"}, // through it
	} {
		stops = append(stops, m.pings(p[0], p[1]))
	}
	const quarters = 4
	frames, half := mutatedFrames[full], 0
	began := time.Now()
	for quarter := range quarters {
		for _, v := range m.victims {
			seeds := v.seeds(captured)
			m.throw(v, frames/quarters, func() []byte { return mutate(r, v.framed(seeds[r.IntN(len(seeds))])) })
			m.throw(v, mutatedPayloads[full]/quarters, func() []byte {
				// The frame is sound, what it carries is not.
				return v.framed(mutate(r, captured[r.IntN(len(captured))]))
			})
		}
		rss, _ := m.usage()
		t.Logf("memory after %d of %d parts: %d KiB", quarter+1, quarters, rss>>10)
		if quarter == quarters/2-1 {
			half = rss
		}
	}
	end, _ := m.usage()
	t.Logf("%d mutated frames and %d payloads into each of %d ports in %v; memory %d KiB at half, %d KiB at the end",
		frames, mutatedPayloads[full], len(m.victims), time.Since(began).Round(time.Second), half>>10, end>>10)
	if end > half+mutatedMostGrown {
		t.Errorf("memory grew from %d to %d KiB over the last half", half>>10, end>>10)
	}
	for i, stop := range stops {
		if sent, lost := stop(); lost > 0 || sent == 0 {
			t.Errorf("pings %d: %d of %d were lost", i, lost, sent)
		}
	}
	m.rests()
	for _, v := range m.victims { // all of them still hear
		ns := map[string]string{"tun": m.hosts[0], "tap": m.hosts[1], "packet": m.out}[v.name]
		m.says(ns, "3 received", "ping", "-n", "-c3", "-i0.2", "-W5", v.router.String())
	}
}

// rests waits until the router uses next to no processor time.
func (m *mutateSite) rests() {
	m.t.Helper()
	const look = time.Second
	var used time.Duration
	for range 20 { // what was begun, fragments above all, has its time to end
		_, before := m.usage()
		time.Sleep(look)
		_, after := m.usage()
		if used = after - before; used <= look/50 {
			return
		}
	}
	m.t.Errorf("the router still uses %v of processor time in %v, with nothing to do", used, look)
}
