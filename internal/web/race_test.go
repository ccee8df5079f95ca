//go:build race

package web_test

// raceEnabled: the tests are built with the race detector.
const raceEnabled = true
