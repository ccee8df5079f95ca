package bench

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// A sink of flows that are to be answered answers each of them and counts all
// datagrams, those too that come after it has seen every flow.
func TestSinkAnswersEachFlow(t *testing.T) {
	sink := &udpSink{address: netip.MustParseAddrPort("127.0.0.1:0"), traffic: Traffic{Flows: 2, Answered: true}}
	port, err := sink.start(t.Context(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	var flows [2]net.Conn
	for i := range flows {
		c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		flows[i] = c
		if _, err := c.Write([]byte{byte(i), 9}); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		var b [8]byte
		if n, err := c.Read(b[:]); err != nil || n != 2 || b[0] != byte(i) {
			t.Fatalf("flow %d is answered with %x (error %v), want its datagram", i, b[:n], err)
		}
	}
	if _, err := flows[0].Write([]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		bytes, packets := sink.count()
		if bytes == 7 && packets == 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the sink counts %d packets and %d bytes, want 3 and 7", packets, bytes)
		}
	}
}
