package flow

import (
	"math/rand/v2"
	"testing"

	"routerd/internal/siphash"
)

// A full table has buckets that pass entries on to their neighbours. All are
// found whatever else goes, and what is left at the end is empty.
func TestIndexOverflows(t *testing.T) {
	const n = 1000
	overflowed := 0
	for seed := range uint64(20) {
		tab := New(Config{MaxSessions: n, Key: siphash.Key{seed}})
		x := tab.index.Load()
		for i := range n {
			forward, reply := keys(protoUDP, i, uint16(i), uint16(i))
			mustInsert(t, tab, forward, reply, host(i), nil, 0)
		}
		for at := range x.n {
			if x.words[at*bucketWords+1] >= overflow {
				overflowed++
			}
		}
		order := rand.New(rand.NewPCG(seed, 0)).Perm(n)
		for j, i := range order {
			forward, reply := keys(protoUDP, i, uint16(i), uint16(i))
			hit := tab.Find(reply)
			if hit.Session == NoSession || tab.Find(forward).Session != hit.Session {
				t.Fatalf("seed %d: after %d were deleted %v is found as %+v", seed, j, reply, hit)
			}
			tab.Delete(hit.Session, nil)
		}
		for at := range x.n {
			if b := x.words[at*bucketWords:]; b[0] != 0 || b[1] != 0 {
				t.Fatalf("seed %d: bucket %d of the empty table is %x", seed, at, b[:bucketWords])
			}
		}
	}
	if overflowed == 0 {
		t.Error("no bucket has passed anything on: the test has shown nothing")
	}
	t.Logf("%d of %d buckets passed entries on", overflowed, 20*(n/bucketSessions+1))
}

// Touch goes wherever the tags lead it, and nowhere beyond.
func TestTouch(t *testing.T) {
	tab := New(Config{MaxSessions: 8})
	for i := range 8 {
		forward, reply := keys(protoUDP, i, uint16(i), uint16(i))
		mustInsert(t, tab, forward, reply, host(i), nil, 0)
	}
	hashes := make([]uint64, 1000)
	for i := range hashes {
		hashes[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	for n := range hashes {
		tab.Touch(hashes[:n])
	}
}

// Tags that SWAR compares, against a loop over their bytes.
func TestMatches(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		tags, tag := random.Uint64()&0x0303030303030303, 1+random.Uint64N(3)
		got := matches(tags, tag)
		first := true
		for i := range 8 {
			is := tags>>(8*i)&0xff == tag
			marked := got>>(8*i+7)&1 != 0
			// Above a match there may be marks in vain, but a match is never
			// left out, and the lowest mark is one.
			if is && !marked || first && marked && !is {
				t.Fatalf("tags %016x, tag %d: marks %016x, wrong at byte %d", tags, tag, got, i)
			}
			first = first && !marked
		}
	}
}
