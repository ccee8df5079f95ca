package device

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Place is where a port's device is: a namespace, and the names of the devices
// in it that matter to the port, its own and that of its bridge.
type Place struct {
	Netns   string
	Devices []string
}

// How often namespaces are looked at. inotify(7) reports changes in the
// directory of their names, but a name is made before the namespace is mounted
// on it, and a path below /proc has no inotify at all. So after a change the
// watch looks soon, then less and less often, and never stops looking.
const (
	soonestLook = 2 * time.Millisecond
	latestLook  = time.Second
)

// Watch reports that something about a place may have changed: its namespace
// came, went or is another one, or a device that matters there came, went or
// changed. The caller then looks for itself. Its methods may be called from any
// goroutine.
type Watch struct {
	signal chan struct{} // there is something to take
	kick   chan struct{} // look soon
	quit   chan struct{}

	mu      sync.Mutex
	places  map[string][]*watched // by the caller's name of the port
	changed map[string]bool

	// Of the goroutine in run alone.
	spaces  map[string]*space // with devices that matter, by path of the namespace
	hints   *os.File          // inotify; nil where the kernel gives none
	running sync.WaitGroup
}

type watched struct {
	Place
	awaited bool     // its port is not open
	last    Identity // of the namespace, as it was last seen
}

// Held is a place of an open port. Namespace is the identity that its namespace
// had when the port was opened.
type Held struct {
	Place
	Namespace Identity
}

// NewWatch starts a Watch of no places.
func NewWatch() *Watch {
	w := &Watch{
		signal: make(chan struct{}, 1), kick: make(chan struct{}, 1), quit: make(chan struct{}),
		places: map[string][]*watched{}, changed: map[string]bool{}, spaces: map[string]*space{},
	}
	// Without inotify, whose instances are limited for each user, changes are
	// seen by the regular looks.
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		w.hints = os.NewFile(uintptr(fd), "inotify")
		w.running.Go(w.readHints)
	}
	w.running.Go(w.run)
	return w
}

// Close ends the watch.
func (w *Watch) Close() {
	close(w.quit)
	if w.hints != nil {
		w.hints.Close()
	}
	w.running.Wait()
}

// Changed is readable when Take has something to give.
func (w *Watch) Changed() <-chan struct{} { return w.signal }

// Take gives the names of the ports at whose places something has changed since
// the last Take.
func (w *Watch) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.changed))
	for name := range w.changed {
		names = append(names, name)
	}
	clear(w.changed)
	return names
}

// Hold watches the places of an open port. The port follows its own devices
// itself.
func (w *Watch) Hold(name string, places ...Held) {
	var all []*watched
	for _, p := range places {
		all = append(all, &watched{Place: p.Place, last: p.Namespace})
	}
	w.follow(name, all)
}

// Await watches the places of a port that is not open. Calling it again is no
// change.
func (w *Watch) Await(name string, places ...Place) {
	w.mu.Lock()
	at := w.places[name]
	known := len(at) == len(places)
	for i := 0; known && i < len(at); i++ {
		if known = at[i].awaited && at[i].Netns == places[i].Netns; known {
			at[i].Devices = places[i].Devices
		}
	}
	w.mu.Unlock()
	if known {
		return
	}
	var all []*watched
	for _, p := range places {
		all = append(all, &watched{Place: p, awaited: true})
	}
	w.follow(name, all)
}

func (w *Watch) follow(name string, at []*watched) {
	w.mu.Lock()
	w.places[name] = at
	delete(w.changed, name)
	w.mu.Unlock()
	w.soon()
}

// Forget ends watching the places of a port.
func (w *Watch) Forget(name string) {
	w.mu.Lock()
	delete(w.places, name)
	delete(w.changed, name)
	w.mu.Unlock()
}

func (w *Watch) soon() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// run looks at the namespaces until the watch is closed.
func (w *Watch) run() {
	pause := soonestLook
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-w.quit:
			for path := range w.spaces {
				w.leave(path)
			}
			return
		case <-w.kick:
			if pause == soonestLook {
				continue // a flood of hints must not delay the look
			}
			pause = soonestLook
		case <-timer.C:
			w.look()
			pause = min(4*pause, latestLook)
		}
		timer.Reset(pause)
	}
}

