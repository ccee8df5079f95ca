package wire

import "testing"

func BenchmarkDecode(b *testing.B) {
	raw := body(b, "", base+"800404 00000064 c00810 fde80001 fde80002 fde80003 fde80004", prefix+prefix+prefix+prefix+prefix)
	var u Update
	var set Set
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			DecodeUpdate(raw, &external, &u)
		}
	})
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			set = u.AppendSet(set[:0], &u.Reach[0])
		}
	})
	b.Run("read", func(b *testing.B) {
		var a Attributes
		for b.Loop() {
			set.Read(&a)
		}
	})
	b.Run("prefixes", func(b *testing.B) {
		n := 0
		for b.Loop() {
			for _, p := range u.Reach[0].All {
				n += p.Bits()
			}
		}
	})
}
