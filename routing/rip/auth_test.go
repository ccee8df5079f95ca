package rip

import (
	"errors"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// sealedBed has eth0 authenticate.
func sealedBed(t *testing.T, auth Auth, saved []byte) *bed {
	t.Helper()
	cfg := DefaultConfig(RIP)
	i := DefaultInterface()
	i.Auth = auth
	cfg.Interfaces["eth0"], cfg.Interfaces["eth1"] = i, DefaultInterface()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	return newBedOf(t, cfg, saved)
}

// say has the peer send a route with a seal, and reports whether it is used
// and why not.
func (b *bed) say(s wire.Seal) error {
	b.t.Helper()
	b.clear()
	before := b.m.interfaces[eth0].counters.Responses
	p := wire.Packet{Command: wire.Response, Version: 2, Entries: []wire.Entry{entry(netA, 1)}}
	b.receive(eth0, peer, p, s)
	if b.m.interfaces[eth0].counters.Responses > before {
		return nil
	}
	for _, e := range b.out {
		if e, ok := e.(protocol.Event); ok && e.What == AuthFailed.String() {
			return e.Err
		}
	}
	b.t.Error("neither used nor refused")
	return nil
}

func TestAuthentication(t *testing.T) {
	md5 := Auth{keys.KeyedMD5, keys.Chain{{ID: 1, Secret: []byte("one")}, {ID: 2, Secret: []byte("two"), Algorithm: keys.HMACSHA256}}}
	plain := Auth{keys.PlainText, keys.Chain{{ID: 1, Secret: []byte("one")}, {ID: 2, Secret: []byte("two")}}}
	for _, tt := range []struct {
		name string
		auth Auth
		seal wire.Seal
		want error
	}{
		{"none", Auth{}, wire.Seal{}, nil},
		{"none wanted, password", Auth{}, wire.Seal{Algorithm: keys.PlainText, Secret: []byte("one")}, errUnwanted},
		{"none wanted, md5", Auth{}, wire.Seal{Algorithm: keys.KeyedMD5, Secret: []byte("one")}, errUnwanted},
		{"password", plain, wire.Seal{Algorithm: keys.PlainText, Secret: []byte("two")}, nil},
		{"another password", plain, wire.Seal{Algorithm: keys.PlainText, Secret: []byte("three")}, errUnsigned},
		{"password wanted, none", plain, wire.Seal{}, errUnsigned},
		{"password wanted, md5", plain, wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Secret: []byte("one")}, errKey},
		{"md5", md5, wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Secret: []byte("one")}, nil},
		{"sha256 by its key", md5, wire.Seal{Algorithm: keys.HMACSHA256, KeyID: 2, Secret: []byte("two")}, nil},
		{"md5 by the other's key", md5, wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 2, Secret: []byte("two")}, errDigest},
		{"another secret", md5, wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Secret: []byte("two")}, errDigest},
		{"another key", md5, wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 3, Secret: []byte("one")}, errKey},
		{"md5 wanted, none", md5, wire.Seal{}, errUnsigned},
		{"md5 wanted, password", md5, wire.Seal{Algorithm: keys.PlainText, Secret: []byte("one")}, errUnsigned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := sealedBed(t, tt.auth, nil)
			b.up()
			if err := b.say(tt.seal); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := b.m.interfaces[eth0].counters.Unauthentic; (got == 1) != (tt.want != nil) {
				t.Errorf("counted %d", got)
			}
		})
	}
}

// All that is sent bears the key that became valid last; the last one that
// expires goes on, and that is said once.
func TestKeyChain(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	auth := Auth{keys.KeyedMD5, keys.Chain{
		{ID: 1, Secret: []byte("one"), Send: keys.Lifetime{From: at(10), Until: at(100)}, Accept: keys.Lifetime{From: at(10), Until: at(110)}},
		{ID: 2, Secret: []byte("two"), Send: keys.Lifetime{From: at(90), Until: at(200)}, Accept: keys.Lifetime{From: at(80), Until: at(210)}},
	}}
	b := sealedBed(t, auth, nil)
	b.up()
	b.redistribute(netB, 1, 1)
	b.m.cfg.Update = 3 * time.Second // so that there is always something sent
	sentWith := func() map[uint8]bool {
		t.Helper()
		used := map[uint8]bool{}
		for _, e := range b.out {
			s, ok := e.(protocol.Send)
			if !ok || s.Link != eth0 {
				continue
			}
			var p wire.Packet
			if err := RIP.Decode(s.Payload, &p); err != nil {
				t.Fatal(err)
			}
			if p.Auth.Type != wire.AuthCryptographic || !wire.Verify(s.Payload, wire.Seal{Algorithm: keys.KeyedMD5, Secret: auth.Keys[p.Auth.KeyID-1].Secret}) {
				t.Fatalf("sent without a key that holds: %+v", p.Auth)
			}
			used[p.Auth.KeyID] = true
		}
		b.clear()
		return used
	}
	for _, tt := range []struct {
		until   int
		used    map[uint8]bool
		accepts [2]bool
	}{
		{9, map[uint8]bool{}, [2]bool{false, false}}, // nothing is valid yet
		{79, map[uint8]bool{1: true}, [2]bool{true, false}},
		{89, nil, [2]bool{true, true}},
		{90, nil, [2]bool{true, true}},
		{99, map[uint8]bool{1: false, 2: true}, [2]bool{true, true}}, // both are valid
		{199, map[uint8]bool{1: false, 2: true}, [2]bool{false, true}},
		{500, map[uint8]bool{2: true}, [2]bool{false, true}}, // expired, but the last
	} {
		b.advance(at(tt.until).Sub(b.now))
		used := sentWith()
		for k, want := range tt.used {
			if want != used[k] {
				t.Errorf("until %d s keys used are %v, want of %d: %v", tt.until, used, k, want)
			}
		}
		if tt.used != nil && len(tt.used) == 0 && len(used) > 0 {
			t.Errorf("until %d s keys %v were used", tt.until, used)
		}
		for k, want := range tt.accepts {
			s := wire.Seal{Algorithm: keys.KeyedMD5, KeyID: uint8(k + 1), Secret: auth.Keys[k].Secret, Sequence: uint32(tt.until)}
			if err := b.say(s); (err == nil) != want {
				t.Errorf("at %d s key %d: %v", tt.until, k+1, err)
			}
		}
	}
	expired := 0
	b = sealedBed(t, auth, nil)
	b.now = at(300)
	b.up()
	b.advance(200 * time.Second)
	for _, e := range b.out {
		if e, ok := e.(protocol.Event); ok && e.What == KeyExpired.String() {
			expired++
		}
	}
	if expired != 1 {
		t.Errorf("told %d times that the last key expired, want once", expired)
	}
}

