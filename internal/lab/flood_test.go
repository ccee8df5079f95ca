package lab

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// floodLAN is routerd on a switch with BIRD, which it speaks BFD with, and a host
// that sends whatever it likes. A session is down after 3 s of silence: less than a flood
// lasts, and more than BIRD or routerd waits for a processor on a busy machine.
const floodLAN = `name = "NAME"
[node.sw]
kind = "switch"
[node.h1]
kind = "host"
[node.h2]
kind = "host"
[node.forger]
kind = "host"
[node.r1]
kind = "router"
[node.r1.config.bfd.profile.default]
interval = "300ms"
multiplier = 10
[node.r1.config.bfd.peer."10.0.12.2"]
[node.b1]
kind = "bird"
config = """
log stderr all;
router id 10.0.12.2;
protocol device { }
protocol bfd b { interface "eth0" { interval 300 ms; multiplier 10; }; neighbor 10.0.12.1 dev "eth0"; }
"""
[[link]]
endpoints = ["r1:core0", "sw:r1"]
addresses = { "r1:core0" = ["10.0.12.1/24"] }
[[link]]
endpoints = ["b1:eth0", "sw:b1"]
addresses = { "b1:eth0" = ["10.0.12.2/24"] }
[[link]]
endpoints = ["forger:eth0", "sw:forger"]
addresses = { "forger:eth0" = ["10.0.12.66/24"] }
[[link]]
endpoints = ["h1:eth0", "r1:lan0"]
addresses = { "h1:eth0" = ["10.1.0.2/24"], "r1:lan0" = ["10.1.0.1/24"] }
[[link]]
endpoints = ["h2:eth0", "r1:lan1"]
addresses = { "h2:eth0" = ["10.2.0.2/24"], "r1:lan1" = ["10.2.0.1/24"] }
`

// floodTime is how long floods last.
const floodTime = 10 * time.Second

// forgery makes the n-th forged packet, from its IP header on.
type forgery func(n int, b []byte) []byte

// ipv4 begins a packet of a protocol; the kernel fills in what is left out.
func ipv4(b []byte, src, dst [4]byte, protocol, ttl byte) []byte {
	b = append(b[:0], 0x45, 0xc0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0)
	return append(append(b, src[:]...), dst[:]...)
}

// forgedBFD is from any host of the subnet, one in four from the neighbour
// itself, and says that its session is down.
func forgedBFD(n int, b []byte) []byte {
	src := [4]byte{10, 0, 12, 2}
	if n%4 > 0 {
		src[2], src[3] = byte(rand.Uint32()), byte(rand.Uint32())
	}
	b = ipv4(b, src, [4]byte{10, 0, 12, 1}, unix.IPPROTO_UDP, 255)
	b = binary.BigEndian.AppendUint16(b, 49152)
	b = binary.BigEndian.AppendUint16(b, 3784)
	b = append(b, 0, 8+24, 0, 0)     // no checksum
	b = append(b, 0x20, 0x40, 3, 24) // version 1, Down
	b = binary.BigEndian.AppendUint32(b, rand.Uint32()|1)
	b = binary.BigEndian.AppendUint32(b, rand.Uint32()|1) // no session's, but by chance
	for range 3 {
		b = binary.BigEndian.AppendUint32(b, 1_000_000)
	}
	return b
}

// flood sends so many packets a second from a host for a time, and gives how many
// the kernel took.
func (b *bench) flood(node string, rate int, d time.Duration, forge forgery) (sent int) {
	b.t.Helper()
	fd := -1
	err := inNamespace(b.namespace(node), func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		b.t.Fatal(err)
	}
	begin, done := time.Now(), make(chan int)
	go func() {
		// The thread ends with its goroutine. On a machine without a free processor the
		// forger, which stands for other machines, leaves the router its own.
		runtime.LockOSThread()
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
		var packet []byte
		sent := 0
		for n := 0; n < int(d.Seconds()*float64(rate)); n++ {
			packet = forge(n, packet)
			if unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: [4]byte(packet[16:20])}) == nil {
				sent++
			}
			if n%100 == 0 {
				time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(rate))))
			}
			if time.Since(begin) > 2*d { // the machine is too slow for the rate
				break
			}
		}
		done <- sent
	}()
	sent = <-done
	b.t.Logf("%d forged packets in %v", sent, time.Since(begin).Round(time.Millisecond))
	return sent
}

