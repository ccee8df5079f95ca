package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/control"
	"routerd/internal/events"
)

// paper is what a command has written so far.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// reads waits until a text has been written.
func (p *paper) reads(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(p.String(), text); {
		if time.Now().After(end) {
			t.Fatalf("waiting for %q; there is only\n%s", text, p.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// serveEvents serves events at a socket until stop is called.
func serveEvents(t *testing.T, path string, e *control.Events) (stop func()) {
	t.Helper()
	l, err := control.Listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- control.New(&fake{}, control.Options{Events: e}).Serve(ctx, l) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
}

func tell(e *control.Events, topic, key, item, why string, cause uint64) uint64 {
	id, _ := e.Ring.Topic(topic)
	return e.Ring.Publish(events.Event{
		Topic: id, Time: time.Date(2026, 11, 29, 19, 0, 0, 100_000_000, time.UTC), Action: events.Changed, Key: key,
		Item: json.RawMessage(item), Why: why, Cause: cause,
	})
}

// followTo runs events until the test ends.
func followTo(t *testing.T, f *follower) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.follow(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("events ended with %v", err)
		}
	})
}

// Each event is a line that says what happened and why.
func TestEventLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r1.sock")
	e := &control.Events{Ring: events.NewRing(0x7f3a9c21, control.EventTopics()), Name: "r1"}
	t.Cleanup(serveEvents(t, path, e))
	var out, errors paper
	f := &follower{session: &session{out: &out, err: &errors, socket: path}, request: control.EventRequest{ID: 1}}
	followTo(t, f)
	for end := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), "begin") && time.Now().Before(end); {
		tell(e, "log", "INFO", `{"level":"INFO","message":"begin"}`, "", 0) // until somebody hears it
		time.Sleep(time.Millisecond)
	}
	first := e.Ring.Cursor().Number
	down := tell(e, "interface", "lan0", `{"name":"lan0","state":"down"}`, "it is down", 0)
	tell(e, "route", "10.0.1.0/24", `{"routes":[{"prefix":"10.0.1.0/24","source":"static","installed":true,"next_hops":[{"address":"10.0.2.2","interface":"lan1","usable":true,"weight":1,"resolved":[{"address":"10.0.2.2","interface":"lan1","weight":1}]}]}]}`, "", down)
	tell(e, "neighbor", "10.0.2.2 on lan1", `{"state":"reachable","mac":"02:00:00:00:00:01"}`, "", 0)
	tell(e, "drop", "no_route", `{"header":"IPv4 10.0.1.2 > 192.0.2.1","sentence":"no route covers its destination"}`, "", down)
	tell(e, "config", "applied", `{"changes":[{"kind":"added","path":"interface.lan9"}]}`, "a reload applies the configuration", 0)
	tell(e, "log", "WARN", `{"message":"the end","attributes":{"router":"r1","interface":"lan0"}}`, "", 0)
	out.reads(t, "the end")
	cursor := func(n uint64) string { return fmt.Sprintf("7f3a9c21:%d", first+n) }
	want := []string{
		"19:00:00.100 interface changed lan0 it is down (" + cursor(1) + ")",
		"19:00:00.100 route     changed 10.0.1.0/24 static 10.0.2.2 on lan1 <- " + cursor(1) + " (" + cursor(2) + ")",
		"19:00:00.100 neighbor  changed 10.0.2.2 on lan1 reachable at 02:00:00:00:00:01 (" + cursor(3) + ")",
		"19:00:00.100 drop      changed no_route IPv4 10.0.1.2 > 192.0.2.1: no route covers its destination <- " + cursor(1) + " (" + cursor(4) + ")",
		"19:00:00.100 config    changed applied a reload applies the configuration, added interface.lan9 (" + cursor(5) + ")",
		"19:00:00.100 log       changed WARN the end, interface lan0 (" + cursor(6) + ")",
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if d := cmp.Diff(want, lines[len(lines)-len(want):]); d != "" {
		t.Errorf("lines (-want +got):\n%s\n%s", d, errors.String())
	}
}

// A router that goes and comes back is followed on, without a line twice or one
// too few.
func TestEventsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r1.sock")
	e := &control.Events{Ring: events.NewRing(0x7f3a9c21, control.EventTopics()), Name: "r1"}
	stop := serveEvents(t, path, e)
	var out, errors paper
	f := &follower{session: &session{out: &out, err: &errors, socket: path}, request: control.EventRequest{ID: 1, Topics: []string{"log"}}, format: formatJSON}
	followTo(t, f)
	out.reads(t, "bookmark")
	tell(e, "log", "INFO", `{"message":"one"}`, "", 0)
	out.reads(t, "one")
	stop()
	tell(e, "log", "INFO", `{"message":"two"}`, "", 0)
	t.Cleanup(serveEvents(t, path, e))
	tell(e, "log", "INFO", `{"message":"three"}`, "", 0)
	out.reads(t, "three")
	var got []string
	for line := range strings.Lines(out.String()) {
		var frame control.EventFrame
		if err := json.Unmarshal([]byte(line), &frame); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if frame.Type == "event" || frame.Type == "gap" {
			got = append(got, frame.Type+" "+frame.Cursor)
		}
	}
	if d := cmp.Diff([]string{"event 7f3a9c21:1", "event 7f3a9c21:2", "event 7f3a9c21:3"}, got); d != "" {
		t.Errorf("events (-want +got):\n%s\n%s", d, errors.String())
	}
}

func TestEventsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r1.sock")
	if code, _, _ := routerd("events", "--socket", path); code != exitUnreachable {
		t.Errorf("without a router: exit %d, want %d", code, exitUnreachable)
	}
	t.Cleanup(serveEvents(t, path, &control.Events{Ring: events.NewRing(1, control.EventTopics()), Name: "r1"}))
	code, _, stderr := routerd("events", "--socket", path, "lnik")
	if code != exitUsage || !strings.Contains(stderr, `there is no topic "lnik"`) {
		t.Errorf("of an unknown topic: exit %d, %s", code, stderr)
	}
}
