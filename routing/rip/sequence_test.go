package rip

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// numbered is a bed with one key, and the seal of a packet with a number.
func numbered(t *testing.T, saved []byte) (*bed, func(uint32) wire.Seal) {
	auth := Auth{keys.HMACSHA256, keys.Chain{{ID: 1, Secret: []byte("one")}}}
	return sealedBed(t, auth, saved), func(number uint32) wire.Seal {
		return wire.Seal{Algorithm: keys.HMACSHA256, KeyID: 1, Secret: auth.Keys[0].Secret, Sequence: number}
	}
}

// lastSave gives what was saved last.
func (b *bed) lastSave() (data []byte) {
	for _, e := range b.out {
		if e, ok := e.(protocol.Save); ok {
			data = e.Data
		}
	}
	return data
}

// numbersSent are the sequence numbers of what was sent on eth0.
func (b *bed) numbersSent() (list []uint32) {
	b.t.Helper()
	for _, e := range b.out {
		s, ok := e.(protocol.Send)
		if !ok || s.Link != eth0 {
			continue
		}
		var p wire.Packet
		if err := RIP.Decode(s.Payload, &p); err != nil {
			b.t.Fatal(err)
		}
		list = append(list, p.Auth.Sequence)
	}
	return list
}

// wantSay has the peer say something with each number.
func (b *bed) wantSay(seal func(uint32) wire.Seal, numbers map[uint32]error, order ...uint32) {
	b.t.Helper()
	for _, n := range order {
		if err := b.say(seal(n)); !errors.Is(err, numbers[n]) {
			b.t.Errorf("number %d: %v, want %v", n, err, numbers[n])
		}
	}
}

// A stop saves what was heard until then, however long ago the last save was.
func TestStopSaves(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500, 501)
	b.advance(time.Second)
	b.wantSay(seal, nil, 502)
	b.clear()
	b.step(protocol.Stop{})
	saved := b.lastSave()
	if saved == nil {
		t.Fatal("a stop saved nothing")
	}
	if b.m.Deadline().IsZero() || b.m.stopped {
		b.advance(time.Second)
	}
	b, seal = numbered(t, saved)
	b.now = start.Add(time.Minute)
	b.up()
	b.wantSay(seal, map[uint32]error{501: errReplayed, 502: errReplayed}, 501, 502, 503)
}

// What was heard is saved soon, also when nothing more happens.
func TestSavedWithoutAnotherEvent(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500)
	b.advance(saveInterval)
	b.wantSay(seal, nil, 501)
	b.clear()
	for end := b.now.Add(saveInterval); b.lastSave() == nil; {
		at := b.m.Deadline()
		if at.IsZero() || at.After(end) {
			t.Fatalf("number 501 is not saved within %v", saveInterval)
		}
		b.now = at
		b.step(protocol.Tick{})
	}
	if got := string(b.lastSave()); !strings.Contains(got, "501") {
		t.Errorf("saved %s, want number 501", got)
	}
}

// The first save of the next life has all that was loaded, of neighbours too
// that nobody has heard since; and so has the one after that, a week later.
func TestSavesKeepWhatWasLoaded(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500)
	b.step(protocol.Stop{})
	saved := b.lastSave()
	for life := range 3 {
		b, _ = numbered(t, saved)
		b.now = start.Add(time.Duration(life+1) * 7 * 24 * time.Hour)
		b.up()
		b.redistribute(netB, 1, 1)
		b.advance(10 * time.Minute)
		b.step(protocol.Stop{})
		if saved = b.lastSave(); saved == nil {
			t.Fatalf("life %d saved nothing", life)
		}
	}
	b, seal = numbered(t, saved)
	b.now = start.Add(30 * 24 * time.Hour)
	b.up()
	b.wantSay(seal, map[uint32]error{499: errReplayed, 500: errReplayed}, 499, 500, 501)
}

// Nothing that a neighbour said before it fell silent is taken once it has been
// forgotten, its last packet no more than the others.
func TestForgottenNeighborIsNotReplayed(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500, 500)
	b.advance(340 * time.Second)
	if n := b.m.Neighbors(); len(n) != 0 {
		t.Fatalf("after 340 s of silence there is %+v", n)
	}
	b.wantSay(seal, map[uint32]error{5: errReplayed, 500: errReplayed}, 5, 500, 501)
	// A carrier that is lost for a moment forgets it as well; what it says
	// within the same second is taken.
	b.step(protocol.LinkDown{Link: eth0})
	b.advance(500 * time.Millisecond)
	b.up()
	b.wantSay(seal, map[uint32]error{500: errReplayed}, 500, 501)
	b.step(protocol.LinkDown{Link: eth0})
	b.advance(sameNumber + time.Second)
	b.up()
	b.wantSay(seal, map[uint32]error{501: errReplayed}, 501, 502)
}

// Another name of an interface lets nothing in.
func TestReplayOnARenamedInterface(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500)
	cfg := b.m.cfg
	cfg.Interfaces = map[string]InterfaceConfig{"wan0": cfg.Interfaces["eth0"]}
	b.step(protocol.LinkDown{Link: eth0})
	b.step(protocol.Configure{Config: cfg})
	b.step(protocol.LinkUp{Link: eth0, Name: "wan0", Addresses: []netip.Prefix{pfx("10.0.0.1/24")}, MTU: 1500})
	b.wantSay(seal, map[uint32]error{499: errReplayed}, 499, 501)
}

