package localstack

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"routerd/routing/protocol"
)

// While a protocol works through what has come by a connection, the next block is read, and
// no more; what it is given then is whole and in order.
func TestStreamsReadAhead(t *testing.T) {
	p := newPair(t)
	type heard struct {
		id      protocol.StreamID
		data    []byte
		stepped func()
	}
	reads := make(chan heard, 100)
	p.client = p.streams.For(func(ctx context.Context, in protocol.Input, stepped func()) error {
		if r, ok := in.(protocol.Read); ok {
			reads <- heard{r.ID, r.Data, stepped}
			return nil
		}
		return p.hear(ctx, in, stepped)
	})
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	const size = 2 << 20
	octet := func(at int) byte { return byte(at ^ at>>8 ^ at>>16) }
	all := make([]byte, size)
	for i := range all {
		all[i] = octet(i)
	}
	var ids [2]protocol.StreamID
	for i := range ids {
		var end net.Conn
		ids[i], end = p.accepted2(l, "10.7.0.1:179", 0)
		go end.Write(all)
	}
	waiting := map[protocol.StreamID][]heard{}
	wait := func(what string) (h heard) {
		t.Helper()
		select {
		case h = <-reads:
			waiting[h.id] = append(waiting[h.id], h)
			if n := len(waiting[h.id]); n > readAhead {
				t.Fatalf("%d blocks of a connection wait, want no more than %d", n, readAhead)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("waiting for %s: there are %d and %d blocks of the two connections", what, len(waiting[ids[0]]), len(waiting[ids[1]]))
		}
		return h
	}
	for range len(ids) * readAhead {
		wait("all that is read while the protocol processes nothing")
	}
	got := map[protocol.StreamID]int{}
	for _, id := range ids {
		for got[id] < size {
			for len(waiting[id]) == 0 {
				wait("the next block")
			}
			h := waiting[id][0]
			waiting[id] = waiting[id][1:]
			for _, b := range h.data {
				if b != octet(got[id]) {
					t.Fatalf("octet %d is %#x, want %#x", got[id], b, octet(got[id]))
				}
				got[id]++
			}
			h.stepped()
		}
	}
}

// Where the streams end while a protocol still has blocks, nobody waits for it.
func TestStreamsEndWithBlocksAhead(t *testing.T) {
	p := newPair(t)
	l := p.listen(protocol.Listen{Local: at("10.7.0.1:179")})
	id, end := p.accepted2(l, "10.7.0.1:179", 0)
	p.mu.Lock()
	p.hold = true
	p.mu.Unlock()
	go end.Write(bytes.Repeat([]byte("table"), 1<<20))
	for range readAhead {
		await(p, "a block", func(r protocol.Read) bool { return r.ID == id })
	}
	ended := make(chan struct{})
	go func() {
		p.streams.Close()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the streams wait for a protocol that processes nothing")
	}
	p.release()
}
