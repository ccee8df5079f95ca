package daemon

import (
	"errors"
	"sync"
)

// closersAtOnce is how many ports are closed at the same time. The kernel takes
// some 20 ms to remove a device or socket, since it waits for every processor,
// but hardly more for many at once. Each close waits in a thread.
const closersAtOnce = 64

// closePorts closes ports at the same time, and returns once all are closed.
func closePorts(ports []*openPort) error {
	errs := make([]error, len(ports))
	next := make(chan int)
	var closers sync.WaitGroup
	for range min(closersAtOnce, len(ports)) {
		closers.Go(func() {
			for i := range next {
				errs[i] = ports[i].close()
			}
		})
	}
	for i := range ports {
		next <- i
	}
	close(next)
	closers.Wait()
	return errors.Join(errs...)
}
