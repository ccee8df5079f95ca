package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestGap(t *testing.T) {
	begin := time.Unix(1700000000, 0)
	const ms = time.Millisecond
	// Datagrams are sent each millisecond of a second but in pauses, and arrive
	// after 100 µs but in cuts, and held back to the end of stalls.
	type times struct{ from, to time.Duration }
	within := func(at time.Duration, list []times) (time.Duration, bool) {
		for _, x := range list {
			if at >= x.from && at < x.to {
				return x.to, true
			}
		}
		return 0, false
	}
	for _, tt := range []struct {
		name                string
		pauses, cuts, stall []times
		want, over          time.Duration // 0: not looked at
	}{
		{"nothing happens", nil, nil, nil, 100 * time.Microsecond, 0},
		{"a cut", nil, []times{{300 * ms, 340 * ms}}, nil, 40*ms + 100*time.Microsecond, 340*ms + 100*time.Microsecond},
		{"the longer of two", nil, []times{{300 * ms, 320 * ms}, {500 * ms, 530 * ms}}, nil, 30*ms + 100*time.Microsecond, 530*ms + 100*time.Microsecond},
		{"the sender pauses", []times{{300 * ms, 400 * ms}}, nil, nil, 100 * time.Microsecond, 0},
		{"the sender pauses before and in a cut", []times{{250 * ms, 290 * ms}, {301 * ms, 320 * ms}}, []times{{300 * ms, 340 * ms}}, nil, 40*ms + 100*time.Microsecond, 340*ms + 100*time.Microsecond},
		{"a stall before the cut", nil, []times{{300 * ms, 320 * ms}}, []times{{100 * ms, 190 * ms}}, 20*ms + 100*time.Microsecond, 320*ms + 100*time.Microsecond},
		{"datagrams are held back", nil, nil, []times{{300 * ms, 360 * ms}}, 60 * ms, 360 * ms},
		{"nothing arrives after the cut", nil, []times{{600 * ms, time.Hour}}, nil, 400 * ms, 1000 * ms},
		{"tcpdump is a little late", nil, []times{{900 * ms, time.Hour}}, nil, 100 * time.Microsecond, 0},
	} {
		arrivals := func(text string) []time.Time {
			list, err := stamps([]byte(text), 20)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		var sent []time.Time
		text := "listening on eth0\n"
		for at := time.Duration(0); at < 1000*ms; at += ms {
			if _, is := within(at, tt.pauses); is {
				continue
			}
			sent = append(sent, begin.Add(at))
			if _, is := within(at, tt.cuts); is {
				continue
			}
			arrives := at + 100*time.Microsecond
			if until, is := within(at, tt.stall); is {
				arrives = until
			}
			text += fmt.Sprintf("%d.%06d IP 198.18.1.2.40000 > 198.18.9.2.9: UDP, length 8\n", begin.Unix(), arrives/time.Microsecond)
		}
		if got, err := gap(arrivals(text), sent, begin.Add(200*ms), begin.Add(1000*ms)); err != nil || got.Length != tt.want || tt.over > 0 && !got.Over.Equal(begin.Add(tt.over)) {
			t.Errorf("%s: %+v, %v, want %v until %v", tt.name, got, err, tt.want, begin.Add(tt.over))
		}
		if _, err := gap(arrivals(text), sent, begin.Add(200*ms), begin.Add(5000*ms)); tt.cuts == nil && err == nil {
			t.Errorf("%s: no error though nothing was sent for four seconds", tt.name)
		}
	}
	if _, err := stamps([]byte("tcpdump: no such device"), 1); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("without packets: %v", err)
	}
}

func TestAwait(t *testing.T) {
	tries := 0
	err := Await(t.Context(), time.Minute, time.Millisecond, "three", func() (string, error) {
		if tries++; tries < 3 {
			return "not yet", nil
		}
		return "", nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	if err := Await(t.Context(), 0, time.Millisecond, "ever", func() (string, error) { return "no", nil }); err == nil || !strings.Contains(err.Error(), "ever") {
		t.Errorf("what never comes: %v", err)
	}
	if err := Await(t.Context(), time.Minute, time.Millisecond, "x", func() (string, error) { return "", io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("an error: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Await(ended, time.Minute, time.Hour, "x", func() (string, error) { return "no", nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
