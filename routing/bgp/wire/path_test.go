package wire

import "testing"

// A sequence is the path that comes of its numbers put before one another.
func TestAppendSequence(t *testing.T) {
	for _, n := range []int{0, 1, 254, 255, 256, 510, 511, 600} {
		var numbers []uint32
		var want Path
		for i := range n {
			want = want.AppendPrepended(nil, uint32(1+i), 1)
			numbers = append([]uint32{uint32(1 + i)}, numbers...)
		}
		if got := Path(AppendSequence(nil, numbers)); string(got) != string(want) {
			t.Errorf("%d numbers: %v, want %v", n, got, want)
		}
	}
}
