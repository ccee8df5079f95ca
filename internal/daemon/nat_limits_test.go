package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// The log hears of each limit that is hit, with what was refused since, once
// in a minute.
func TestNATLimitsAreLogged(t *testing.T) {
	const text = `name = "r1"
[interface.lan0]
kind = "tun"
addresses = ["10.1.0.1/24"]
[interface.wan0]
kind = "tun"
addresses = ["203.0.113.1/24"]
[nat]
max-sessions = 8
max-sessions-per-host = 4
[nat.pool.two]
addresses = ["203.0.113.64"]
ports = "5000-5001"
[[nat.source]]
name = "guests"
outbound-interface = "wan0"
source = "10.1.0.128/25"
translation = "pool:two"
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
translation = "masquerade"
`
	n := newNATShown(t, text)
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	now := time.Now()
	var limits natLimits
	look := func(after time.Duration, want ...string) {
		t.Helper()
		said.Reset()
		now = now.Add(after)
		told := 0
		limits.look(now, n.d.router.NAT(), log, func(x natRefusal) {
			if told++; x.Refused == 0 || x.Total < x.Refused || x.Limit == "" {
				t.Errorf("told %+v", x)
			}
		})
		if told != len(want) {
			t.Errorf("told %d times, want %d", told, len(want))
		}
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if said.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(want) {
			t.Fatalf("logged %q, want %d lines", lines, len(want))
		}
		for i := range want {
			if !strings.Contains(lines[i], want[i]) || !strings.Contains(lines[i], "level=WARN") {
				t.Errorf("logged %q, want a warning with %q", lines[i], want[i])
			}
		}
	}
	port := 3000
	flows := func(host string, count, refused int, why verdict.Verdict) {
		t.Helper()
		got := 0
		for range count {
			port++
			if r := n.try(packet.ProtoUDP, fmt.Sprintf("%s:%d", host, port), "198.51.100.2:53", "lan0", "wan0"); r.Verdict == why {
				got++
			}
		}
		if got != refused {
			t.Fatalf("%d of %d flows of %s are refused as %s, want %d", got, count, host, why, refused)
		}
	}
	const (
		host  = `max-sessions-per-host allows; raise it, or see which host with show drops --last 20" `
		table = `max-sessions allows; raise it, or see whose they are with show nat session" `
		pool  = `give the pool more addresses or ports" `
	)
	look(0)
	flows("10.1.0.200", 5, 3, verdict.NATPoolExhausted)
	flows("10.1.0.2", 6, 2, verdict.NATHostLimit)
	look(time.Second / 2) // not within a second of the last look
	look(time.Second, host+`limit=4 refused=2 total=2 rules="[source lan-out]"`, pool+"pool=two addresses=1 ports=5000-5001 refused=3 total=3")
	flows("10.1.0.2", 1, 1, verdict.NATHostLimit)
	flows("10.1.0.3", 4, 2, verdict.NATSessionLimit)
	look(time.Second, table+`limit=8 refused=2 total=2 rules="[source lan-out]"`)
	flows("10.1.0.2", 1, 0, verdict.NATHostLimit) // the table is full first
	look(59*time.Second, host+`limit=4 refused=1 total=3 rules="[source lan-out]"`)
	look(time.Second, table+"limit=8 refused=1 total=3 rules=")
	// An endpoint that has its port already wants nothing but a session.
	if r := n.try(packet.ProtoUDP, "10.1.0.200:3001", "198.51.100.3:53", "lan0", "wan0"); r.Verdict != verdict.NATSessionLimit {
		t.Fatalf("one more session is %s, want it refused for the table's limit", r.Verdict)
	}
	look(time.Hour, table+`limit=8 refused=1 total=4 rules="[source guests]"`) // lan-out has not refused since
	look(time.Hour)
}