// passage counts datagrams on their way from one host to another, one each 5 ms
// until it is asked.
func (b *bench) passage(from, to, address string) (count func() (sent, arrived int)) {
	b.t.Helper()
	var out net.Conn
	var in net.PacketConn
	err := inNamespace(b.namespace(to), func() (err error) {
		in, err = net.ListenPacket("udp", address)
		return err
	})
	if err == nil {
		b.t.Cleanup(func() { in.Close() })
		patient(b.t, in.(*net.UDPConn))
		err = inNamespace(b.namespace(from), func() (err error) {
			out, err = net.Dial("udp", address)
			return err
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	stop, sent, arrived := make(chan struct{}), make(chan int, 1), make(chan int, 1)
	go func() {
		n := 0
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				out.Close()
				sent <- n
				return
			case <-tick.C:
				if _, err := out.Write([]byte("one more")); err == nil {
					n++
				}
			}
		}
	}()
	go func() {
		n := 0
		for {
			if _, _, err := in.ReadFrom(make([]byte, 16)); err != nil {
				arrived <- n
				return
			}
			n++
		}
	}()
	return func() (int, int) {
		close(stop)
		n := <-sent
		_ = in.SetReadDeadline(time.Now().Add(time.Second))
		return n, <-arrived
	}
}

// patient has a socket hold what comes while its reader waits for a processor.
func patient(t *testing.T, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) }); e != nil {
			err = e
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// drops gives what a router has refused, by verdict.
func (b *bench) drops(node string) map[string]int {
	b.t.Helper()
	var doc struct {
		Verdicts []struct {
			Verdict string
			Packets int
		}
	}
	if text := b.run(node, "routerd show drops -o json"); json.Unmarshal([]byte(text), &doc) != nil {
		b.t.Fatalf("reading the drops: %s", text)
	}
	all := map[string]int{}
	for _, v := range doc.Verdicts {
		all[v.Verdict] = v.Packets
	}
	return all
}

// Under a flood of forged BFD packets, of strangers and in the neighbour's own
// name, its session stays, and what is forwarded arrives.
func TestFloodOfForgedBFD(t *testing.T) {
	b := newRIPBench(t, floodLAN)
	b.needsPeers("b1")
	b.up()
	b.waitSession("r1", "10.0.12.2", "up")
	within(t, settled, "BIRD has the session up", func() bool { return b.birdStates("b1")["10.0.12.1"][0] == "Up" })
	before := b.sessions("r1")["10.0.12.2"]
	count := b.passage("h1", "h2", "10.2.0.2:5000")
	b.flood("forger", 100_000, floodTime, forgedBFD)
	sent, arrived := count()
	after := b.sessions("r1")["10.0.12.2"]
	t.Logf("%d of %d datagrams arrived; the session before and after: %+v, %+v", arrived, sent, before, after)
	if after.State != "up" || after.Downs != before.Downs {
		t.Errorf("the session is %s and was down %d times under the flood, want it up all the time", after.State, after.Downs-before.Downs)
	}
	if arrived != sent || sent < 200 {
		t.Errorf("%d of %d datagrams arrived, want all of at least 200", arrived, sent)
	}
	if n := b.drops("r1")["protocol_throttled"]; n == 0 {
		t.Error("no packet of a stranger was throttled: the flood did not reach the protocol")
	}
	if got := fmt.Sprint(b.birdStates("b1")["10.0.12.1"][0]); got != "Up" {
		t.Errorf("BIRD has the session %s, want Up", got)
	}
}
