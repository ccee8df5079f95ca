package daemon

import (
	"errors"
	"sync"
)

// closersAtOnce is how many ports are closed at the same time. The kernel
// waits for every processor before a device or a socket is really gone, some
// 20 ms each, and does so for many at once in hardly more time. Each waits in a
// thread.
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
