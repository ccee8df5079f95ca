package ospf

import (
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

func TestCompare(t *testing.T) {
	head := func(sequence int32, checksum, age uint16) wire.Header {
		return wire.Header{Sequence: sequence, Checksum: checksum, Age: age}
	}
	for _, tt := range []struct {
		name string
		a, b wire.Header
		want int
	}{
		{"the sequence number is signed", head(1, 0, 0), head(-1, 0xffff, 0), 1},
		{"first and last", head(wire.InitialSequence, 0xffff, wire.MaxAge), head(wire.MaxSequence, 0, 0), -1},
		{"the greater checksum", head(5, 0x8000, 9), head(5, 0x7fff, wire.MaxAge), 1},
		{"MaxAge", head(5, 7, wire.MaxAge), head(5, 7, wire.MaxAge-1), 1},
		{"MaxAge of both", head(5, 7, wire.MaxAge), head(5, 7, wire.MaxAge), 0},
		{"above MaxAge is MaxAge", head(5, 7, 0x8001), head(5, 7, wire.MaxAge), 0},
		{"MaxAgeDiff apart", head(5, 7, 0), head(5, 7, 900), 0},
		{"more than MaxAgeDiff apart: the younger", head(5, 7, 0), head(5, 7, 901), 1},
	} {
		if got := Compare(&tt.a, &tt.b); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		if got := Compare(&tt.b, &tt.a); got != -tt.want {
			t.Errorf("%s, exchanged: %d, want %d", tt.name, got, -tt.want)
		}
	}
}

// Two routers that compare the same two instances never both take the other's.
func TestCompareIsOfOneMind(t *testing.T) {
	header := rapid.Custom(func(t *rapid.T) wire.Header {
		return wire.Header{
			Sequence: rapid.Int32Range(-2, 2).Draw(t, "sequence"),
			Checksum: rapid.Uint16Range(1, 2).Draw(t, "checksum"),
			Age:      rapid.OneOf(rapid.Uint16Range(0, 3600), rapid.SampledFrom([]uint16{3599, 3600, 3601})).Draw(t, "age"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := header.Draw(t, "a"), header.Draw(t, "b")
		if x, y := Compare(&a, &b), Compare(&b, &a); x != -y {
			t.Fatalf("%d and %d", x, y)
		}
		if Compare(&a, &a) != 0 {
			t.Fatal("newer than itself")
		}
	})
}