// readHints reads inotify's events, each of which makes the watch look soon.
func (w *Watch) readHints() {
	b := make([]byte, 4096)
	for {
		if _, err := w.hints.Read(b); err != nil {
			return // closed
		}
		w.soon()
	}
}

// look compares the namespaces with what they were, and opens and closes the
// sockets that follow devices in them.
func (w *Watch) look() {
	wanted := map[string]bool{} // paths, and whether devices matter there
	w.mu.Lock()
	for _, of := range w.places {
		for _, at := range of {
			wanted[at.Netns] = wanted[at.Netns] || len(at.Devices) > 0
		}
	}
	w.mu.Unlock()
	told := map[string]Identity{} // of those whose identity can be read
	for netns := range wanted {
		now, err := IdentityOf(netns)
		if err == nil || errors.Is(err, ErrMissing) {
			told[netns] = now
			w.ask(netns)
		}
	}
	w.compare(told)
	for netns, now := range told {
		if s := w.spaces[netns]; s != nil && (!wanted[netns] || s.identity != now) {
			w.leave(netns)
		}
		if wanted[netns] && now != (Identity{}) && w.spaces[netns] == nil {
			w.enter(netns)
		}
	}
	for netns := range w.spaces {
		if _, still := wanted[netns]; !still {
			w.leave(netns)
		}
	}
}

// ask has inotify watch the directory that a namespace's name is in. Asking
// again changes nothing, and finds a directory that was made meanwhile.
func (w *Watch) ask(netns string) {
	dir := filepath.Dir(NamespacePath(netns))
	if w.hints == nil || netns == "" || strings.HasPrefix(dir, "/proc/") {
		return
	}
	raw, err := w.hints.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_, _ = unix.InotifyAddWatch(int(fd), dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	})
}

// compare records what the namespaces are now, and marks the ports of those that
// have changed.
func (w *Watch) compare(told map[string]Identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, of := range w.places {
		for _, at := range of {
			if now, can := told[at.Netns]; can && at.last != now {
				at.last = now
				w.markChanged(name)
			}
		}
	}
}

// markChanged reports a port whose place has changed. The caller holds the mutex.
func (w *Watch) markChanged(name string) {
	w.changed[name] = true
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// markWatchers marks the ports to which the device in the namespace matters; with
// "" those to which any device there does.
func (w *Watch) markWatchers(netns, device string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, of := range w.places {
		for _, at := range of {
			if at.Netns == netns && len(at.Devices) > 0 && (device == "" || slices.Contains(at.Devices, device)) {
				w.markChanged(name)
			}
		}
	}
}

// space is a namespace with devices that matter.
type space struct {
	identity  Identity
	updates   *nl.NetlinkSocket
	listening sync.WaitGroup
}

// enter follows the devices of a namespace. It marks the places there, since a
// device may have come just before.
func (w *Watch) enter(netns string) {
	s := &space{}
	err := InNamespace(netns, func() (err error) {
		// The identity is read inside: the name may belong to another namespace
		// by now.
		if s.identity, err = IdentityOf(""); err == nil {
			s.updates, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
		}
		return err
	})
	if err != nil {
		return // the next look tries again
	}
	w.spaces[netns] = s
	s.listening.Go(func() { w.listen(netns, s.updates) })
	w.markWatchers(netns, "")
}

func (w *Watch) leave(netns string) {
	s := w.spaces[netns]
	delete(w.spaces, netns)
	s.updates.Close()
	s.listening.Wait()
}

// listen marks places as the kernel reports changes of their devices, until the
// socket is closed.
func (w *Watch) listen(netns string, updates *nl.NetlinkSocket) {
	for {
		messages, from, err := updates.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // messages were lost
			w.markWatchers(netns, "")
			continue
		case err != nil:
			return
		case from.Pid != nl.PidKernel:
			continue
		}
		for i := range messages {
			if name := deviceOf(messages[i].Data); name != "" {
				w.markWatchers(netns, name)
			}
		}
	}
}

// deviceOf gives the name of the device in a message about a link.
func deviceOf(data []byte) string {
	if len(data) < unix.SizeofIfInfomsg {
		return ""
	}
	attributes, err := nl.ParseRouteAttr(data[unix.SizeofIfInfomsg:])
	if err != nil {
		return ""
	}
	for _, a := range attributes {
		if a.Attr.Type == unix.IFLA_IFNAME {
			return nl.BytesToString(a.Value)
		}
	}
	return ""
}
