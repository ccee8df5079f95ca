package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A token is "rtd_ID_SECRET": ID names it, and SECRET is 256 random bits.
const (
	tokenPrefix = "rtd_"
	idBytes     = 5  // 8 letters
	secretBytes = 32 // 52 letters

	// MaxTokens is how many there may be at once.
	MaxTokens = 1000
	// MaxTokenName is the most bytes of a name.
	MaxTokenName = 64
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token is what may be known of a token: all but its secret.
type Token struct {
	ID      string    `json:"id" show:"id"`
	Name    string    `json:"name" show:"name"` // what it is for
	Role    Role      `json:"role" show:"role"`
	Created time.Time `json:"created" show:"created"`
	Expires time.Time `json:"expires" show:"expires"`
	Used    time.Time `json:"used,omitzero" show:"used,blank"` // last; absent if not since the router's start
}

// keptToken is a token in the file.
type keptToken struct {
	Token
	SHA256 string `json:"sha256"` // of its secret, in hexadecimal
}

// liveToken is a token that works.
type liveToken struct {
	Token
	hash  [sha256.Size]byte
	ended chan struct{}
	timer *time.Timer // ends it when it expires
}

// Tokens are the tokens of a router. They are kept, without their secrets, by a
// function that their owner gives. It is safe for concurrent use.
type Tokens struct {
	keep func(data []byte) error
	// changing is held while the list is changed, which waits for keep; mu is never
	// held meanwhile, so nobody who shows a token waits for a disk.
	changing sync.Mutex
	mu       sync.Mutex
	list     map[string]*liveToken // by ID
}

// ErrNoToken means that there is no token of an ID.
var ErrNoToken = errors.New("there is no such token")

// OpenTokens returns the tokens that keep has kept as data; nil is none. Those
// that have expired are left out. Close ends its timers.
func OpenTokens(data []byte, keep func(data []byte) error) (*Tokens, error) {
	t := &Tokens{keep: keep, list: map[string]*liveToken{}}
	if len(data) == 0 {
		return t, nil
	}
	var kept []keptToken
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	for _, k := range kept {
		hash, err := hex.DecodeString(k.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("reading the tokens: token %s has the hash %q, wanted %d hexadecimal digits", k.ID, k.SHA256, 2*sha256.Size)
		}
		live := &liveToken{Token: k.Token}
		copy(live.hash[:], hash)
		if time.Now().Before(k.Expires) {
			t.enter(live)
		}
	}
	return t, nil
}

// Close ends what the tokens do by themselves. They still identify.
func (t *Tokens) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.list {
		l.timer.Stop()
	}
}

// Add makes a token and returns it with its text, which nobody can learn again.
func (t *Tokens) Add(name string, role Role, expires time.Time) (Token, string, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	secret := random(secretBytes)
	live := &liveToken{
		Token: Token{ID: random(idBytes), Name: name, Role: role, Created: time.Now().UTC().Truncate(time.Second), Expires: expires.UTC().Truncate(time.Second)},
		hash:  sha256.Sum256([]byte(secret)),
	}
	next := t.working()
	switch _, there := next[live.ID]; {
	case there: // once in some billions of years
		return Token{}, "", fmt.Errorf("making a token: its random name %s is another's", live.ID)
	case len(next) >= MaxTokens:
		return Token{}, "", fmt.Errorf("making a token: there are %d already, which is the most; routerd token revoke ends one", len(next))
	}
	next[live.ID] = live
	if err := t.write(next); err != nil {
		return Token{}, "", fmt.Errorf("keeping the new token: %w", err)
	}
	t.enter(live)
	return live.Token, tokenPrefix + live.ID + "_" + secret, nil
}

// Revoke ends a token, and what its holders have open. It returns ErrNoToken if
// there is none of that ID.
func (t *Tokens) Revoke(id string) (Token, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	next := t.working()
	live, there := next[id]
	if !there {
		return Token{}, ErrNoToken
	}
	delete(next, id)
	if err := t.write(next); err != nil {
		return Token{}, fmt.Errorf("keeping that token %s is revoked: %w", id, err)
	}
	t.end(id)
	return live.Token, nil
}

// List returns the tokens that work, sorted by name and then by ID.
func (t *Tokens) List() []Token {
	list := []Token{}
	for _, l := range t.working() {
		list = append(list, l.Token)
	}
	slices.SortFunc(list, func(a, b Token) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return list
}

// Identify returns who shows the text of a token, from a source; ok is false
// unless it is one that works.
func (t *Tokens) Identify(text, source string) (id Identity, ok bool) {
	name, secret, ok := strings.Cut(strings.TrimPrefix(text, tokenPrefix), "_")
	if !ok || !strings.HasPrefix(text, tokenPrefix) {
		return Identity{}, false
	}
	hash := sha256.Sum256([]byte(secret))
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	live := t.list[name]
	if live == nil || subtle.ConstantTimeCompare(hash[:], live.hash[:]) != 1 || !now.Before(live.Expires) {
		return Identity{}, false
	}
	live.Used = now.UTC().Truncate(time.Second)
	id = live.identity()
	id.Source = source
	return id, true
}

// holder identifies who holds a token that works.
func (t *Tokens) holder(id string) (Identity, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	live := t.list[id]
	if live == nil || !time.Now().Before(live.Expires) {
		return Identity{}, false
	}
	return live.identity(), true
}

func (l *liveToken) identity() Identity {
	return Identity{Name: fmt.Sprintf("token %s (%s)", l.ID, l.Name), Role: l.Role, Ended: l.ended, Expires: l.Expires, Token: l.ID}
}

// enter adds a token to those that work, until it expires.
func (t *Tokens) enter(live *liveToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	live.ended = make(chan struct{})
	live.timer = time.AfterFunc(time.Until(live.Expires), func() { t.end(live.ID) })
	t.list[live.ID] = live
}

// end takes a token from those that work, and closes Ended of who has it.
func (t *Tokens) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if live := t.list[id]; live != nil { // it may have been revoked as it expired
		delete(t.list, id)
		live.timer.Stop()
		close(live.ended)
	}
}

// working returns a copy of the list.
func (t *Tokens) working() map[string]*liveToken {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(map[string]*liveToken, len(t.list))
	for id, l := range t.list {
		copied := *l
		c[id] = &copied
	}
	return c
}

// write keeps a list.
func (t *Tokens) write(list map[string]*liveToken) error {
	kept := []keptToken{}
	for _, id := range slices.Sorted(maps.Keys(list)) {
		k := keptToken{list[id].Token, hex.EncodeToString(list[id].hash[:])}
		k.Used = time.Time{}
		kept = append(kept, k)
	}
	data, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return t.keep(append(data, '\n'))
}

// random returns n random bytes as letters.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return letters.EncodeToString(b)
}

// secretText is whatever may be a secret: 256 bits are 52 letters.
var secretText = regexp.MustCompile(`[a-z2-7]{52,}`)

// WithoutSecrets returns a text without what may be secrets of tokens.
func WithoutSecrets(text string) string { return secretText.ReplaceAllString(text, "...") }
