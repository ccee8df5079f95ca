package fib

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/gaissmai/bart"
	"golang.org/x/sys/unix"
)

// The benchmarks of this file measure the table beside bart.Fast, in turn within
// one run, and report medians and the ratio of the two. Both hold the public
// table over 64 next hops.

// pair is the two tables, of one family.
type pair struct {
	changes []Change
	own     *FIB
	bart    *bart.Fast[*Entry]
}

func newPair(tb testing.TB, six bool) *pair {
	p := &pair{bart: new(bart.Fast[*Entry])}
	for _, c := range publicTable(tb) {
		if c.Prefix.Addr().Is6() == six {
			p.changes = append(p.changes, c)
		}
	}
	p.own = Empty().Apply(p.changes)
	for _, c := range p.changes {
		p.bart.Insert(c.Prefix, c.Entry)
	}
	return p
}

// versus measures own and other in turn, each doing the same number of things,
// and reports what one takes.
func versus(b *testing.B, things int, own, other func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ours, theirs []time.Duration
	for b.Loop() {
		start := spent(b)
		own()
		middle := spent(b)
		other()
		ours, theirs = append(ours, middle-start), append(theirs, spent(b)-middle)
	}
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)/2].Nanoseconds()) / float64(things)
	}
	b.ReportMetric(median(ours), "fib-ns")
	b.ReportMetric(median(theirs), "bart-ns")
	b.ReportMetric(median(ours)/median(theirs), "ratio")
	b.ReportMetric(0, "ns/op")
}

// spent is the processor time of this thread, so that what else the machine is
// busy with counts as little as can be.
func spent(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// anywhere gives addresses spread evenly over the family.
func anywhere(six bool) []netip.Addr {
	out := make([]netip.Addr, 1<<20)
	for i := range out {
		x, y := mix(uint64(i)), mix(uint64(i)+1<<32)
		if !six {
			out[i] = netip.AddrFrom4([4]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)})
			continue
		}
		var a [16]byte
		for j := range 8 {
			a[j], a[8+j] = byte(x>>(8*j)), byte(y>>(8*j))
		}
		a[0] = a[0]&0x1f | 0x20 // 2000::/3, which is what is given out
		out[i] = netip.AddrFrom16(a)
	}
	return out
}

func BenchmarkFind(b *testing.B) {
	for _, six := range []bool{false, true} {
		p := newPair(b, six)
		name := "IPv4"
		if six {
			name = "IPv6"
		}
		for kind, addrs := range map[string][]netip.Addr{"anywhere": anywhere(six), "inside": hits(p.changes)} {
			runtime.GC()
			b.Run(name+"/"+kind, func(b *testing.B) {
				var q Query
				bytes := make([][]byte, len(addrs))
				for i, a := range addrs {
					bytes[i] = a.AsSlice()
				}
				flat := slices.Concat(bytes...) // as they lie in packets, one behind the other
				size := len(bytes[0])
				i, j := 0, 0
				const rounds = 1 << 16 / lanes
				// What is found is kept: to branch on it would be foreseen wrongly as
				// often as not.
				versus(b, rounds*lanes, func() {
					var ways [lanes]*Way
					for range rounds {
						q.Reset()
						for k := range lanes {
							if six {
								q.Add6(flat[(i+k)*size:])
							} else {
								q.Add4(flat[(i+k)*size:])
							}
						}
						p.own.Find(&q)
						for k := range ways {
							ways[k] = q.Way(k)
						}
						i = (i + lanes) % len(addrs)
					}
					runtime.KeepAlive(&ways)
				}, func() {
					var entries [lanes]*Entry
					for range rounds {
						for k := range entries {
							entries[k], _ = p.bart.Lookup(addrs[j+k])
						}
						j = (j + lanes) % len(addrs)
					}
					runtime.KeepAlive(&entries)
				})
			})
		}
	}
}

