package keys

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Key is one of a chain.
type Key struct {
	// ID is by what both ends call the key; unique in its chain.
	ID uint8
	// Algorithm is the key's own; None leaves it to what uses the chain.
	Algorithm Algorithm
	// Secret must not be empty. It is only read.
	Secret []byte
	// Send and Accept are when the key is used for what is sent, and for what is
	// received.
	Send, Accept Lifetime
}

// Lifetime is when a key may be used, from a time on and until another, which is
// beyond it. A zero time is no bound, the zero Lifetime all time.
type Lifetime struct{ From, Until time.Time }

// Contains reports whether t is in the lifetime.
func (l Lifetime) Contains(t time.Time) bool { return !t.Before(l.From) && !l.ended(t) }

func (l Lifetime) ended(t time.Time) bool { return !l.Until.IsZero() && !t.Before(l.Until) }

func (l Lifetime) same(o Lifetime) bool { return l.From.Equal(o.From) && l.Until.Equal(o.Until) }

// Chain is a key chain; the order of its keys decides where nothing else does.
// Any number of goroutines may use one that nobody writes to.
type Chain []Key

// Check says what in the chain cannot be used: a number given twice, an empty
// secret, an algorithm that there is not, a lifetime that ends before it begins.
func (c Chain) Check() error {
	var seen [256]bool
	for i := range c {
		k := &c[i]
		switch {
		case seen[k.ID]:
			return fmt.Errorf("key %d: given twice", k.ID)
		case len(k.Secret) == 0:
			return fmt.Errorf("key %d: empty", k.ID)
		case !k.Algorithm.known():
			return fmt.Errorf("key %d: algorithm %d, want one of package keys", k.ID, k.Algorithm)
		}
		for _, l := range []Lifetime{k.Send, k.Accept} {
			if !l.Until.IsZero() && !l.From.Before(l.Until) {
				return fmt.Errorf("key %d: a lifetime from %v until %v, want it to end later than it begins", k.ID, l.From, l.Until)
			}
		}
		seen[k.ID] = true
	}
	return nil
}

// Sending gives the key to send with at the time now, the first of several that
// are equal. It is nil before any is valid, and in an empty chain. Ended reports
// that the key's time is over and it goes on as the last one.
func (c Chain) Sending(now time.Time) (best *Key, ended bool) {
	for i := range c {
		if k := &c[i]; k.Send.Contains(now) && (best == nil || k.Send.From.After(best.Send.From)) {
			best = k
		}
	}
	if best != nil {
		return best, false
	}
	for i := range c {
		if k := &c[i]; k.Send.ended(now) && (best == nil || k.Send.Until.After(best.Send.Until)) {
			best = k
		}
	}
	return best, best != nil
}

// Accepting gives the key with the number if what it authenticates is accepted
// at the time now: within its lifetime, or as the last one that ended when none
// is within its own. Otherwise it is nil.
func (c Chain) Accepting(id uint8, now time.Time) *Key {
	for i := range c {
		if k := &c[i]; k.ID == id && c.accepts(k, now) {
			return k
		}
	}
	return nil
}

// Accepted calls yield with each key that is accepted at the time now, in order;
// it is for protocols whose packets name no key.
func (c Chain) Accepted(now time.Time) func(yield func(*Key) bool) {
	return func(yield func(*Key) bool) {
		for i := range c {
			if c.accepts(&c[i], now) && !yield(&c[i]) {
				return
			}
		}
	}
}

func (c Chain) accepts(k *Key, now time.Time) bool {
	if k.Accept.Contains(now) {
		return true
	}
	if !k.Accept.ended(now) {
		return false
	}
	for i := range c {
		if o := &c[i]; o.Accept.Contains(now) || o.Accept.ended(now) && o.Accept.Until.After(k.Accept.Until) {
			return false
		}
	}
	return true
}

// Next is when a key next begins or ends, the zero Time where none does any
// more. Until then Sending, Accepting and Accepted give what they give now.
func (c Chain) Next(now time.Time) (next time.Time) {
	for i := range c {
		for _, l := range [...]*Lifetime{&c[i].Send, &c[i].Accept} {
			for _, t := range [...]time.Time{l.From, l.Until} {
				if t.After(now) && (next.IsZero() || t.Before(next)) {
					next = t
				}
			}
		}
	}
	return next
}

// Same reports whether both chains have the same keys in the same order, so that
// a new configuration that has this one is no news.
func (c Chain) Same(o Chain) bool {
	return slices.EqualFunc(c, o, func(a, b Key) bool {
		return a.ID == b.ID && a.Algorithm == b.Algorithm && bytes.Equal(a.Secret, b.Secret) && a.Send.same(b.Send) && a.Accept.same(b.Accept)
	})
}