// The numbers of requests count as well.
func TestRequestsAreNumbered(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	ask := func(number uint32) uint64 {
		b.receive(eth0, peer, wire.Packet{Command: wire.Request, Version: 2, Whole: true}, seal(number))
		return b.m.interfaces[eth0].counters.Requests
	}
	if n := ask(500); n != 1 {
		t.Fatalf("%d requests used, want 1", n)
	}
	if n := ask(499); n != 1 {
		t.Errorf("an older request is used, %d in all", n)
	}
	b.wantSay(seal, map[uint32]error{499: errReplayed}, 499, 501)
}

// The highest number there is stays, in memory and in what is saved.
func TestNumbersDoNotBeginAgain(t *testing.T) {
	saved := fmt.Appendf(nil, `{"sequence":%d}`, uint32(math.MaxUint32))
	for life := range 2 {
		b, _ := numbered(t, saved)
		b.up()
		b.redistribute(netB, 1, 1)
		b.advance(5 * time.Minute)
		for _, n := range b.numbersSent() {
			if n != math.MaxUint32 {
				t.Fatalf("life %d says number %d after %d", life, n, uint32(math.MaxUint32))
			}
		}
		saves := 0
		for _, e := range b.out {
			if _, ok := e.(protocol.Save); ok {
				saves++
			}
		}
		if saves > 1 {
			t.Errorf("life %d saved %d times with nothing new", life, saves)
		}
		b.step(protocol.Stop{})
		if data := b.lastSave(); data != nil {
			saved = data
		}
	}
	b, _ := numbered(t, saved)
	if b.m.auth.sequence != math.MaxUint32 {
		t.Errorf("saved as %s", saved)
	}
	b, _ = numbered(t, []byte(`{"sequence":4294967290}`))
	b.up()
	b.redistribute(netB, 1, 1)
	b.advance(5 * time.Minute)
	last := uint32(4294967290)
	for _, n := range b.numbersSent() {
		if n < last {
			t.Fatalf("number %d after %d", n, last)
		}
		last = n
	}
	if last != math.MaxUint32 || b.m.auth.bound != math.MaxUint32 {
		t.Errorf("reached %d, saved as %d, want %d", last, b.m.auth.bound, uint32(math.MaxUint32))
	}
}

// A clock that is behind does not stop the numbers: whoever has forgotten the
// router wants a higher one than its last.
func TestNumbersRiseWithAClockThatIsBehind(t *testing.T) {
	b, _ := numbered(t, []byte(`{"sequence":4000000000}`))
	b.up()
	b.redistribute(netB, 1, 1)
	b.advance(2 * time.Minute)
	sent := b.numbersSent()
	if len(sent) < 5 || sent[0] != 4000000001 {
		t.Fatalf("numbers %v, want several from 4000000001 on", sent)
	}
	updates := 0 // what is sent within a second shares one
	for at := 1; at < len(sent); at++ {
		if sent[at] < sent[at-1] {
			t.Errorf("numbers %v go back", sent)
		}
		if sent[at] == sent[at-1]+1 {
			updates++
		}
	}
	if updates < 3 || sent[len(sent)-1] != sent[0]+uint32(updates) {
		t.Errorf("numbers %v, want another one for each regular update", sent)
	}
}

// What cannot be read is said to be lost, once.
func TestSavedThatCannotBeRead(t *testing.T) {
	for _, broken := range []string{"{", `{"sequence":-1}`, `{"sequence":4294967296}`, `{"sequence":5,"neighbors":[{"address":"x"}]}`} {
		b, seal := numbered(t, []byte(broken))
		b.up()
		b.wantSay(seal, nil, 1)
		b.advance(time.Minute)
		b, _ = numbered(t, []byte(broken))
		b.up()
		lost := 0
		for _, e := range b.out {
			if e, ok := e.(protocol.Event); ok && e.What == StateLost.String() && e.Err != nil {
				lost++
			}
		}
		if lost != 1 {
			t.Errorf("%s: told %d times that it is lost, want once", broken, lost)
		}
	}
}

// Of a file of an earlier routerd, which has one number for each interface,
// the higher one counts; a file that is too long is not all remembered.
func TestSavedOnSeveralInterfaces(t *testing.T) {
	b, seal := numbered(t, []byte(`{"sequence":1,"neighbors":[
		{"interface":"eth0","address":"10.0.0.2","key":1,"sequence":70},
		{"interface":"eth9","address":"10.0.0.2","key":1,"sequence":60}]}`))
	b.up()
	b.wantSay(seal, map[uint32]error{69: errReplayed, 70: errReplayed}, 69, 70, 71)
}

// What is remembered is bounded, and no flood makes room for replays: it is
// those who come then that are not heard. A key that is gone makes room.
func TestManySenders(t *testing.T) {
	b, seal := numbered(t, nil)
	b.up()
	b.wantSay(seal, nil, 500)
	for n := range maxSenders {
		a := netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)})
		b.m.auth.note(sender{a, 2}, 1, b.now)
		if err := b.m.auth.admit(sender{a, 3}, 1, nil, b.now); err != nil {
			break
		}
	}
	if n := len(b.m.auth.senders); n != maxSenders {
		t.Fatalf("%d senders are remembered, want %d", n, maxSenders)
	}
	b.wantSay(seal, map[uint32]error{499: errReplayed}, 499, 501)
	b.step(protocol.Configure{Config: b.m.cfg})
	if n := len(b.m.auth.senders); n != 1 {
		t.Errorf("%d senders by keys that there are, want 1", n)
	}
	b.wantSay(seal, map[uint32]error{500: errReplayed}, 500, 502)
}
