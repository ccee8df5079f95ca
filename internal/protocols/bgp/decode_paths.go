package bgp

import (
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/bgp"
)

// decodePaths reads how many paths of a prefix come from a neighbour and are sent to it, and
// for how long its routes are kept.
func decodePaths(s *tomltext.Section, of []*bgp.FamilyConfig) {
	paths := s.Section("add-path")
	send := tomltext.Get(paths, "send", of[0].SendPaths, pathsReading)
	receive := tomltext.Get(paths, "receive", of[0].ReceivePaths, tomltext.Bool)
	paths.Done()
	stale := tomltext.Get(s, "long-lived-stale-time", of[0].LongLived, tomltext.Duration(0, bgp.MaxLongLived))
	for _, f := range of {
		if paths.Has("send") {
			f.SendPaths = send
		}
		if paths.Has("receive") {
			f.ReceivePaths = receive
		}
		if s.Has("long-lived-stale-time") {
			f.LongLived = stale.Truncate(time.Second)
		}
	}
}

const allPaths = "all"

// pathsReading reads how many paths of a prefix are sent.
var pathsReading = tomltext.Reading[int]{Read: func(v any) (int, error) {
	switch v := v.(type) {
	case string:
		if v == allPaths {
			return bgp.AllPaths, nil
		}
	case int64:
		if v >= 0 && v <= 0xffff {
			return int(v), nil
		}
	}
	return 0, tomltext.ErrUnwanted
}, Want: `"all", or how many of the best, 1 to 65535; 0 = the best one alone`}
