// Package daemon runs one router on real ports and files: it starts it,
// reloads it, shows it and stops it.
//
// One goroutine, the loop, owns everything: the configuration, the router,
// the list of open ports. Workers carry packets beside it and share nothing
// with it but the View that the router publishes; whoever else wants
// something (the API, a signal, a port's event) sends the loop a message.
//
//	signal ----+
//	port event +--> loop --> router --> View --> workers
//	API -------+      |
//	                  +--> ports, listeners, undo list
//
// A reload is read, planned, prepared and committed, one at a time. Reading and
// checking the file, comparing it with what runs, and all that can fail (ports
// and listeners that are new are opened, those that stay are asked whether they
// can change) happen beside the loop, which goes on answering; it only plans and
// commits. If anything fails, what was opened is closed, and nothing else was
// touched. The commit swaps, and changes the kernel's side of ports that stay:
// what differs, and nothing else. What whoever rules a host's namespace has
// undone or does not let be is told to the log once, shown, and put back when it
// can be; it keeps no reload from anything.
//
// An interface whose device, namespace or bridge is not there does not keep the
// others from anything (absent.go): the router starts and reloads without it,
// tries it again when the watch of dataplane/port/device sees something change,
// and says once that it went and once that it serves again. A port whose device
// goes is closed at once, with all that it holds by name. What is there and
// cannot be taken is refused at a start and in a reload that asks for it, and
// waited for where it served before.
//
// What has to be undone when the router goes stands in one list, which is
// also a file: the next start of the same name undoes what a killed process
// left. It holds what was made here, known by its inode where it has a name, so
// that nothing of anybody else's is removed; what cannot be undone, or read, stays
// in it. A lock on another file, which the kernel drops with the process,
// tells leftovers from a living router. What its holder has written in it says
// whether it is about to stop, which a start waits for, and which IPv6 addresses
// it used a moment ago (witness.go), which the next one goes on using.
package daemon
