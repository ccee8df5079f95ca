package ospf

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

var (
	metricReading = tomltext.Whole(0, wire.Infinity-1)
	tagReading    = tomltext.Whole(0, math.MaxUint32)
	abrReading    = tomltext.OneOf([]string{"cisco", "standard"}, []bool{false, true})

	networkReading = tomltext.OneOf(
		[]string{"broadcast", "point-to-point", "point-to-multipoint", "nbma"},
		[]ospf.NetworkType{ospf.Broadcast, ospf.PointToPoint, ospf.PointToMultipoint, ospf.NBMA})
	areaTypeReading   = tomltext.OneOf([]string{"normal", "stub", "nssa"}, []ospf.AreaType{ospf.Normal, ospf.Stub, ospf.NSSA})
	translatorReading = tomltext.OneOf(
		[]string{"candidate", "always", "never"},
		[]ospf.Translator{ospf.TranslatorCandidate, ospf.TranslatorAlways, ospf.TranslatorNever})
)

// areaReading reads an area, as a number or as four of them.
var areaReading = tomltext.Reading[wire.ID]{Read: func(v any) (wire.ID, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= math.MaxUint32 {
			return wire.ID(v), nil
		}
	case string:
		return areaNamed(v)
	}
	return 0, tomltext.ErrUnwanted
}, Want: `the number of an area, like 7 or "0.0.0.7"`}

// areaNamed reads an area from the name of its table.
func areaNamed(name string) (wire.ID, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return wire.ID(n), nil
	}
	return dotted(name)
}

func dotted(s string) (wire.ID, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, tomltext.ErrUnwanted
	}
	return wire.IDOf(a), nil
}

// bandwidth is in bits a second.
type bandwidth uint64

var bandwidthUnits = []struct {
	unit   string
	factor float64
}{{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}}

// String is the bandwidth with the largest unit of which it is a whole number.
func (b bandwidth) String() string {
	for _, u := range bandwidthUnits {
		if n := uint64(u.factor); b >= bandwidth(n) && b%bandwidth(n) == 0 {
			return fmt.Sprintf("%d%s", uint64(b)/n, u.unit)
		}
	}
	return "0"
}

// bandwidthReading reads a number of bits a second with its unit.
var bandwidthReading = tomltext.Reading[bandwidth]{Read: func(v any) (bandwidth, error) {
	s, ok := v.(string)
	if !ok {
		return 0, tomltext.ErrUnwanted
	}
	for _, u := range bandwidthUnits {
		number, found := strings.CutSuffix(s, u.unit)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if n *= u.factor; err != nil || !(n >= 1 && n <= 1e15) || strings.ContainsAny(number, "eExXpP_") {
			return 0, tomltext.ErrUnwanted
		}
		return bandwidth(math.Round(n)), nil
	}
	return 0, tomltext.ErrUnwanted
}, Want: `bits a second with their unit (k, M, G or T), like "10G" or "2.5G"`}

// seconds reads a duration of whole seconds, since packets and LSAs have no room
// for parts of one.
func seconds(low, high int) tomltext.Reading[time.Duration] {
	first, last := time.Duration(low)*time.Second, time.Duration(high)*time.Second
	duration := tomltext.Duration(first, last)
	return tomltext.Reading[time.Duration]{Read: func(v any) (time.Duration, error) {
		d, err := duration.Read(v)
		if err == nil && d%time.Second != 0 {
			return 0, tomltext.Hint{Suggestion: fmt.Sprintf("whole seconds: %q?", d.Round(time.Second))}
		}
		return d, err
	}, Want: fmt.Sprintf("a duration of whole seconds, like %q, from %s to %s", "10s", first, last)}
}

// minimal is what dead-interval says where it is a second, with several Hellos
// in it.
const minimal = "minimal"

// deadInterval is a dead-interval; 0 is minimal.
type deadInterval time.Duration

// String gives it as the text has it.
func (i deadInterval) String() string {
	if i == 0 {
		return minimal
	}
	return time.Duration(i).String()
}

// wholeDead reads a dead-interval of whole seconds, deadReading also minimal.
var wholeDead = func() tomltext.Reading[deadInterval] {
	whole := seconds(1, math.MaxUint16)
	return tomltext.Reading[deadInterval]{Read: func(v any) (deadInterval, error) {
		d, err := whole.Read(v)
		return deadInterval(d), err
	}, Want: whole.Want}
}()

var deadReading = tomltext.Reading[deadInterval]{Read: func(v any) (deadInterval, error) {
	if v == minimal {
		return 0, nil
	}
	return wholeDead.Read(v)
}, Want: wholeDead.Want + `, or "minimal"`}
