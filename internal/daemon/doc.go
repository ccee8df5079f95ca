// Package daemon runs one router on real ports and files: it starts it,
// reloads it, shows it and stops it.
//
// One goroutine, the loop, owns everything: the configuration, the router, the
// list of open ports. Workers forward packets beside it and share nothing with
// it but the View that the router publishes; everybody else (the API, a signal,
// a port's event) sends the loop a message.
//
//	signal ----+
//	port event +--> loop --> router --> View --> workers
//	API -------+      |
//	                  +--> ports, listeners, undo list
//
// A reload is read, planned, prepared and committed, one at a time. Reading and
// checking the file, comparing it with what runs, and all that can fail (ports
// and listeners that are new are opened, those that stay are asked whether they
// can change) happen beside the loop, which goes on answering; the loop only
// plans and commits. If anything fails, what was opened is closed, and nothing
// else was touched. The commit swaps, and changes what differs of the kernel's
// side of ports that stay. If somebody in a host's namespace has removed
// addresses or routes, or does not allow them, that is logged once, shown, and
// restored when possible; it does not make a reload fail.
//
// An interface whose device, namespace or bridge does not exist does not affect
// the others (absent.go): the router starts and reloads without it, tries it
// again when the watch of dataplane/port/device sees a change, and logs once
// that it went and once that it works again. A port whose device goes is closed
// at once, with all that it holds by name. A device that exists but cannot be
// used makes a start, or the reload that adds it, fail; an interface that
// worked before waits for its device.
//
// The kernel carries flows between packet ports (carry.go). What it needs is made when the
// first port is opened that can do with it; a port that cannot have it works without, and
// says why. Nothing of it outlives the process.
//
// What has to be undone when the router ends is in one list, which is also a
// file: the next start with the same name undoes what a killed process left. It
// holds what was made here, identified by its inode if it has a name, so that
// nothing of anybody else's is removed; what cannot be undone, or read, stays
// in it. A lock on another file, which the kernel drops with the process, tells
// leftovers from a living router. The record in that file says whether its
// holder is about to stop, which a start waits for, and which IPv6 addresses it
// used a moment ago (witness.go), which the next one goes on using.
package daemon
