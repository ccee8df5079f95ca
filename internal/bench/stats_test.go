package bench

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSpread(t *testing.T) {
	tests := []struct {
		name    string
		samples []float64
		want    Spread
	}{
		{"nothing", nil, Spread{}},
		{"one", []float64{3}, Spread{N: 1, Min: 3, Q1: 3, Median: 3, Q3: 3, Max: 3}},
		{"two", []float64{4, 2}, Spread{N: 2, Min: 2, Q1: 2.5, Median: 3, Q3: 3.5, Max: 4}},
		{"odd", []float64{5, 1, 4, 2, 3}, Spread{N: 5, Min: 1, Q1: 2, Median: 3, Q3: 4, Max: 5}},
		{"even, one far out", []float64{1, 100, 2, 3}, Spread{N: 4, Min: 1, Q1: 1.75, Median: 2.5, Q3: 27.25, Max: 100}},
		{"equal", []float64{7, 7, 7}, Spread{N: 3, Min: 7, Q1: 7, Median: 7, Q3: 7, Max: 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.samples)
			if diff := cmp.Diff(tt.want, SpreadOf(tt.samples)); diff != "" {
				t.Errorf("SpreadOf(%v): -want +got\n%s", tt.samples, diff)
			}
			if !slices.Equal(before, tt.samples) {
				t.Errorf("SpreadOf changed its samples to %v", tt.samples)
			}
		})
	}
}

// Half of the samples lie on either side of the median, a quarter outside
// each quartile, whatever the samples are.
func TestSpreadDividesSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Float64Range(-1e9, 1e9), 1, 50).Draw(t, "samples")
		s := SpreadOf(samples)
		if !slices.IsSorted([]float64{s.Min, s.Q1, s.Median, s.Q3, s.Max}) {
			t.Fatalf("not in order: %+v", s)
		}
		for p, q := range map[float64]float64{0.25: s.Q1, 0.5: s.Median, 0.75: s.Q3} {
			below, above := 0, 0
			for _, x := range samples {
				if x < q {
					below++
				}
				if x > q {
					above++
				}
			}
			n := float64(len(samples))
			if float64(below) > math.Ceil(p*n) || float64(above) > math.Ceil((1-p)*n) {
				t.Fatalf("quantile %g = %g of %v: %d below, %d above", p, q, samples, below, above)
			}
		}
	})
}
