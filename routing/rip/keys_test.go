package rip

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// greeter is another protocol that authenticates by the same chain as RIP on
// the same interface. It numbers its packets from 1.
type greeter struct {
	chain     keys.Chain
	sent      uint32
	heard     map[uint8]uint32 // the last number of its peer, by key
	warned    int
	algorithm keys.Algorithm
}

func (g *greeter) sum(k *keys.Key, head []byte) []byte {
	h := hmac.New(g.algorithm.New, k.Secret)
	h.Write(head)
	return h.Sum(bytes.Clone(head))
}

// greet makes the next packet: number, key, hash.
func (g *greeter) greet(now time.Time) []byte {
	k, ended := g.chain.Sending(now)
	if k == nil {
		return nil
	}
	if ended {
		g.warned++
	}
	g.sent++
	return g.sum(k, append(binary.BigEndian.AppendUint32(nil, g.sent), k.ID))
}

// hears reports whether a packet of its peer is authentic and new.
func (g *greeter) hears(p []byte, now time.Time) bool {
	number, id := binary.BigEndian.Uint32(p), p[4]
	k := g.chain.Accepting(id, now)
	if k == nil || number <= g.heard[id] || !bytes.Equal(p, g.sum(k, p[:5])) {
		return false
	}
	g.heard[id] = number
	return true
}

// Two protocols on one interface use one chain, and neither hears of the other:
// what RIP sends and takes is to the octet what it is alone, the other's numbers
// are its own, and the number of a RIP packet from an address says nothing of
// another protocol's from there.
func TestChainIsShared(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	chain := keys.Chain{
		{ID: 1, Secret: []byte("one"), Send: keys.Lifetime{Until: at(100)}, Accept: keys.Lifetime{Until: at(110)}},
		{ID: 2, Secret: []byte("two"), Send: keys.Lifetime{From: at(90), Until: at(200)}},
	}
	seal := func(key uint8, number uint32) wire.Seal {
		return wire.Seal{Algorithm: keys.HMACSHA256, KeyID: key, Sequence: number, Secret: chain[key-1].Secret}
	}
	run := func(beside func(now time.Time)) (sent [][]byte, refused []int) {
		b := sealedBed(t, Auth{keys.HMACSHA256, chain}, nil)
		b.up()
		b.redistribute(netB, 1, 1)
		for s := 0; s < 300; s += 10 {
			beside(b.now)
			key := uint8(1)
			if s >= 100 {
				key = 2
			}
			if b.say(seal(key, uint32(1000+s))) != nil {
				refused = append(refused, s)
			}
			beside(b.now)
			b.clear()
			b.advance(10 * time.Second)
			for _, e := range b.out {
				if e, ok := e.(protocol.Send); ok {
					sent = append(sent, bytes.Clone(e.Payload))
				}
			}
		}
		return sent, refused
	}
	alone, refused := run(func(time.Time) {})
	if len(alone) < 10 || len(refused) > 0 {
		t.Fatalf("alone, RIP sends %d packets and refuses those at %v s; want some and none", len(alone), refused)
	}
	g := &greeter{chain: chain, heard: map[uint8]uint32{}, algorithm: keys.HMACSHA1}
	peer := &greeter{chain: chain, heard: map[uint8]uint32{}, algorithm: keys.HMACSHA1}
	var used []byte
	both, refused := run(func(now time.Time) {
		p := g.greet(now)
		used = append(used, p[4])
		if !peer.hears(p, now) || peer.hears(p, now) {
			t.Errorf("at %v greeting %d is not taken once", now.Sub(start), g.sent)
		}
	})
	if len(both) != len(alone) || len(refused) > 0 {
		t.Fatalf("beside another protocol RIP sends %d packets and refuses those at %v s; want %d and none", len(both), refused, len(alone))
	}
	for i := range alone {
		if !bytes.Equal(both[i], alone[i]) {
			t.Errorf("packet %d of RIP is another beside another protocol", i)
		}
	}
	if g.sent != 60 || g.warned != 20 {
		t.Errorf("the other protocol has sent number %d and warned %d times of the last key's end; want 60 and 20", g.sent, g.warned)
	}
	if want := append(bytes.Repeat([]byte{1}, 18), bytes.Repeat([]byte{2}, 42)...); !bytes.Equal(used, want) {
		t.Errorf("it used the keys %v, want %v", used, want)
	}
}