// BenchmarkFindFew looks up in a table as of a small router.
func BenchmarkFindFew(b *testing.B) {
	var ch []Change
	t := new(bart.Fast[*Entry])
	for _, s := range []string{"10.0.1.0/24", "10.0.1.1/32", "10.0.1.255/32", "10.0.2.0/24", "10.0.2.1/32", "10.0.2.255/32", "10.9.0.0/16", "10.20.0.0/16", "0.0.0.0/0", "2001:db8:1::/64", "2001:db8:1::1/128", "2001:db8:2::/64", "2001:db8:2::1/128"} {
		p := netip.MustParsePrefix(s)
		e := &Entry{Prefix: p, Group: someGroups[len(ch)%3]}
		ch = append(ch, Change{p, e})
		t.Insert(p, e)
	}
	f := Empty().Apply(ch)
	for _, pair := range [][2]string{{"10.0.2.2", "10.0.2.3"}, {"10.9.0.1", "10.9.0.2"}, {"203.0.113.7", "203.0.113.8"}, {"2001:db8:2::2", "2001:db8:2::3"}} {
		var addrs [2]netip.Addr // in turn, so that each is looked up
		var raw [2][]byte
		for i, a := range pair {
			addrs[i] = netip.MustParseAddr(a)
			raw[i] = addrs[i].AsSlice()
		}
		b.Run(pair[0], func(b *testing.B) {
			var q Query
			versus(b, 100*lanes, func() {
				var ways [lanes]*Way
				for range 100 {
					q.Reset()
					for k := range lanes {
						if b := raw[k&1]; len(b) == 4 {
							q.Add4(b)
						} else {
							q.Add6(b)
						}
					}
					f.Find(&q)
					for k := range ways {
						ways[k] = q.Way(k)
					}
				}
				runtime.KeepAlive(&ways)
			}, func() {
				var entries [lanes]*Entry
				for range 100 {
					for k := range entries {
						entries[k], _ = t.Lookup(addrs[k&1])
					}
				}
				runtime.KeepAlive(&entries)
			})
		})
	}
}

func BenchmarkChanges(b *testing.B) {
	for _, six := range []bool{false, true} {
		p := newPair(b, six)
		name := "IPv4"
		if six {
			name = "IPv6"
		}
		other := make([]Change, len(p.changes)) // the same prefixes the next hop after
		for i, c := range p.changes {
			e := *c.Entry
			e.Group = p.changes[(i+1)%len(p.changes)].Entry.Group
			other[i] = Change{c.Prefix, &e}
		}
		i, j := 0, 0
		next := func(at *int, n int) []Change {
			*at++
			k := int(mix(uint64(*at)) % uint64(len(other)-n))
			return other[k : k+n]
		}
		w := NewWriter(p.own)
		apply := func(changes []Change) {
			w.Apply(changes)
			w.Publish()
		}
		one := func() { c := next(&j, 1)[0]; p.bart.InsertPersist(c.Prefix, c.Entry) }
		b.Run(name+"/one", func(b *testing.B) {
			versus(b, 64, func() {
				for range 64 {
					apply(next(&i, 1))
				}
			}, func() {
				for range 64 {
					one()
				}
			})
		})
		b.Run(name+"/thousand", func(b *testing.B) {
			versus(b, 1000, func() { apply(next(&i, 1000)) }, func() {
				for range 1000 {
					one()
				}
			})
		})
		scattered := make([]Change, 1000)
		b.Run(name+"/thousand-scattered", func(b *testing.B) {
			for k := range scattered {
				scattered[k] = next(&i, 1)[0]
			}
			versus(b, 1000, func() { apply(scattered) }, func() {
				for range 1000 {
					one()
				}
			})
		})
		load := func(changes []Change) func(*testing.B) {
			return func(b *testing.B) {
				versus(b, len(changes), func() { Empty().Apply(changes) }, func() {
					t := new(bart.Fast[*Entry])
					for _, c := range changes {
						t.Insert(c.Prefix, c.Entry)
					}
				})
			}
		}
		b.Run(name+"/all", load(p.changes))
		b.Run(name+"/all-shuffled", load(shuffled(p.changes)))
	}
}

