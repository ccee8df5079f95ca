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
// A reload is Prepare and Commit. Prepare does all that can fail: it reads
// and checks the file, opens the ports and listeners that are new and changes
// the kernel's side of those that stay. If anything fails, what was opened is
// closed and what was changed is changed back. Commit only swaps.
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
// left. A lock on another file, which the kernel drops with the process,
// tells leftovers from a living router. What its holder has written in it says
// whether it is about to stop, which a start waits for, and which IPv6 addresses
// it used a moment ago (witness.go), which the next one goes on using.
package daemon
