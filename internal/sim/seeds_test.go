//go:build !race

package sim

// quickSeeds is how many random networks a plain run of the tests tries.
const quickSeeds = 1000
