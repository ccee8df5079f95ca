package flow

import (
	"math/bits"
	"testing"

	"routerd/internal/siphash"
)

// cost walks the index as FindHashed does for a key that has no session, and
// counts what it looks at.
func cost(x *index, hash uint64) (buckets, records int) {
	for at := x.bucket(hash); ; at++ {
		bucket := x.at(at)
		buckets++
		records += same(bucket, tag(hash))
		if bucket[1] < overflow || uint64(buckets) == x.most.Load() {
			return buckets, records
		}
	}
}

// An attacker that knows the key of the hash and fills one bucket, or a row of
// them, makes no lookup cost more than the bound, and shuts no one else out.
func TestIndexBoundsACollision(t *testing.T) {
	tab := New(Config{MaxSessions: 1 << 12, Key: siphash.Key{1, 2}})
	x := tab.index.Load()
	const place = 500 // the bucket that is attacked
	for _, c := range []struct {
		name    string
		buckets uint64 // in a row
		alike   bool   // of one tag
		wanted  int    // keys to try
	}{
		{"one bucket", 1, false, 800},
		{"neighbouring buckets", 20, false, 2000},
		{"buckets and tag", 20, true, 600},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, refused := 0, 0
			k := Key{Src: host(1), Dst: server, DstPort: 80, Proto: protoUDP}
			for n := 0; made+refused < c.wanted; n++ {
				if n == 1<<28 {
					t.Fatal("no colliding keys are found")
				}
				k.Src, k.SrcPort = host(n>>16), uint16(n)
				h := tab.Hash(&k)
				if b := x.bucket(h); b < place || b >= place+c.buckets || c.alike && tag(h) != 7 {
					continue
				}
				reply := Key{Src: server, Dst: outside + uint32(n>>16), SrcPort: 80, DstPort: uint16(n), Proto: protoUDP}
				switch _, why := tab.Insert(k, reply, 1, 0, k.Src, nil, 0); why {
				case Accepted:
					made++
				case Crowded:
					refused++
				default:
					t.Fatalf("key %d: %v", n, why)
				}
				if tab.Find(k).Session == NoSession != (tab.Find(reply).Session == NoSession) {
					t.Fatalf("key %d is found by one of its two keys alone", n)
				}
			}
			if made == 0 {
				t.Error("not one session is made")
			}
			longest, most := 0, 0
			for b := range x.n {
				hi := b<<(64-bits.Len64(x.n-1)) | 7
				if x.bucket(hi) != b {
					hi += 1 << (64 - bits.Len64(x.n-1))
				}
				buckets, records := cost(x, hi)
				longest, most = max(longest, buckets), max(most, records)
			}
			t.Logf("%d sessions made, %d refused; a lookup looks at %d buckets and %d records at most", made, refused, longest, most)
			if longest > mostPassed || most > mostPassed*(mostAlike+1) {
				t.Errorf("a lookup looks at %d buckets and %d records; want %d and %d at most", longest, most, mostPassed, mostPassed*(mostAlike+1))
			}
			forward, reply := keys(protoUDP, 77, 77, 77)
			mustInsert(t, tab, forward, reply, host(77), nil, 0)
			tab.Clear(func(*Session) bool { return true }, nil)
			if got := tab.Stats(); got.Crowded == 0 || got.Sessions != 0 {
				t.Errorf("after the attack: %+v; want refusals as crowded, and no session", got)
			}
			for i, w := range x.words {
				if i%bucketWords < 2 && w != 0 {
					t.Fatalf("bucket %d of the empty table is not empty", i/bucketWords)
				}
			}
		})
	}
}
