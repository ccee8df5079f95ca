package bfd

import (
	"testing"
	"time"

	"routerd/routing/bfd/wire"
)

// Every row of the state machine, in the order of RFC 5880 §6.2, driven by
// packets and by time.
func TestTransitions(t *testing.T) {
	into := map[wire.State]func(b *bed){
		wire.Down: func(b *bed) {},
		wire.Init: func(b *bed) { b.say(wire.Down) },
		wire.Up:   func(b *bed) { b.bring() },
		wire.AdminDown: func(b *bed) {
			b.m.shut(b.only(), true)
		},
	}
	hear := func(s wire.State) func(b *bed) { return func(b *bed) { b.say(s) } }
	wait := func(b *bed) { b.advance(time.Minute) }
	for _, tt := range []struct {
		from wire.State
		when string
		do   func(b *bed)
		to   wire.State
		diag wire.Diagnostic
	}{
		{wire.Down, "admin-down", hear(wire.AdminDown), wire.Down, wire.NoDiagnostic},
		{wire.Down, "down", hear(wire.Down), wire.Init, wire.NoDiagnostic},
		{wire.Down, "init", hear(wire.Init), wire.Up, wire.NoDiagnostic},
		{wire.Down, "up", hear(wire.Up), wire.Down, wire.NoDiagnostic},
		{wire.Down, "silence", wait, wire.Down, wire.NoDiagnostic},
		{wire.Init, "admin-down", hear(wire.AdminDown), wire.Down, wire.NeighborSignaledDown},
		{wire.Init, "down", hear(wire.Down), wire.Init, wire.NoDiagnostic},
		{wire.Init, "init", hear(wire.Init), wire.Up, wire.NoDiagnostic},
		{wire.Init, "up", hear(wire.Up), wire.Up, wire.NoDiagnostic},
		{wire.Init, "silence", wait, wire.Down, wire.DetectionTimeExpired},
		{wire.Up, "admin-down", hear(wire.AdminDown), wire.Down, wire.NeighborSignaledDown},
		{wire.Up, "down", hear(wire.Down), wire.Down, wire.NeighborSignaledDown},
		{wire.Up, "init", hear(wire.Init), wire.Up, wire.NoDiagnostic},
		{wire.Up, "up", hear(wire.Up), wire.Up, wire.NoDiagnostic},
		{wire.Up, "silence", wait, wire.Down, wire.DetectionTimeExpired},
		{wire.AdminDown, "admin-down", hear(wire.AdminDown), wire.AdminDown, wire.AdministrativelyDown},
		{wire.AdminDown, "down", hear(wire.Down), wire.AdminDown, wire.AdministrativelyDown},
		{wire.AdminDown, "init", hear(wire.Init), wire.AdminDown, wire.AdministrativelyDown},
		{wire.AdminDown, "up", hear(wire.Up), wire.AdminDown, wire.AdministrativelyDown},
		{wire.AdminDown, "silence", wait, wire.AdminDown, wire.AdministrativelyDown},
	} {
		t.Run(tt.from.String()+" on "+tt.when, func(t *testing.T) {
			b := newBed(t, fastConfig())
			b.watch("rip")
			into[tt.from](b)
			b.clear()
			s := b.only()
			changes := s.state != tt.to
			tt.do(b)
			if s.state != tt.to || s.diag != tt.diag {
				t.Errorf("is %v (%v), want %v (%v)", s.state, s.diag, tt.to, tt.diag)
			}
			for n, p := range b.sent() {
				if changes && tt.when != "silence" && (n == 0) != (p.State == tt.to && p.Diagnostic == tt.diag) {
					t.Errorf("packet %d says that it is %v (%v), want the first one alone to say %v (%v)", n, p.State, p.Diagnostic, tt.to, tt.diag)
				}
				if p.State == wire.Down && p.Diagnostic != tt.diag {
					t.Errorf("packet %d says that it is down, %v; want %v", n, p.Diagnostic, tt.diag)
				}
			}
			if changes && len(b.sent()) == 0 {
				t.Error("it said nothing of the change")
			}
		})
	}
}

// What clients hear in each state, see the table in doc.go.
func TestWhatClientsHear(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(b *bed)
		want []string
	}{
		{"up", func(b *bed) { b.bring() }, []string{"rip 10.0.0.2 alive=true"}},
		{"never up", func(b *bed) { b.say(wire.Down); b.advance(time.Minute) }, nil},
		{"silent after up", func(b *bed) { b.bring(); b.clear(); b.advance(time.Minute) }, []string{"hop 10.0.0.2 alive=false", "rip 10.0.0.2 alive=false"}},
		{"signaled down after up", func(b *bed) { b.bring(); b.clear(); b.say(wire.Down) }, []string{"hop 10.0.0.2 alive=false", "rip 10.0.0.2 alive=false"}},
		{"admin-down after up, then silent", func(b *bed) {
			b.bring()
			b.clear()
			b.say(wire.AdminDown)
			b.advance(time.Minute)
		}, nil},
		{"admin-down after up, then down and up again", func(b *bed) {
			b.bring()
			b.clear()
			b.say(wire.AdminDown)
			b.say(wire.Down)
			b.advance(10 * time.Millisecond)
			b.say(wire.Init)
		}, nil},
		{"shut here after up", func(b *bed) {
			b.bring()
			b.clear()
			b.m.shut(b.only(), true)
			b.say(wire.Down)
			b.advance(time.Minute)
			b.m.shut(b.only(), false)
			b.advance(time.Minute)
		}, nil},
		{"down, then up again", func(b *bed) { b.bring(); b.advance(time.Minute); b.clear(); b.bring() }, []string{"hop 10.0.0.2 alive=true", "rip 10.0.0.2 alive=true"}},
		{"down, then admin-down", func(b *bed) { b.bring(); b.advance(time.Minute); b.clear(); b.say(wire.AdminDown) }, []string{"hop 10.0.0.2 alive=true", "rip 10.0.0.2 alive=true"}},
		{"init, then silent", func(b *bed) { b.say(wire.Down); b.advance(time.Minute); b.say(wire.Down); b.advance(time.Minute) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, fastConfig())
			b.watch("rip")
			tt.do(b)
			b.wantTold(tt.want...)
		})
	}
}
