//go:build race

package lab

// raceEnabled: the tests are built with the race detector.
const raceEnabled = true
