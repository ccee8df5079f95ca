package keys

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(s int) time.Time { return time.Unix(1_000_000+int64(s), 0) }

func during(from, until int) Lifetime { return Lifetime{at(from), at(until)} }

func names(list ...*Key) (ids []int) {
	for _, k := range list {
		if k != nil {
			ids = append(ids, int(k.ID))
		}
	}
	return ids
}

// The picture of the package's doc, second by second where it changes.
func TestRollover(t *testing.T) {
	c := Chain{
		{ID: 1, Secret: []byte("one"), Send: during(10, 30), Accept: during(8, 35)},
		{ID: 2, Secret: []byte("two"), Send: during(25, 60), Accept: during(23, 65)},
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at, next int
		sending  []int
		ended    bool
		accepted []int
	}{
		{0, 8, nil, false, nil},
		{8, 10, nil, false, []int{1}},
		{10, 23, []int{1}, false, []int{1}},
		{23, 25, []int{1}, false, []int{1, 2}},
		{25, 30, []int{2}, false, []int{1, 2}}, // both may be sent: the later one
		{30, 35, []int{2}, false, []int{1, 2}},
		{35, 60, []int{2}, false, []int{2}},
		{60, 65, []int{2}, true, []int{2}}, // RFC 2328 §D.3: for ever
		{65, 0, []int{2}, true, []int{2}},
		{9999, 0, []int{2}, true, []int{2}},
	} {
		k, ended := c.Sending(at(tt.at))
		if got := names(k); !slices.Equal(got, tt.sending) || ended != tt.ended {
			t.Errorf("at %d s key %v is sent, ended %v; want %v, %v", tt.at, got, ended, tt.sending, tt.ended)
		}
		var accepted []int
		for k := range c.Accepted(at(tt.at)) {
			accepted = append(accepted, int(k.ID))
		}
		if !slices.Equal(accepted, tt.accepted) {
			t.Errorf("at %d s keys %v are accepted, want %v", tt.at, accepted, tt.accepted)
		}
		for id := range uint8(4) {
			if got := c.Accepting(id, at(tt.at)) != nil; got != slices.Contains(tt.accepted, int(id)) {
				t.Errorf("at %d s key %d is accepted: %v", tt.at, id, got)
			}
		}
		var want time.Time
		if tt.next > 0 {
			want = at(tt.next)
		}
		if got := c.Next(at(tt.at)); !got.Equal(want) {
			t.Errorf("at %d s the next change is at %v, want %v", tt.at, got, want)
		}
	}
}

func drawLifetime(t *rapid.T, label string) (l Lifetime) {
	from := rapid.IntRange(0, 20).Draw(t, label+" from")
	if rapid.IntRange(0, 3).Draw(t, label+" begins") > 0 {
		l.From = at(from)
	}
	if rapid.IntRange(0, 3).Draw(t, label+" ends") > 0 {
		l.Until = at(from + rapid.IntRange(1, 10).Draw(t, label+" for"))
	}
	return l
}

func drawChain(t *rapid.T) (c Chain) {
	for id := range rapid.IntRange(0, 5).Draw(t, "keys") {
		c = append(c, Key{
			ID: uint8(id), Secret: []byte{byte(id + 1)}, Algorithm: Algorithm(rapid.IntRange(0, 6).Draw(t, "algorithm")),
			Send: drawLifetime(t, "send"), Accept: drawLifetime(t, "accept"),
		})
	}
	return c
}

// last gives those of the lifetimes that count at second s, naively: those that
// have begun and not ended; else, of those that have ended, the ones that did so
// last.
func last(lifetimes []Lifetime, s int) (list []int, ended bool) {
	end := -1
	for i, l := range lifetimes {
		begun, over := l.From.IsZero() || l.From.Unix() <= at(s).Unix(), !l.Until.IsZero() && l.Until.Unix() <= at(s).Unix()
		if begun && !over {
			list = append(list, i)
		}
		if over && (end < 0 || l.Until.Unix() > lifetimes[end].Until.Unix()) {
			end = i
		}
	}
	if len(list) > 0 || end < 0 {
		return list, false
	}
	for i, l := range lifetimes {
		if l.Until.Equal(lifetimes[end].Until) {
			list = append(list, i)
		}
	}
	return list, true
}

func TestChoiceAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		sends, accepts := make([]Lifetime, len(c)), make([]Lifetime, len(c))
		for i, k := range c {
			sends[i], accepts[i] = k.Send, k.Accept
		}
		said := func(s int) string {
			k, ended := c.Sending(at(s))
			text := fmt.Sprint(names(k), ended)
			for k := range c.Accepted(at(s)) {
				text += fmt.Sprint(" ", k.ID)
			}
			return text
		}
		for s := -1; s < 33; s++ {
			of, over := last(sends, s)
			best := slices.MinFunc(append(of, len(c)), func(a, b int) int { // the latest to begin, then the first
				switch {
				case b == len(c):
					return -1
				case a == len(c):
					return 1
				case over:
					return a - b
				}
				return c[b].Send.From.Compare(c[a].Send.From)
			})
			k, ended := c.Sending(at(s))
			if best == len(c) != (k == nil) || k != nil && k != &c[best] || ended != over {
				t.Fatalf("at %d s %v is sent, ended %v; want number %d of %d, %v", s, names(k), ended, best, len(c), over)
			}
			want, _ := last(accepts, s)
			var got []int
			for k := range c.Accepted(at(s)) {
				got = append(got, int(k.ID))
				if c.Accepting(k.ID, at(s)) != k {
					t.Fatalf("at %d s key %d is accepted, and not by its number", s, k.ID)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("at %d s keys %v are accepted, want %v", s, got, want)
			}
			next := c.Next(at(s))
			for later := s + 1; later < 33 && (next.IsZero() || at(later).Before(next)); later++ {
				if a, b := said(s), said(later); a != b {
					t.Fatalf("at %d s it is %s, and %s at %d s; the next change was to be at %v", s, a, b, later, next)
				}
			}
		}
	})
}

// Any change of a key is news, and a copy is none.
func TestSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t)
		o := slices.Clone(c)
		for i := range o {
			o[i].Secret = slices.Clone(o[i].Secret)
			o[i].Send.From = o[i].Send.From.UTC()
		}
		if !c.Same(o) || !o.Same(c) {
			t.Fatal("a copy is not the same")
		}
		if len(o) == 0 {
			return
		}
		k := &o[rapid.IntRange(0, len(o)-1).Draw(t, "which")]
		change := rapid.SampledFrom([]func(){
			func() { k.ID += 100 },
			func() { k.Algorithm++ },
			func() { k.Secret[0]++ },
			func() { k.Secret = append(k.Secret, 0) },
			func() { k.Send.From = k.Send.From.Add(1) },
			func() { k.Send.Until = k.Send.Until.Add(1) },
			func() { k.Accept.From = k.Accept.From.Add(1) },
			func() { k.Accept.Until = k.Accept.Until.Add(1) },
			func() { o = o[1:] },
		})
		change.Draw(t, "change")()
		if c.Same(o) || o.Same(c) {
			t.Fatal("another chain is the same")
		}
	})
}

func TestCheck(t *testing.T) {
	one := Key{ID: 1, Secret: []byte("one")}
	with := func(change func(*Key)) Chain {
		k := one
		change(&k)
		return Chain{k}
	}
	for want, c := range map[string]Chain{
		"key 1: given twice":   {one, one},
		"key 1: empty":         with(func(k *Key) { k.Secret = nil }),
		"key 1: algorithm 200": with(func(k *Key) { k.Algorithm = 200 }),
		"key 1: a lifetime":    with(func(k *Key) { k.Accept = during(5, 5) }),
		"":                     {one, {ID: 2, Secret: []byte("x"), Send: during(5, 6)}},
	} {
		err := c.Check()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if k, ended := Chain(nil).Sending(at(0)); k != nil || ended || !Chain(nil).Next(at(0)).IsZero() {
		t.Error("an empty chain has a key or a change")
	}
}

func TestAlgorithms(t *testing.T) {
	for a := None; a.known(); a++ {
		if got, err := ParseAlgorithm(a.String()); got != a || err != nil {
			t.Errorf("%v is read as %v, %v", a, got, err)
		}
		if a.Size() > MaxSize || a.Size() > 0 && a.New().Size() != a.Size() {
			t.Errorf("%v has %d octets, and its hash others", a, a.Size())
		}
	}
	if _, err := ParseAlgorithm("sha256"); err == nil {
		t.Error("sha256 is read")
	}
	if a := Algorithm(99); a.String() != "unknown" || a.Size() != 0 {
		t.Errorf("algorithm 99 is %v with %d octets", a, a.Size())
	}
}

func TestChoiceAllocatesNothing(t *testing.T) {
	c := Chain{{ID: 1, Secret: []byte("one"), Send: during(0, 10), Accept: during(0, 10)}, {ID: 2, Secret: []byte("two")}}
	if n := testing.AllocsPerRun(100, func() {
		c.Sending(at(5))
		c.Accepting(2, at(5))
		c.Next(at(5))
		for k := range c.Accepted(at(5)) {
			_ = k
		}
	}); n != 0 {
		t.Errorf("%v allocations for a choice, want none", n)
	}
}