// A sequence number below the last one is a replay; the same is not, and zero
// may follow when the neighbour's routes are gone (RFC 4822 §2.3.2).
func TestReplay(t *testing.T) {
	auth := Auth{keys.HMACSHA1, keys.Chain{{ID: 1, Secret: []byte("one")}, {ID: 2, Secret: []byte("two")}}}
	seal := func(key uint8, sequence uint32) wire.Seal {
		return wire.Seal{Algorithm: keys.HMACSHA1, KeyID: key, Sequence: sequence, Secret: auth.Keys[key-1].Secret}
	}
	b := sealedBed(t, auth, nil)
	b.up()
	for _, tt := range []struct {
		key      uint8
		sequence uint32
		want     error
	}{
		{1, 50, nil}, {1, 50, nil}, {1, 49, errReplayed}, {1, 0, errReplayed}, {1, 51, nil}, {2, 7, nil}, {2, 6, errReplayed}, {1, 51, nil},
	} {
		if err := b.say(seal(tt.key, tt.sequence)); !errors.Is(err, tt.want) {
			t.Errorf("key %d number %d: %v, want %v", tt.key, tt.sequence, err, tt.want)
		}
	}
	b.step(protocol.NeighborState{Link: eth0, Address: peer})
	if err := b.say(seal(1, 49)); !errors.Is(err, errReplayed) {
		t.Errorf("lower, with no routes left: %v", err)
	}
	if err := b.say(seal(1, 0)); err != nil {
		t.Errorf("zero, with no routes left: %v", err)
	}
	// It begins at zero once: a second time that may be a replay.
	if err := b.say(seal(1, 9)); err != nil {
		t.Fatal(err)
	}
	b.step(protocol.NeighborState{Link: eth0, Address: peer})
	if err := b.say(seal(1, 0)); !errors.Is(err, errReplayed) {
		t.Errorf("zero a second time: %v", err)
	}
}

// What is saved keeps the router's own numbers from going back, and replays
// out, whatever the clock says after a restart.
func TestSaved(t *testing.T) {
	auth := Auth{keys.KeyedMD5, keys.Chain{{ID: 1, Secret: []byte("one")}}}
	seal := wire.Seal{Algorithm: keys.KeyedMD5, KeyID: 1, Secret: []byte("one"), Sequence: 500}
	b := sealedBed(t, auth, nil)
	b.up()
	b.redistribute(netB, 1, 1)
	if err := b.say(seal); err != nil {
		t.Fatal(err)
	}
	b.clear()
	b.advance(10 * time.Minute)
	var saved []byte
	var last uint32
	saves := 0
	for _, e := range b.out {
		switch e := e.(type) {
		case protocol.Save:
			saved = e.Data
			saves++
		case protocol.Send:
			var p wire.Packet
			if err := RIP.Decode(e.Payload, &p); err != nil {
				t.Fatal(err)
			}
			if e.Link == eth0 && p.Auth.Sequence < last {
				t.Errorf("number %d after %d", p.Auth.Sequence, last)
			}
			last = max(last, p.Auth.Sequence)
		}
	}
	if saves < 5 || saves > 12 {
		t.Errorf("saved %d times in 10 minutes, want about 10", saves)
	}
	b = sealedBed(t, auth, saved)
	b.now = start.Add(-time.Hour) // the clock went back
	b.m.now = b.now
	b.up()
	for _, e := range b.out {
		if s, ok := e.(protocol.Send); ok && s.Link == eth0 {
			var p wire.Packet
			if err := RIP.Decode(s.Payload, &p); err != nil || p.Auth.Sequence < last {
				t.Errorf("number %d after %d, %v", p.Auth.Sequence, last, err)
			}
		}
	}
	for _, broken := range []string{"", "{", `{"sequence":-1}`, `{"sequence":5,"neighbors":[{"address":"x"}]}`} {
		b = sealedBed(t, auth, []byte(broken))
		b.up() // counts as lost
	}
}
