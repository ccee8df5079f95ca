package daemon

import (
	"strings"
	"testing"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/internal/events"
)

// TestACLLog: of what a rule logs some packets are told, each with how many more
// there were, and in the end told and untold packets are all that it has matched.
func TestACLLog(t *testing.T) {
	cfg := acl.Config{Lists: []acl.List{{Name: "x", Rules: []acl.Rule{{Name: "quiet", Action: acl.Count}, {Name: "loud", Action: acl.Log}}}}}
	rules, err := acl.Compile(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	loud := rules.Logged()[0]
	matched := uint64(1000) // before it was followed
	hits := func(number uint32) uint64 {
		if number != loud {
			t.Errorf("asked about rule %d, want %d alone", number, loud)
		}
		return matched
	}
	var l aclLog
	l.follow(now, rules, hits)
	if l.due.IsZero() {
		t.Fatal("a rule logs and nobody looks")
	}
	var told []uint64 // how many packets, told or not, each event is for
	look := func(after time.Duration, sent int, more uint64) {
		now = now.Add(after)
		var list []dataplane.Logged
		for range sent {
			list = append(list, dataplane.Logged{Time: now, Rule: loud, Packets: 1})
		}
		matched += uint64(sent) + more
		l.look(now, list, hits, func(number uint32, p *dataplane.Logged, untold uint64) {
			if number != loud {
				t.Errorf("rule %d is told, want %d", number, loud)
			}
			if p != nil {
				untold += uint64(p.Packets)
			}
			told = append(told, untold)
		})
	}
	want := func(what string, list ...uint64) {
		t.Helper()
		if len(told) != len(list) {
			t.Fatalf("%s: told %v, want %v", what, told, list)
		}
		for i := range list {
			if told[i] != list[i] {
				t.Fatalf("%s: told %v, want %v", what, told, list)
			}
		}
		told = nil
	}
	look(time.Second, 0, 0)
	want("nothing matched")
	look(time.Second, 2, 0)
	want("two packets", 1, 1)
	look(time.Minute, 12, 30)
	want("a burst", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	look(100*time.Millisecond, 0, 0)
	want("no time for one more")
	look(time.Second, 1, 0)
	want("the rest of the burst, with the next packet", 33)
	look(2*time.Second, 0, 7)
	want("what no worker has told may still come")
	look(250*time.Millisecond, 0, 0)
	want("it has not come", 7)
	look(time.Minute, 0, 0)
	want("all is told")

	l.follow(now, rules, hits) // a reload changes nothing
	look(time.Second, 1, 0)
	want("after a reload", 1)
	l.follow(now, nil, hits)
	if !l.due.IsZero() {
		t.Error("no rule logs and it looks")
	}
}

// TestACLLogLive: a packet that a rule logs becomes an event with the rule and its
// place, and a line of the log.
func TestACLLogLive(t *testing.T) {
	s := newSite(t)
	s.write("[acl]\nlocal = \"in\"\n[acl.in]\ndefault-action = \"accept\"\n[[acl.in.rule]]\nname = \"pings\"\nprotocol = \"icmp\"\naction = \"log\"\n")
	s.start()
	w := s.follow("topic=acl&topic=log")
	w.live()
	if err := s.ping(0, "10.0.1.1"); err != nil {
		t.Fatal(err)
	}
	w.wait("the line of the log", func(f events.Frame) bool {
		return f.Topic == "log" && strings.Contains(string(f.Item), "a packet that a rule of the packet filter logs") && strings.Contains(string(f.Item), "pings")
	})
	e := w.event("acl", events.Added, "in pings")
	for _, part := range []string{`"list":"in"`, `"rule":"pings"`, `"action":"log"`, `"interface":"lan0"`, "10.0.1.1", "ICMP echo request", `"untold":0`} {
		if !strings.Contains(string(e.Item), part) {
			t.Errorf("the event is %s, want %s in it", e.Item, part)
		}
	}
	if !strings.Contains(e.Origin, ":") || e.Why == "" {
		t.Errorf("the event is from %q because %q, want the rule's place and why", e.Origin, e.Why)
	}
}
