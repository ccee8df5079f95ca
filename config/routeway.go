package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"routerd/routing"
	"routerd/routing/rib"
)

// wayReader reads what stands behind the prefix in a line of a file of routes.
type wayReader struct {
	route  rib.StaticRoute
	family int
	places [][2]int // of each next hop, in text

	text     string
	at       int
	from, to int // the present word
	group    int // the first next hop since the last "nexthop"
	given    map[string]bool
}

const wayWords = `"via NEXTHOP", "dev INTERFACE", "metric N", "tag N" or "distance N"`

func (w *wayReader) next() bool {
	w.from, w.to = word([]byte(w.text), w.at)
	w.at = w.to
	return w.from < w.to
}

func (w *wayReader) word() string { return w.text[w.from:w.to] }

func (w *wayReader) wrong(message, want string) *mistake {
	return &mistake{w.from, w.to - w.from, message, want, ""}
}

func (w *wayReader) read() *mistake {
	for w.next() {
		if m := w.part(); m != nil {
			return m
		}
	}
	for n, h := range w.route.NextHops {
		w.from, w.to = w.places[n][0], w.places[n][1]
		twin := func(b rib.StaticNextHop) bool { return b.Address == h.Address && b.Interface == h.Interface }
		switch {
		case slices.ContainsFunc(w.route.NextHops[:n], twin):
			return w.wrong(fmt.Sprintf("%q is a next hop that the route has already", w.word()), "each next hop once; its share is its weight")
		case h.Interface == "" && isLinkLocal(h.Address):
			return w.wrong(fmt.Sprintf("%s is link-local and means nothing without its interface", h.Address), fmt.Sprintf("via %s dev INTERFACE", h.Address))
		}
	}
	if w.route.Action == routing.Forward && len(w.route.NextHops) == 0 {
		return &mistake{message: "the route leads nowhere", want: `"via NEXTHOP" or "dev INTERFACE" behind the prefix, or blackhole, unreachable or prohibit before it`}
	}
	if w.route.Action != routing.Forward && len(w.route.NextHops) > 0 {
		return &mistake{w.places[0][0], w.places[0][1] - w.places[0][0], fmt.Sprintf("a %s route with a next hop", w.route.Action), "either the one or the other", ""}
	}
	return nil
}

// part reads what the present word begins.
func (w *wayReader) part() *mistake {
	key := w.word()
	switch key {
	case "via":
		return w.via()
	case "nexthop":
		w.group = len(w.route.NextHops)
		delete(w.given, "weight")
		delete(w.given, "dev")
		return nil
	case "dev", "weight", "metric", "tag", "distance":
	default:
		return w.wrong(fmt.Sprintf("%q is no word of a route", key), wayWords)
	}
	if w.given[key] {
		return w.wrong(key+" is given twice", "it once")
	}
	w.given[key] = true
	if !w.next() {
		return &mistake{w.from - len(key), len(key), key + " without a value", wayWords, ""}
	}
	hops := w.route.NextHops[w.group:]
	switch key {
	case "dev":
		if len(hops) == 0 {
			w.route.NextHops = append(w.route.NextHops, rib.StaticNextHop{Interface: w.word()})
			w.places = append(w.places, [2]int{w.from, w.to})
		}
		for n := range hops {
			hops[n].Interface = w.word()
		}
		return nil
	case "weight":
		n, m := w.number(1, math.MaxUint8)
		if m == nil && len(hops) == 0 {
			return w.wrong("weight before the next hop that it is of", "nexthop via NEXTHOP weight N")
		}
		for i := range hops {
			hops[i].Weight = uint8(n)
		}
		return m
	case "metric":
		n, m := w.number(0, math.MaxUint32)
		w.route.Metric = n
		return m
	case "tag":
		n, m := w.number(0, math.MaxUint32)
		w.route.Tag = n
		return m
	}
	n, m := w.number(1, math.MaxUint8)
	w.route.Distance = uint8(n)
	return m
}

func (w *wayReader) number(least, most uint64) (uint32, *mistake) {
	n, err := strconv.ParseUint(w.word(), 10, 32)
	if err != nil || n < least || n > most {
		return 0, w.wrong(fmt.Sprintf("%q is no number from %d to %d", w.word(), least, most), "such a number")
	}
	return uint32(n), nil
}

// via reads the addresses that follow: one, or several that share the flows.
func (w *wayReader) via() *mistake {
	by := ""
	if last := len(w.route.NextHops) - 1; last == w.group && !w.route.NextHops[last].Address.IsValid() { // "dev" came first
		by = w.route.NextHops[last].Interface
		w.route.NextHops, w.places = w.route.NextHops[:last], w.places[:last]
	}
	for n := 0; ; n++ {
		back := *w
		if !w.next() {
			*w = back
			if n == 0 {
				return w.wrong("via without a next hop", "an address")
			}
			return nil
		}
		a, err := netip.ParseAddr(w.word())
		if err != nil && n > 0 {
			*w = back
			return nil // the next word
		}
		if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
			return w.wrong(fmt.Sprintf("%q is not the address of a neighbour", w.word()), "an address like 192.0.2.1 or 2001:db8::1")
		}
		family := 4
		if a.Is6() {
			family = 6
		}
		if w.family != 0 && w.family != family {
			return w.wrong(fmt.Sprintf("next hop %s is of the other family than those before it", a), "next hops of one family")
		}
		w.family = family
		w.route.NextHops = append(w.route.NextHops, rib.StaticNextHop{Address: a, Interface: by})
		w.places = append(w.places, [2]int{w.from, w.to})
	}
}
