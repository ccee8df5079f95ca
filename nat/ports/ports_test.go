package ports

import (
	"testing"

	"pgregory.net/rapid"
)

// A Set against a map, step by step.
func TestSetAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		naive := map[uint16]bool{}
		// Ports crowd together, so that words and groups fill up.
		port := rapid.OneOf(rapid.Uint16Range(0, 200), rapid.Uint16Range(4000, 4200), rapid.Uint16Range(65400, 65535))
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			p := port.Draw(t, "port")
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0, 1:
				if got, want := s.Take(p), !naive[p]; got != want {
					t.Fatalf("Take(%d) = %v, want %v", p, got, want)
				}
				naive[p] = true
			case 2:
				s.Release(p)
				delete(naive, p)
			case 3: // a run at once
				for q := range min(uint16(130), 65535-p) {
					s.Take(p + q)
					naive[p+q] = true
				}
			}
			if s.Has(p) != naive[p] || s.Len() != len(naive) {
				t.Fatalf("after %d: in use %v of %d, want %v of %d", p, s.Has(p), s.Len(), naive[p], len(naive))
			}
			first, last := port.Draw(t, "first"), port.Draw(t, "last")
			if first > last {
				first, last = last, first
			}
			start, parity := port.Draw(t, "start"), Parity(rapid.IntRange(0, 2).Draw(t, "parity"))
			got, ok := s.Free(first, last, start, parity)
			want, wantOK := free(naive, first, last, start, parity)
			if got != want || ok != wantOK {
				t.Fatalf("Free(%d, %d, %d, %d) = %d, %v; want %d, %v", first, last, start, parity, got, ok, want, wantOK)
			}
			used := 0
			for q := range naive {
				if first <= q && q <= last {
					used++
				}
			}
			if s.Used(first, last) != used {
				t.Fatalf("Used(%d, %d) = %d, want %d", first, last, s.Used(first, last), used)
			}
		}
	})
}

func free(used map[uint16]bool, first, last, start uint16, p Parity) (uint16, bool) {
	if start < first || start > last {
		start = first
	}
	n := int(last) - int(first) + 1
	for i := range n {
		port := uint16(int(first) + (int(start)-int(first)+i)%n)
		if !used[port] && (p == Either || Parity(port&1) == p) {
			return port, true
		}
	}
	return 0, false
}

func fill(first, last int, but ...uint16) *Set {
	s := new(Set)
	for p := first; p <= last; p++ {
		s.Take(uint16(p))
	}
	for _, p := range but {
		s.Release(p)
	}
	return s
}

func TestChoose(t *testing.T) {
	all := Want{First: 1, Last: 65535, Classes: true}
	with := func(port uint16, change ...func(*Want)) Want {
		w := all
		w.Port = port
		for _, c := range change {
			c(&w)
		}
		return w
	}
	parity := func(w *Want) { w.Parity = true }
	other := func(w *Want) { w.Other = true }
	from := func(first, last uint16) func(*Want) {
		return func(w *Want) { w.First, w.Last = first, last }
	}
	for _, c := range []struct {
		name   string
		set    *Set
		want   Want
		random uint32
		port   uint16
		ok     bool
	}{
		{"its own port", fill(1, 0), with(40000), 7, 40000, true},
		{"its own port, even where another is asked for by chance", fill(1, 0), with(40000, parity), 1 << 31, 40000, true},
		{"another one", fill(1, 0), with(40000, other), 0, 1024, true},
		{"a random one", fill(40000, 40000), with(40000), 1 << 31, 1024 + 64512/2, true},
		{"the last one of all", fill(1, 65535, 65535), with(40000), 0, 65535, true},
		{"a low port stays low", fill(1, 100), with(22), 0, 101, true},
		{"a low port becomes a high one when it must", fill(1, 1023), with(22), 0, 1024, true},
		{"a high port never becomes a low one", fill(1024, 65535), with(40000), 0, 0, false},
		{"even stays even", fill(1, 1024), with(1024, parity), 0, 1026, true},
		{"odd stays odd", fill(1025, 1025), with(1025, parity), 0, 1027, true},
		{"odd becomes even when it must", fill(1, 65535, 2000), with(1025, parity), 0, 2000, true},
		{"outside a pool's range", fill(1, 0), with(500, from(2000, 2001)), 0, 2000, true},
		{"a pool's range is full", fill(2000, 2001), with(500, from(2000, 2001)), 99, 0, false},
		{"a pool of low ports for a high one", fill(1, 0), with(5000, from(1, 1000)), 0, 1, true},
		{"an identifier has no class", fill(1024, 65535), Want{Port: 2000, Last: 65535}, 0, 0, true},
	} {
		port, ok := Choose(c.set, c.want, c.random)
		if port != c.port || ok != c.ok {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, port, ok, c.port, c.ok)
		}
	}
}

// Whatever is asked, what is chosen is free, in the range and of the class.
func TestChooseIsFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		for range rapid.IntRange(0, 40).Draw(t, "runs") {
			p := rapid.Uint16().Draw(t, "from")
			for range rapid.IntRange(0, 3000).Draw(t, "run") {
				s.Take(p)
				p++
			}
		}
		w := Want{
			Port: rapid.Uint16().Draw(t, "port"), First: rapid.Uint16().Draw(t, "first"), Last: rapid.Uint16().Draw(t, "last"),
			Classes: rapid.Bool().Draw(t, "classes"), Parity: rapid.Bool().Draw(t, "parity"), Other: rapid.Bool().Draw(t, "other"),
		}
		if w.First > w.Last {
			w.First, w.Last = w.Last, w.First
		}
		port, ok := Choose(&s, w, rapid.Uint32().Draw(t, "random"))
		if ok && (s.Has(port) || port < w.First || port > w.Last || w.Classes && w.Port > 1023 && w.Last > 1023 && port < 1024) {
			t.Fatalf("%+v gives %d, in use %v", w, port, s.Has(port))
		}
		if !ok && !w.Classes && s.Used(w.First, w.Last) != int(w.Last)-int(w.First)+1 {
			t.Fatalf("%+v gives nothing, but only %d are in use", w, s.Used(w.First, w.Last))
		}
	})
}

func BenchmarkChoose(b *testing.B) {
	w := Want{Port: 40000, First: 1, Last: 65535, Classes: true, Parity: true}
	for _, c := range []struct {
		name string
		set  *Set
	}{{"empty", fill(40000, 40000)}, {"nearly full", fill(1, 65535, 50001)}, {"full", fill(1, 65535)}} {
		b.Run(c.name, func(b *testing.B) {
			random := uint32(1)
			for b.Loop() {
				random = random*1664525 + 1013904223
				Choose(c.set, w, random)
			}
		})
	}
}
