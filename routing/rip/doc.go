// Package rip speaks RIP version 2 (RFC 2453) and RIPng (RFC 2080): one
// [Machine], a protocol core as a value, for both.
package rip
