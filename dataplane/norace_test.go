//go:build !race

package dataplane

// raceEnabled: the tests are built with the race detector.
const raceEnabled = false
