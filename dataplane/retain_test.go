package dataplane

import (
	"runtime"
	"testing"

	"routerd/routing/fib"
)

// A worker that waits for packets keeps neither a View nor a table that packets
// are forwarded by no longer: with a million routes that is a hundred megabytes,
// for as long as nobody sends.
func TestIdleBatchKeepsNothing(t *testing.T) {
	l := loads(t)["UDP4/many-flows"]
	view, table := make(chan struct{}), make(chan struct{})
	func() {
		before := l.view
		now, forwarded := *before, *before.Tables[0]
		runtime.SetFinalizer(&now, func(*View) { close(view) })
		f := *forwarded.FIB
		runtime.SetFinalizer(&f, func(*fib.FIB) { close(table) })
		forwarded.FIB = &f
		now.Tables = []*Table{&forwarded}
		l.view = &now
		l.run()
		l.view = before // as if it were published next
	}()
	for what, gone := range map[string]chan struct{}{"View": view, "table": table} {
		collected := false
		for range 20 {
			runtime.GC()
			runtime.Gosched()
			select {
			case <-gone:
				collected = true
			default:
			}
			if collected {
				break
			}
		}
		if !collected {
			t.Errorf("the %s before is still kept by a batch that has no packet", what)
		}
	}
	runtime.KeepAlive(l)
}
