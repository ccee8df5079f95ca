//go:build race

package sim

// What the race detector, some ten times slower, gets of them: each network is one
// goroutine's, so what it can find is in any.
const (
	quickRIPSeeds  = 10
	quickBGPSeeds  = 2
	quickOSPFSeeds = 4
)
