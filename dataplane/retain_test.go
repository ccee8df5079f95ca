package dataplane

import (
	"runtime"
	"testing"

	"routerd/routing/fib"
)

// A worker that waits for packets keeps no table in memory that is forwarded by no
// longer: with a million routes that is a hundred megabytes, for days.
func TestIdleBatchKeepsNoTable(t *testing.T) {
	l := loads(t)["UDP4/many-flows"]
	gone := make(chan struct{})
	func() {
		published := l.view.Tables[0]
		now, next := *published.FIB, *published.FIB // nobody else has either of them
		runtime.SetFinalizer(&now, func(*fib.FIB) { close(gone) })
		published.FIB = &now
		l.run()
		published.FIB = &next
	}()
	for range 10 {
		runtime.GC()
		select {
		case <-gone:
			runtime.KeepAlive(l)
			return
		default:
			runtime.Gosched()
		}
	}
	t.Error("the table before is still kept by a batch that has no packet")
	runtime.KeepAlive(l)
}
