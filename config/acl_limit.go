package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"routerd/acl"
	"routerd/internal/tomltext"
)

// leastBurst is the burst of a rate that says none and is below so many a second.
const leastBurst = 5

// aclRateUnits are the words for what a rate counts in.
var aclRateUnits = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// aclRate reads a rate as the time between two flows.
var aclRate = tomltext.Reading[time.Duration]{Read: func(v any) (time.Duration, error) {
	s, _ := v.(string)
	count, word, _ := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 20)
	unit, known := aclRateUnits[word]
	if err != nil || n == 0 || !known {
		return 0, tomltext.ErrUnwanted
	}
	return unit / time.Duration(n), nil
}, Want: `new flows in a time: "20/second", "3/minute", "10/hour" or "5/day"`}

// decodeACLLimits reads limits of a rule, and how many bits of an IPv6 address are
// one host's, where they are of a host.
func (r *reader) decodeACLLimits(s *tomltext.Section, key string, of *acl.Rule, most int) (l acl.Limits) {
	if !s.Has(key) {
		return l
	}
	t := s.Section(key)
	l.Every = tomltext.Get(t, "rate", 0, aclRate)
	burst := leastBurst
	if l.Every > 0 {
		burst = min(max(burst, int(time.Second/l.Every)), acl.MaxBurst)
	}
	if burst = tomltext.Get(t, "burst", burst, tomltext.Whole(1, acl.MaxBurst)); l.Every > 0 {
		l.Burst = burst
		if l.Every > acl.MaxFill/time.Duration(burst) {
			r.Wrong(t.At.With("burst"), fmt.Sprintf("%s is %d, which takes the rate longer than a week to allow again", t.At.With("burst"), burst), "less, or a higher rate")
		}
	} else if t.Has("burst") && !t.Has("rate") {
		r.Wrong(t.At.With("burst"), fmt.Sprintf("%s is of a rate, and there is none", t.At.With("burst")), `rate = "20/second", say, or no burst`)
	}
	l.Connections = tomltext.Get(t, "connections", 0, tomltext.Whole(1, most))
	l.HalfOpen = tomltext.Get(t, "half-open", 0, tomltext.Whole(1, most))
	if key == "host-limit" {
		of.HostBits = uint8(tomltext.Get(t, "ipv6-prefix", acl.DefaultHostBits, tomltext.Whole(32, 128)))
	}
	t.Done()
	switch {
	case t.Table == nil: // not a table, reported already
	case !t.Has("rate") && !t.Has("connections") && !t.Has("half-open"):
		r.Wrong(s.At.With(key), fmt.Sprintf("%s limits nothing", s.At.With(key)), "rate, connections or half-open in it")
	case of.Action != acl.Accept:
		r.Wrong(s.At.With(key), fmt.Sprintf("%s is of a rule with the action %s", s.At.With(key), of.Action), `action = "accept": what exceeds the limit is dropped`)
	}
	return l
}
