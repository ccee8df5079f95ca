package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"routerd/internal/control"
)

// What is sent to a host before the router knows where it is arrives: twenty
// datagrams in a row, and a datagram of many fragments whole.
func TestFirstPacketsWaitForTheirNeighbour(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24", "10.0.2.3/24", "10.0.2.4/24", "10.0.2.5/24"}, `addresses = ["10.0.2.1/24"]`)
	s.in(1, "ip", "route", "add", "default", "via", "10.0.2.1")
	s.start()
	wait(t, "the router to forward", func() error { return s.ping(0, "10.0.2.2") })
	var from, to net.PacketConn
	s.within(1, func() (err error) {
		to, err = net.ListenPacket("udp4", "10.0.2.3:5000")
		return err
	})
	defer to.Close()
	s.within(0, func() (err error) {
		from, err = net.ListenPacket("udp4", "10.0.1.2:0")
		return err
	})
	defer from.Close()
	const count = 20
	for i := range count {
		if _, err := from.WriteTo([]byte{byte(i)}, to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// What comes just when the neighbour has answered may overtake what waited, but
	// neither loses its own order: what came is two ascending sequences, merged.
	came, last := map[byte]bool{}, [2]int{-1, -1} // the higher one first
	for i := range count {
		var b [1]byte
		_, _, err := to.ReadFrom(b[:])
		n := int(b[0])
		if err != nil || came[b[0]] || n >= count || n < last[1] {
			t.Fatalf("datagram %d of %d: number %d came after %v, %v", i, count, n, last, err)
		}
		came[b[0]] = true
		if n > last[0] {
			last[0] = n
		} else {
			last[1] = n
		}
	}
	for _, c := range []struct{ host, size string }{{"10.0.2.4", "8000"}, {"10.0.2.5", "60000"}} {
		out, err := exec.Command("ip", "netns", "exec", s.hosts[0], "ping", "-n", "-c1", "-W5", "-s", c.size, c.host).CombinedOutput()
		if err != nil {
			t.Errorf("the first ping of %s bytes to %s: %v\n%s", c.size, c.host, err, out)
		}
	}
}

// A host that nobody has sent to yet gets its first packet in the middle of a
// flood of destinations that do not exist.
func TestFreshNeighbourInAFlood(t *testing.T) {
	const fresh = 10
	addresses := []string{"10.128.0.2/15"}
	for i := range fresh {
		addresses = append(addresses, fmt.Sprintf("10.128.0.%d/15", 10+i))
	}
	s := newLAN(t, addresses, `addresses = ["10.128.0.1/15"]`)
	s.in(1, "ip", "route", "add", "default", "via", "10.128.0.1")
	s.start()
	wait(t, "the router to forward", func() error { return s.ping(0, "10.128.0.2") })
	var out net.PacketConn
	s.within(0, func() (err error) {
		out, err = net.ListenPacket("udp4", "10.0.1.2:0")
		return err
	})
	defer out.Close()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() { // 4,000 a second, each to another destination
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for sent := 0; ; {
			select {
			case <-stop:
				stopped <- sent
				return
			case <-pace.C:
			}
			for range 40 {
				sent++
				to := netip.AddrFrom4([4]byte{10, 129, byte(sent >> 8), byte(sent)})
				// Its own errors come back as refusals of later writes: not of interest.
				_, _ = out.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
			}
		}
	}()
	wait(t, "the flood to fill the table", func() error {
		list, err := s.client().Neighbors(t.Context(), control.NeighborQuery{})
		if err == nil && len(list.Neighbors) < 500 {
			err = fmt.Errorf("there are %d neighbours", len(list.Neighbors))
		}
		return err
	})
	for i := range fresh {
		if err := s.ping(0, fmt.Sprintf("10.128.0.%d", 10+i)); err != nil {
			t.Errorf("the first packet to a fresh neighbour: %v", err)
		}
	}
	close(stop)
	if sent := <-stopped; sent < 500 {
		t.Errorf("%d packets: the flood was none", sent)
	}
}
