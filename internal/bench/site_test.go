package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The parts of a measurement are this binary started again.
func TestMain(m *testing.M) {
	if code, isPart := RunPart(os.Args[1:]); isPart {
		os.Exit(code)
	}
	// Else every part lingers a second before it ends when tests run with -race.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	os.Exit(m.Run())
}

// needRoot skips a test where namespaces or TUNs cannot be made.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs TUN devices: %v", err)
	}
}

func TestPathsDeliver(t *testing.T) {
	needRoot(t)
	v4, v6 := DefaultOptions(), DefaultOptions()
	v6.IPv6 = true
	v4.Table = smallTable(t)
	for _, o := range []Options{v4, v6} {
		for _, p := range Paths {
			if p.Sessions && o.IPv6 {
				continue // the bench's flows are of IPv4
			}
			switch p.Name {
			case KernelFilter10, KernelFilter100, RouterdFilter10, RouterdFilter100:
				continue // only shorter than those of 1,000 rules
			case OffloadOff, OffloadAlwaysNAT, OffloadTen:
				continue // as others, but for what the flow cache carries or the table has
			}
			family := map[bool]string{false: "4", true: "6"}[o.IPv6]
			t.Run(p.Name+family, func(t *testing.T) {
				t.Parallel()
				p.Name += family
				deliver(t, o, p)
			})
		}
	}
}

// measurePatiently widens the window until something arrives in it: on a busy
// machine a flood can keep its forwarder off the processor for longer than the
// first one.
func measurePatiently(ctx context.Context, site *Site, m Metric) (s Sample, err error) {
	for window := 200 * time.Millisecond; window < 10*time.Second; window *= 2 {
		if s, err = site.measure(ctx, m, window); !errors.Is(err, errNothing) {
			return s, err
		}
	}
	return s, err
}

func deliver(t *testing.T, o Options, p Path) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	site, err := setUp(ctx, o, p)
	if errors.Is(err, ErrSkip) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.close(); err != nil {
			t.Error(err)
		}
	})
	for _, m := range Metrics(5000) {
		if m.Name == TCP1 { // a part of TCP4, and set-up has tried it
			continue
		}
		if m.Traffic.Answered && !p.Sessions {
			continue
		}
		if m.Name == IPerf1 || m.Traffic.IPerf && o.IPv6 || m.missing(o) != nil { // likewise, and a second each
			continue
		}
		if !p.takes(m.Traffic) {
			continue
		}
		if m.missing(o) != nil {
			continue
		}
		m.Traffic.Fresh = min(m.Traffic.Fresh, 5000)
		if m.Traffic.Fresh > 0 {
			deliverFlows(ctx, t, site, m)
			continue
		}
		s, err := measurePatiently(ctx, site, m)
		if err != nil {
			t.Fatalf("%s: %v", m.Title, err)
		}
		t.Logf("%s: %+v", m.Title, s)
		shortest := 0.2
		if m.Traffic.IPerf { // whose intervals do not begin with the window
			shortest = iperfInterval.Seconds() / 2
		}
		// iperf3's own times come in ticks of 10 ms, of which a starved one needs none.
		timed := m.Traffic.IPerf || s.Source != 0 && s.Sink != 0
		if s.Packets == 0 || s.Seconds < shortest || s.Busy == 0 || !timed {
			t.Errorf("%s: %+v, wanted packets and times", m.Title, s)
		}
		cached := strings.HasPrefix(p.Name, "offload")
		if (s.Forwarder == 0) != (len(site.forwarders) == 0) && !cached {
			t.Errorf("%s: forwarder took %d ns, wanted some where a process forwards and none elsewhere", m.Title, s.Forwarder)
		}
		if m.Traffic.Echo != (s.Echo > 0) {
			t.Errorf("%s: a round trip of %d ns, wanted one of echoes alone", m.Title, s.Echo)
		}
		if udp := m.Traffic.Streams == 0; udp && (s.Sent == 0 || s.Bytes != s.Packets*smallPayload) {
			t.Errorf("%s: %d of %d datagrams, %d bytes, wanted %d bytes each", m.Title, s.Packets, s.Sent, s.Bytes, smallPayload)
		}
	}
}

