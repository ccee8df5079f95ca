//go:build !race

package sim

// How many random networks a plain run of the tests tries; make seeds tries 1,000 of each.
const (
	quickRIPSeeds  = 200
	quickBGPSeeds  = 50
	quickOSPFSeeds = 100
)
