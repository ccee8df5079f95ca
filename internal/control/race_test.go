//go:build race

package control

// raceEnabled: the tests are built with the race detector.
const raceEnabled = true