func shuffled(changes []Change) []Change {
	out := slices.Clone(changes)
	for i := range out {
		j := mix(uint64(i)+7) % uint64(i+1)
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// BenchmarkSize reports the memory of a table with the public routes: what
// lookups read, and all of it without the entries.
func BenchmarkSize(b *testing.B) {
	for _, six := range []bool{false, true} {
		p := newPair(b, six)
		p.own = nil
		name := "IPv4"
		if six {
			name = "IPv6"
		}
		b.Run(name, func(b *testing.B) {
			const mib = 1 << 20
			var f *FIB
			var t *bart.Fast[*Entry]
			for b.Loop() {
				f, t = nil, nil
				empty := live()
				f = Empty().Apply(p.changes)
				own := live()
				t = new(bart.Fast[*Entry])
				for _, c := range p.changes {
					t.Insert(c.Prefix, c.Entry)
				}
				b.ReportMetric(float64(live()-own)/mib, "bart-MiB")
				b.ReportMetric(float64(own-empty)/mib, "fib-MiB")
				b.ReportMetric(float64(f.hot())/mib, "read-MiB")
			}
			runtime.KeepAlive(f)
			runtime.KeepAlive(t)
			b.ReportMetric(0, "ns/op")
		})
	}
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// hot is the bytes that lookups read.
func (f *FIB) hot() int {
	n := 0
	seen := map[*quarter]bool{}
	seen6 := map[*quarter6]bool{}
	var block func(words []uint64, links []link)
	block = func(words []uint64, links []link) {
		n += 8*len(words) + int(unsafe.Sizeof(link{}))*len(links)
		for _, l := range links {
			if l.block != nil {
				n += int(unsafe.Sizeof(*l.block))
				block(l.words, l.links)
			}
		}
	}
	var behind func(s *spread)
	behind = func(s *spread) {
		switch {
		case s.fan != nil:
			n += int(unsafe.Sizeof(*s.fan))
			for i := range s.fan.to {
				behind(&s.fan.to[i])
			}
			return
		case s.page != nil:
			n += int(unsafe.Sizeof(*s.page))
		}
		s.each(func(l *line) {
			n += int(unsafe.Sizeof(*l))
			if l.below != nil {
				block(nil, l.below[:])
			}
		})
	}
	doors6 := func(d *doors6) {
		if d != noDoors6 {
			n += int(unsafe.Sizeof(*d))
			for _, q := range d.to {
				if !seen6[q] {
					seen6[q] = true
					n += int(unsafe.Sizeof(*q))
					if len(q.links) > 1 {
						n += int(unsafe.Sizeof(link6{})) * len(q.links)
					}
					for i := range q.links {
						behind(&q.links[i].spread)
					}
				}
			}
		}
	}
	doors := func(d *doors) {
		if d != noDoors {
			n += int(unsafe.Sizeof(*d))
			for _, q := range d.to {
				if !seen[q] {
					seen[q] = true
					n += int(unsafe.Sizeof(*q))
				}
			}
			if d.links != nil {
				n += int(unsafe.Sizeof(*d.links))
				for _, l := range d.links {
					block(nil, l)
				}
			}
		}
	}
	for _, p := range f.pairs {
		if p != &noShort {
			n += int(unsafe.Sizeof(*p))
		}
	}
	for i := range 256 {
		part := f.four[i>>4][i&15]
		n += int(unsafe.Sizeof(*part))
		for _, d := range part.to {
			doors(d)
		}
	}
	for i := range 256 {
		part := f.six[i>>4][i&15]
		n += int(unsafe.Sizeof(*part))
		for _, a := range part.to {
			if a == noArea {
				continue
			}
			n += int(unsafe.Sizeof(*a))
			for _, s := range a {
				if s == noSites {
					continue
				}
				n += int(unsafe.Sizeof(*s))
				for _, d := range s.to {
					doors6(d)
				}
			}
		}
	}
	return n
}
