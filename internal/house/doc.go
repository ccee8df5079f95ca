// Package house holds the rules of the house as tests, and nothing else:
// which room may import which, what third-party code each may use, how long
// files and functions may grow, and what no file may say.
package house
