package bgp

import (
	"strconv"
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/bgp"
)

// decodePaths reads how many paths of a prefix come from a neighbour and are sent to it, and
// for how long its routes are kept.
func decodePaths(s *tomltext.Section, of []*bgp.FamilyConfig) {
	paths := s.Section("add-path")
	send := tomltext.Get(paths, "send", sendPaths(of[0].SendPaths), pathsReading)
	paths.Default("send", sendPaths(of[0].SendPaths).String())
	receive := tomltext.Get(paths, "receive", of[0].ReceivePaths, tomltext.Bool)
	paths.Done()
	stale := tomltext.Get(s, "long-lived-stale-time", of[0].LongLived, tomltext.Duration(0, bgp.MaxLongLived))
	for _, f := range of {
		if paths.Has("send") {
			f.SendPaths = int(send)
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

// sendPaths is a value of add-path.send, as FamilyConfig.SendPaths.
type sendPaths int

// String is the value as the text has it.
func (n sendPaths) String() string {
	if n == bgp.AllPaths {
		return allPaths
	}
	return strconv.Itoa(int(n))
}

// pathsReading reads how many paths of a prefix are sent.
var pathsReading = tomltext.Reading[sendPaths]{Read: func(v any) (sendPaths, error) {
	switch v := v.(type) {
	case string:
		if v == allPaths {
			return bgp.AllPaths, nil
		}
	case int64:
		if v >= 0 && v <= 0xffff {
			return sendPaths(v), nil
		}
	}
	return 0, tomltext.ErrUnwanted
}, Want: `"all", or how many of the best, 1 to 65535; 0 = the best one alone`}