// deliverFlows measures flows until they are as they should be, a few times at most: on a
// busy machine the queues on the way lose many at times.
func deliverFlows(ctx context.Context, t *testing.T, site *Site, m Metric) {
	t.Helper()
	var err error
	for range 4 {
		var s Sample
		if s, err = site.measure(ctx, m, 0); err == nil {
			t.Logf("%s: %+v", m.Title, s)
			err = checkFlows(m, s)
		}
		if err == nil {
			return
		}
	}
	t.Errorf("%s: %v", m.Title, err)
}

// checkFlows: every flow made a session, or all but those that the refused
// hosts' ports were enough for were refused. Those sent as fast as possible
// may find a queue full, but what one holds arrives: the shortest, a TUN's, has
// room for 500.
func checkFlows(m Metric, s Sample) error {
	const queue = 500
	want, least := uint64(m.Traffic.Fresh), uint64(queue/2)
	most := want + udpBurst
	if m.Traffic.Refused {
		want -= refusedPorts
		most = want + refusedPorts/2 // what got lost counts as refused too
	}
	if m.Traffic.Rate > 0 {
		least = want / 2
	}
	if s.Packets > most || s.Packets < least || s.Seconds <= 0 || s.Busy == 0 {
		return fmt.Errorf("%+v, wanted %d packets, or nearly so", s, want)
	}
	return nil
}

// mine lists what this process has left on the machine: namespaces, and
// processes that it started.
func mine(t *testing.T) (left []string) {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("%s/%s%d-*", namespaceDirectory, namePrefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range children {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
		for _, pid := range strings.Fields(string(text)) {
			left = append(left, "process "+pid)
		}
	}
	return append(left, names...)
}

// A run that is called off takes everything with it, at whatever moment.
func TestRunLeavesNothing(t *testing.T) {
	needRoot(t)
	o := DefaultOptions()
	o.Paths, o.Metrics, o.Window = []string{Kernel, Bare}, []string{TCP1}, time.Minute
	moments := map[string]func() bool{
		"namespaces being made": func() bool { return len(mine(t)) > 0 },
		"traffic under way": func() bool {
			processes := 0
			for _, what := range mine(t) {
				if strings.HasPrefix(what, "process") {
					processes++
				}
			}
			return processes == 3 // forwarder, source and sink
		},
	}
	for name, reached := range moments {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := Run(ctx, o)
				ended <- err
			}()
			for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("not reached, there is only %v", mine(t))
				}
			}
			cancel()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Run gave %v, wanted that it was called off", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("Run goes on 30 s after it was called off")
			}
			if left := mine(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestForwarderThatDiesIsNoticed(t *testing.T) {
	needRoot(t)
	o := DefaultOptions()
	site, err := newSite(o, "dies")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := site.close(); err != nil {
			t.Error(err)
		}
	}()
	p, err := startProcess("sh", "", "sh", "-c", "echo out of steam >&2")
	if err != nil {
		t.Fatal(err)
	}
	site.run(p)
	if err := site.await(t.Context()); err == nil || !strings.Contains(err.Error(), "out of steam") {
		t.Errorf("await gave %v, wanted what the process said", err)
	}
}

func TestRemoveLeftovers(t *testing.T) {
	needRoot(t)
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Skipf("needs a process that has ended: %v", err)
	}
	leftover := fmt.Sprintf("%s%d-test-h1", namePrefix, gone.Process.Pid)
	living := fmt.Sprintf("%s%d-test-h1", namePrefix, os.Getpid())
	for _, name := range []string{leftover, living} {
		if err := makeNamespace(name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := removeNamespace(name); err != nil {
				t.Error(err)
			}
		})
	}
	dir := filepath.Join(os.TempDir(), leftover)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := RemoveLeftovers(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s, of a process that is gone, is still there (%v)", dir, err)
	}
	if _, err := os.Stat(filepath.Join(namespaceDirectory, leftover)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s, of a process that is gone, is still there (%v)", leftover, err)
	}
	if _, err := os.Stat(filepath.Join(namespaceDirectory, living)); err != nil {
		t.Errorf("%s, of a living process: %v", living, err)
	}
}

func TestRunPartLeavesOthersAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"-pairs", "3"}, {partArgument}, {partArgument, "{}", "x"}} {
		if code, isPart := RunPart(args); isPart || code != 0 {
			t.Errorf("RunPart(%q) = %d, %v, wanted no part", args, code, isPart)
		}
	}
	for _, text := range []string{"", "{", `{"Role":"juggler"}`} {
		if code, isPart := RunPart([]string{partArgument, text}); !isPart || code != 1 {
			t.Errorf("RunPart with order %q = %d, %v, wanted a part that fails", text, code, isPart)
		}
	}
}

func TestDatagrams(t *testing.T) {
	control := func(level, kind int32, size int32) []byte {
		b := make([]byte, unix.CmsgSpace(4))
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		h.Level, h.Type = level, kind
		h.SetLen(unix.CmsgLen(4))
		*(*int32)(unsafe.Pointer(&b[unix.CmsgLen(0)])) = size
		return b
	}
	for _, tt := range []struct {
		name    string
		length  int
		control []byte
		want    int
	}{
		{"alone", 64, nil, 1},
		{"empty datagram", 0, nil, 1},
		{"64 of 64 bytes", 4096, control(unix.SOL_UDP, unix.UDP_GRO, 64), 64},
		{"the last one short", 129, control(unix.SOL_UDP, unix.UDP_GRO, 64), 3},
		{"another message", 4096, control(unix.SOL_IP, unix.UDP_GRO, 64), 1},
		{"no size", 4096, control(unix.SOL_UDP, unix.UDP_GRO, 0), 1},
		{"cut short", 4096, control(unix.SOL_UDP, unix.UDP_GRO, 64)[:unix.CmsgLen(0)], 1},
	} {
		if got := datagrams(tt.length, tt.control); got != tt.want {
			t.Errorf("%s: %d datagrams, want %d", tt.name, got, tt.want)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var said tail
	for range 3 {
		if _, err := said.Write([]byte(strings.Repeat("x", tailLength))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := said.Write([]byte("the end\n")); err != nil {
		t.Fatal(err)
	}
	if s := said.String(); len(s) > tailLength || !strings.HasSuffix(s, "xthe end") {
		t.Errorf("kept %d bytes ending in %q, wanted at most %d with the end", len(s), s[max(0, len(s)-10):], tailLength)
	}
}

func TestRouterdConfig(t *testing.T) {
	s := &Site{Options: DefaultOptions(), Hosts: [2]string{"a", "b"}, dir: "/d", prefix: "rdb1-routerd-"}
	want := `name = "rdb1-routerd"

[api]
listen = ["unix:///d/api.sock"]

[interface.lan0]
kind = "tun"
addresses = ["10.77.1.1/24"]
mtu = 1500
host = { netns = "a", device = "eth0", addresses = ["10.77.1.2/24"], routes = ["0.0.0.0/0"] }

[interface.lan1]
kind = "tun"
addresses = ["10.77.2.1/24"]
mtu = 1500
host = { netns = "b", device = "eth0", addresses = ["10.77.2.2/24"], routes = ["0.0.0.0/0"] }
`
	if got := routerdConfig(s); got != want {
		t.Errorf("configuration is\n%s\nwant\n%s", got, want)
	}
	s.Options.IPv6 = true
	if got := routerdConfig(s); !strings.Contains(got, `addresses = ["2001:db8:77:2::1/64"]`) || !strings.Contains(got, `routes = ["::/0"]`) {
		t.Errorf("IPv6 configuration is\n%s", got)
	}
}
