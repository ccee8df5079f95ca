package bfd

import (
	"testing"
	"time"

	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

func sealedConfig(kind wire.AuthType) Config {
	cfg := fastConfig()
	p := cfg.Profiles[""]
	p.Auth = Auth{Type: kind, Keys: keys.Chain{{ID: 1, Secret: []byte("secret")}, {ID: 2, Secret: []byte("other")}}}
	cfg.Profiles[""] = p
	return cfg
}

var allTypes = []wire.AuthType{wire.SimplePassword, wire.KeyedMD5, wire.MeticulousKeyedMD5, wire.KeyedSHA1, wire.MeticulousKeyedSHA1}

func TestAuthentication(t *testing.T) {
	for _, kind := range allTypes {
		right := wire.Seal{Type: kind, KeyID: 1, Sequence: 100, Secret: []byte("secret")}
		for _, tt := range []struct {
			name string
			with func(s *wire.Seal)
			why  Reason
		}{
			{"none", func(s *wire.Seal) { s.Type = wire.AuthNone }, Unauthentic},
			{"another secret", func(s *wire.Seal) { s.Secret = []byte("Secret") }, Unauthentic},
			{"the other key's secret", func(s *wire.Seal) { s.KeyID = 2 }, Unauthentic},
			{"a key that there is not", func(s *wire.Seal) { s.KeyID = 3 }, Unauthentic},
			{"another type", func(s *wire.Seal) { s.Type = kind%5 + 1 }, Unauthentic},
			{"right", func(s *wire.Seal) {}, NumReasons},
			{"right, the other key", func(s *wire.Seal) { s.KeyID, s.Secret = 2, []byte("other") }, NumReasons},
		} {
			b := newBed(t, sealedConfig(kind))
			b.watch("rip")
			s := b.only()
			seal := right
			tt.with(&seal)
			p := b.packet(wire.Down)
			p.Your = 0
			b.sendAs(p, seal, nil)
			want := Refusals{}
			if tt.why < NumReasons {
				want[tt.why] = 1
			}
			if s.counters.Refused != want || (s.state == wire.Init) != (tt.why == NumReasons) {
				t.Errorf("%v, %s: %v, refused %v", kind, tt.name, s.state, s.counters.Refused)
			}
		}
	}
}

// Without authentication here, a packet with it is refused (RFC 5880 §6.8.6).
func TestUnwantedAuthentication(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	b.sendAs(b.packet(wire.Down), wire.Seal{Type: wire.KeyedSHA1, KeyID: 1, Secret: []byte("secret")}, nil)
	if s := b.only(); s.state != wire.Down || s.counters.Refused != (Refusals{Unauthentic: 1}) {
		t.Errorf("%v, refused %v", s.state, s.counters.Refused)
	}
}

// RFC 5880 §6.7.3, §6.7.4: the window of sequence numbers, in circular space.
func TestSequenceNumbers(t *testing.T) {
	for _, kind := range allTypes[1:] {
		for _, last := range []uint32{100, 0xfffffffd} {
			for _, tt := range []struct {
				ahead  int32
				passes bool
			}{
				{-1, false},
				{0, !kind.Meticulous()},
				{1, true},
				{9, true}, // 3 * Detect Mult
				{10, false},
				{1000, false},
			} {
				b := newBed(t, sealedConfig(kind))
				b.watch("rip")
				say := func(sequence uint32) {
					b.sendAs(b.packet(wire.Down), wire.Seal{Type: kind, KeyID: 1, Sequence: sequence, Secret: []byte("secret")}, nil)
				}
				say(last)
				s := b.only()
				if s.counters.Received != 1 {
					t.Fatalf("%v: the first one was refused: %v", kind, s.refused)
				}
				say(last + uint32(tt.ahead))
				if got := s.counters.Received == 2; got != tt.passes || !got && s.counters.Refused[Replayed] != 1 {
					t.Errorf("%v, %d after %d: passed %v, want %v", kind, tt.ahead, last, got, tt.passes)
				}
			}
		}
	}
}

// A sequence number counts from a packet that is authentic, and from no forged
// one. A neighbour that starts again is heard after twice the detection time.
func TestSequenceNumberIsTakenOverWhenAuthentic(t *testing.T) {
	b := newBed(t, sealedConfig(wire.MeticulousKeyedSHA1))
	b.watch("rip")
	say := func(sequence uint32, secret string) bool {
		s := b.only()
		was := s.counters.Received
		b.sendAs(b.packet(wire.Down), wire.Seal{Type: wire.MeticulousKeyedSHA1, KeyID: 1, Sequence: sequence, Secret: []byte(secret)}, nil)
		return s.counters.Received > was
	}
	if say(5000, "forged") || !say(100, "secret") || say(105, "forged") || !say(101, "secret") {
		t.Fatal("a forged sequence number was taken over")
	}
	detection := b.only().detection()
	b.advance(2*detection - time.Millisecond)
	if say(7, "secret") {
		t.Error("it began anew too early")
	}
	b.advance(time.Millisecond)
	if !say(7, "secret") {
		t.Errorf("it could not begin anew: %s", b.only().refused)
	}
}

// What is sent: meticulous numbers grow with every packet, others with what is
// news.
func TestSentSequenceNumbers(t *testing.T) {
	for _, kind := range allTypes[1:] {
		b := newBed(t, sealedConfig(kind))
		b.watch("rip")
		b.advance(20 * time.Second)
		var sequences []uint32
		for _, e := range b.out {
			x, ok := e.(protocol.Send)
			if !ok {
				continue
			}
			if !wire.Verify(x.Payload, wire.Seal{Type: kind, Secret: []byte("secret")}) {
				t.Fatalf("%v: does not verify", kind)
			}
			var p wire.Packet
			if err := wire.Decode(x.Payload, &p); err != nil || p.Auth.KeyID != 1 {
				t.Fatalf("%v: key %d, %v", kind, p.Auth.KeyID, err)
			}
			sequences = append(sequences, p.Auth.Sequence)
		}
		if len(sequences) < 20 {
			t.Fatalf("%v: %d packets", kind, len(sequences))
		}
		grown := sequences[len(sequences)-1] - sequences[0]
		if want := uint32(len(sequences) - 1); kind.Meticulous() && grown != want || !kind.Meticulous() && grown != 0 {
			t.Errorf("%v: %d packets that say the same, and the number grew by %d", kind, len(sequences), grown)
		}
	}
}

// The key to send with changes when its time comes; both are accepted.
func TestKeyRollover(t *testing.T) {
	cfg := fastConfig()
	p := cfg.Profiles[""]
	p.Auth = Auth{Type: wire.KeyedSHA1, Keys: keys.Chain{
		{ID: 1, Secret: []byte("one"), Send: keys.Lifetime{Until: start.Add(time.Minute)}},
		{ID: 2, Secret: []byte("two"), Send: keys.Lifetime{From: start.Add(time.Minute)}},
	}}
	cfg.Profiles[""] = p
	b := newBed(t, cfg)
	b.watch("rip")
	b.advance(2 * time.Minute)
	used := map[uint8]int{}
	for _, p := range b.sent() {
		used[p.Auth.KeyID]++
	}
	if used[1] < 55 || used[2] < 55 {
		t.Errorf("packets by key: %v", used)
	}
}
