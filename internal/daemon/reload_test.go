package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"routerd/internal/control"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// within runs f on a thread inside the namespace of a host; a socket made
// there stays there.
func (s *site) within(host int, f func() error) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		h, err := netns.GetFromName(s.hosts[host])
		if err == nil {
			defer h.Close()
			err = netns.Set(h)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// stream sends numbered datagrams from host 0 to host 1, a thousand a second,
// until stopped, and tells which were lost.
func (s *site) stream() (stop func() (sent, lost int)) {
	s.t.Helper()
	var from, to net.Conn
	s.within(1, func() (err error) {
		to, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 0, 2, 2), Port: 9000})
		return err
	})
	s.within(0, func() (err error) {
		from, err = net.Dial("udp", "10.0.2.2:9000")
		return err
	})
	var received atomic.Int64
	readerDone := make(chan struct{})
	go func() {
		defer close(readerDone)
		b := make([]byte, 64)
		for {
			if _, err := to.Read(b); err != nil {
				return
			}
			received.Add(1)
		}
	}()
	halt := make(chan struct{})
	count := make(chan int)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		n := 0
		for {
			select {
			case <-halt:
				count <- n
				return
			case <-tick.C:
				var b [8]byte
				binary.BigEndian.PutUint64(b[:], uint64(n))
				if _, err := from.Write(b[:]); err == nil {
					n++
				}
			}
		}
	}()
	return func() (int, int) {
		close(halt)
		n := <-count
		wait := time.Now().Add(5 * time.Second)
		for received.Load() < int64(n) && time.Now().Before(wait) {
			time.Sleep(time.Millisecond)
		}
		to.Close()
		from.Close()
		<-readerDone
		return n, n - int(received.Load())
	}
}

func TestReloadLosesNoPacket(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	stop := s.stream()
	static := "[[static.route]]\nprefix = \"198.51.100.0/24\"\nnext-hop = \"10.0.2.2\"\n"
	third := "[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n"
	for i := range 20 {
		s.write([]string{static, third, static + third, ""}[i%4])
		if _, err := c.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sent, lost := stop(); lost != 0 || sent == 0 {
		t.Errorf("%d of %d packets lost during 20 reloads, want none", lost, sent)
	}
}

func TestReloadChangesWhatTheFileSays(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	if err := s.ping(0, "10.255.0.1"); err == nil {
		t.Fatal("10.255.0.1 answers before it is configured")
	}
	s.write("[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n[[static.route]]\nprefix = \"198.51.100.0/24\"\naction = \"blackhole\"\n")
	diff, err := c.Diff(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Changes) == 0 || fmt.Sprint(diff.Changes) != fmt.Sprint(result.Changes) {
		t.Errorf("diff said %+v, reload %+v", diff.Changes, result.Changes)
	}
	if err := s.ping(0, "10.255.0.1"); err != nil {
		t.Error(err)
	}
	x, err := c.ExplainPacket(t.Context(), control.PacketQuery{In: "lan0", Src: mustAddr("10.0.1.2"), Dst: mustAddr("198.51.100.1")})
	if err != nil || x.Verdict != "blackhole" {
		t.Errorf("explained as %q (%v), want blackhole", x.Verdict, err)
	}
	named := false
	for _, step := range x.Steps {
		named = named || strings.Contains(step.Origin, "routerd.toml:")
	}
	if !named {
		t.Errorf("no step names the line that decided: %+v", x.Steps)
	}
	// The host's side follows too, and so does an interface that goes.
	text, _ := os.ReadFile(s.config)
	if err := os.WriteFile(s.config, []byte(strings.Replace(string(text), `"10.0.1.2/24"`, `"10.0.1.7/24"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := s.in(0, "ip", "-o", "address", "show", "eth0"); !strings.Contains(out, "10.0.1.7/24") || strings.Contains(out, "10.0.1.2/24") {
		t.Errorf("the host's addresses are\n%s", out)
	}
}

func TestReloadRefusedChangesNothing(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	s.must("ip", "-n", s.hosts[0], "link", "add", "taken", "type", "bridge")
	before, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, more, want string }{
		{"an unknown key", "[interface.lan9]\nkind = \"tun\"\nmutu = 1500\n", "mutu"},
		{"a device that is there already", "[interface.lan9]\nkind = \"tun\"\naddresses = [\"10.0.9.1/24\"]\nhost = { netns = \"" + s.hosts[0] + "\", device = \"taken\" }\n", "a device of that name is there already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.write(tt.more)
			_, err := c.Reload(t.Context())
			var refused *control.Error
			if !errors.As(err, &refused) {
				t.Fatalf("reload: %v, want it refused", err)
			}
			if said := fmt.Sprint(refused.Message, refused.Problems); !strings.Contains(said, tt.want) {
				t.Errorf("refused with %s, want %q in it", said, tt.want)
			}
			after, err := c.Version(t.Context())
			if err != nil || after.Generation != before.Generation {
				t.Errorf("generation %d (%v), want it still %d", after.Generation, err, before.Generation)
			}
			if err := s.ping(0, "10.0.2.2"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A port whose device changes is made anew, and its counters go on.
func TestReloadMovesADevice(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Fatal(err)
	}
	before, err := c.Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(s.config)
	// The device gets another name, with addresses and routes of its own.
	moved := strings.Replace(string(text), `device = "eth0", addresses = ["10.0.2.2/24", "2001:db8:2::2/64"], routes = ["0.0.0.0/0", "::/0"]`,
		`device = "eth1", addresses = ["10.0.2.3/24"], routes = ["10.0.1.0/24"]`, 1)
	if err := os.WriteFile(s.config, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.ping(0, "10.0.2.3"); err != nil {
		t.Error(err)
	}
	if out := s.in(1, "ip", "-o", "link"); strings.Contains(out, "eth0") {
		t.Errorf("the old device is left:\n%s", out)
	}
	after, err := c.Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after[1].Received.Packets <= before[1].Received.Packets {
		t.Errorf("lan1 has received %d packets, %d before its device moved", after[1].Received.Packets, before[1].Received.Packets)
	}
}
