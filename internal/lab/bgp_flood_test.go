package lab

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How much the tests of bad input send; the whole of it takes minutes.
var (
	bgpGarbage   = flag.Int64("bgp-garbage", 32<<20, "bytes of garbage that a neighbor of BGP sends")
	bgpStrangers = flag.Int("bgp-strangers", 2000, "connections of strangers with OPENs")
)

// resident is the memory of a router, in bytes.
func (b *bench) resident(node string) int64 {
	b.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", b.pid(node).PID))
	if err != nil {
		b.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// harmed checks that bad input has done nothing to others: BIRD's session, what is
// forwarded to a port of h2's, and the router's memory.
func (b *bgpBench) harmed(port int, do func()) {
	b.t.Helper()
	within(b.t, 30*time.Second, "a session with BIRD", func() bool { return b.neighbors("r")["10.0.1.2"].State == "established" })
	before, memory := b.neighbors("r")["10.0.1.2"], b.resident("r")
	count := b.passage("h1", "h2", fmt.Sprintf("10.102.0.2:%d", port))
	begin := time.Now()
	do()
	took := time.Since(begin)
	sent, arrived := count()
	after, now := b.neighbors("r")["10.0.1.2"], b.resident("r")
	b.t.Logf("in %v: %d of %d datagrams arrived; memory %d MB before, %d MB after", took.Round(time.Millisecond), arrived, sent, memory>>20, now>>20)
	if after.State != "established" || !after.Since.Equal(before.Since) {
		b.t.Errorf("the session with BIRD is %s since %v, want it as before, since %v", after.State, after.Since, before.Since)
	}
	if arrived != sent || sent == 0 {
		b.t.Errorf("%d of %d datagrams arrived, want all", arrived, sent)
	}
	if now > memory+64<<20 {
		b.t.Errorf("the router has %d MB, and had %d MB: want it bounded", now>>20, memory>>20)
	}
}

// newFloodBench is r with BIRD and a raw speaker, and hosts behind r and BIRD.
func newFloodBench(t *testing.T) *bgpBench {
	t.Helper()
	p := witnessed(makeRouterd)
	p.seats[0].hosts, p.seats[1].hosts = true, true
	p.seats[1].routes = []bgpRoute{{prefix: "10.102.0.0/24"}}
	p.seats[0].routes = []bgpRoute{{prefix: "10.101.0.0/24"}}
	b := newBGPBench(t, p)
	within(t, 30*time.Second, "h1 reaches h2", func() bool {
		_, err := b.Run(t.Context(), "h1", "ping -c 1 -W 1 10.102.0.2")
		return err == nil
	})
	return b
}

// A neighbour that sends garbage, octets at random and messages in good order whose
// content is at random, harms nobody else.
func TestBGPGarbage(t *testing.T) {
	t.Parallel()
	b := newFloodBench(t)
	noise := make([]byte, 64<<10)
	source := rand.NewChaCha8([32]byte{1})
	b.harmed(5001, func() {
		total, connections := int64(0), 0
		for begin := time.Now(); total < *bgpGarbage/16 && time.Since(begin) < 20*time.Second; connections++ {
			conn, err := b.dialFrom("x", "10.0.2.3", "10.0.2.1")
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			for sent := 0; err == nil && sent < 4<<20; {
				_, _ = source.Read(noise)
				var n int
				n, err = conn.Write(noise)
				sent += n
				total += int64(n)
			}
			conn.Close()
		}
		t.Logf("%d KB at random by %d connections", total>>10, connections)
	})
	// Messages that treat as withdrawn what nobody has, as large as may be.
	raw := b.rawPeer("x", "10.0.2.3", "10.0.2.1", rawAS)
	b.harmed(5002, func() {
		var batch []byte
		for range 16 {
			junk := make([]byte, 4000)
			_, _ = source.Read(junk)
			attributes := slices.Concat(rawOrigin, rawPath, pathAttribute(0x40, 3, 224, 0, 0, 1), pathAttribute(0xd0, 99, junk...))
			batch = append(batch, updateMessage(nil, attributes, nlri("198.51.100.0/24"))...)
		}
		total := int64(0)
		for total < *bgpGarbage {
			raw.send(batch)
			total += int64(len(batch))
		}
		want := int(total) / len(batch) * 16
		within(t, 2*time.Minute, fmt.Sprintf("%d refused announcements are counted", want), func() bool {
			return b.neighbors("r")["10.0.2.3"].Counts["refused"] >= want
		})
		t.Logf("%d MB of UPDATEs with faults, all counted", total>>20)
	})
	if raw.state() != "" {
		t.Errorf("the session ended: %s, want it to live", raw.state())
	}
}

// Strangers' connections are closed and counted, and a flood of SYNs keeps no neighbour
// out.
func TestBGPStrangers(t *testing.T) {
	t.Parallel()
	b := newFloodBench(t)
	b.run("x", "ip address add 10.0.2.66/24 dev eth2")
	strangers := func() int {
		var doc struct{ Strangers int }
		b.decode("r", "routerd show bgp -o json", &doc)
		return doc.Strangers
	}
	b.harmed(5003, func() {
		open := openMessage(rawAS, "10.0.2.66")
		done := 0
		for begin := time.Now(); done < *bgpStrangers && time.Since(begin) < 10*time.Minute; done++ {
			conn, err := b.dialFrom("x", "10.0.2.66", "10.0.2.1")
			if err != nil { // it was closed already
				continue
			}
			_, _ = conn.Write(open)
			if done%100 == 0 { // what it is answered
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				if answer, err := io.ReadAll(conn); len(answer) > 0 && answer[18] == msgOpen {
					t.Errorf("a stranger is answered by % x (%v)", answer, err)
				}
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		// Of the last ones the router may not have heard when they reset their connections.
		within(t, 20*time.Second, "the strangers are counted", func() bool { return strangers() >= done*9/10 })
		t.Logf("%d connections of strangers, %d counted", done, strangers())
	})
	b.harmed(5004, func() {
		b.flood("x", 20_000, 5*time.Second, halfOpen)
		raw := b.rawPeer("x", "10.0.2.3", "10.0.2.1", rawAS) // while what is half open is waited for
		if raw.state() != "" {
			t.Errorf("the session ended: %s", raw.state())
		}
	})
}

// halfOpen is a SYN to port 179 from anywhere on the subnet.
func halfOpen(_ int, b []byte) []byte {
	b = ipv4(b, [4]byte{10, 0, 2, 100 + byte(rand.IntN(100))}, [4]byte{10, 0, 2, 1}, 6, 64)
	tcp := binary.BigEndian.AppendUint16(nil, uint16(1024+rand.IntN(60000)))
	tcp = binary.BigEndian.AppendUint16(tcp, 179)
	tcp = binary.BigEndian.AppendUint32(tcp, rand.Uint32())
	tcp = append(tcp, 0, 0, 0, 0, 0x50, 0x02, 0x20, 0x00, 0, 0, 0, 0) // 5 words, SYN
	sum := uint32(6 + len(tcp))
	for _, part := range [][]byte{b[12:20], tcp} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return append(b, tcp...)
}

// A neighbour that takes nothing holds nobody else up.
func TestBGPSlowReader(t *testing.T) {
	t.Parallel()
	b := newFloodBench(t)
	raw := b.rawPeer("x", "10.0.2.3", "10.0.2.1", rawAS)
	within(t, 20*time.Second, "it is sent routes", func() bool { raw.mu.Lock(); defer raw.mu.Unlock(); return raw.updates > 0 })
	raw.mu.Lock() // it reads no more
	defer raw.mu.Unlock()
	b.harmed(5005, func() {
		// BIRD announces and withdraws so many routes that they fill what the slow one
		// has room for, and each round is in the table before the next one.
		for round := range 6 {
			var routes strings.Builder
			for i := range 20000 {
				fmt.Fprintf(&routes, "route 20.%d.%d.0/24 blackhole { bgp_community.add((65002,%d)); };\n", i>>8, i&255, (round*7919+i)%60000)
			}
			b.rebird("b", "protocol static many { ipv4;\n"+routes.String()+"}\n")
			want := fmt.Sprintf("65002:%d", (round*7919+19999)%60000)
			within(t, time.Minute, "r has the routes of the round: "+want, func() bool {
				r, ok := b.table("r")["20.78.31.0/24"]
				return ok && strings.Contains(r.Communities, want)
			})
		}
	})
}

// rebird gives BIRD more of a configuration than it had.
func (b *bgpBench) rebird(name, more string) {
	b.t.Helper()
	p, _ := b.peer(name)
	path := p.Config + ".more"
	b.write(path, string(p.Text)+more)
	b.run(name, "birdc 'configure \""+path+"\"'")
}
