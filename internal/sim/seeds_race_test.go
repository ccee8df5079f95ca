//go:build race

package sim

// quickSeeds is what the race detector, some ten times slower, gets of them.
const quickSeeds = 40
