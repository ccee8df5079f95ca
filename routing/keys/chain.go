package keys

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Key is one key of a chain.
type Key struct {
	// ID identifies the key at both ends; unique in its chain.
	ID uint8
	// Algorithm is the key's algorithm; with None the user of the chain
	// decides.
	Algorithm Algorithm
	// Secret must not be empty. It is only read.
	Secret []byte
	// Send and Accept are when the key is valid for sending and for receiving.
	Send, Accept Lifetime
}

// Lifetime is when a key may be used: From is included, Until is not. A zero
// time is no bound.
type Lifetime struct{ From, Until time.Time }

// Contains reports whether t is in the lifetime.
func (l Lifetime) Contains(t time.Time) bool { return !t.Before(l.From) && !l.ended(t) }

func (l Lifetime) ended(t time.Time) bool { return !l.Until.IsZero() && !t.Before(l.Until) }

func (l Lifetime) same(o Lifetime) bool { return l.From.Equal(o.From) && l.Until.Equal(o.Until) }

// Chain is a key chain; the order of its keys decides between otherwise equal
// ones. Any number of goroutines may read it.
type Chain []Key

// Check returns an error for a duplicate number, an empty secret, an unknown
// algorithm, or a lifetime that ends before it begins.
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

// Sending gives the key to send with at the time now, the first of several
// equal ones. It is nil before any is valid, and in an empty chain. ended
// reports that the key has expired and is used on as the last one.
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

// Accepting gives the key with the number if it is valid for receiving at the
// time now: within its lifetime, or as the last expired one if no key is valid.
// Otherwise it is nil.
func (c Chain) Accepting(id uint8, now time.Time) *Key {
	for i := range c {
		if k := &c[i]; k.ID == id && c.accepts(k, now) {
			return k
		}
	}
	return nil
}

// Accepted calls yield with each key that is accepted at the time now, in
// order; it is for protocols whose packets have no key number.
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

// Next is when a lifetime next begins or ends, the zero Time if none does.
// Until then Sending, Accepting and Accepted do not change.
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

// Same reports whether both chains have the same keys in the same order.
func (c Chain) Same(o Chain) bool {
	return slices.EqualFunc(c, o, func(a, b Key) bool {
		return a.ID == b.ID && a.Algorithm == b.Algorithm && bytes.Equal(a.Secret, b.Secret) && a.Send.same(b.Send) && a.Accept.same(b.Accept)
	})
}
