// Package porttest is what the tests of all kinds of port share: the kernel's
// side of a port (namespace.go), frames and packets (frame.go), and the
// promises of port.Queue about waiting, each tried on whatever port it is
// given (wait.go, worker.go). For tests only.
package porttest
