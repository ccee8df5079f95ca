package access

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The bounds of codes and sessions.
const (
	// CodeLife is how long a one-time code can be exchanged.
	CodeLife = time.Minute
	// SessionLife is how long a session lasts, unless what opened it ends before.
	SessionLife = 12 * time.Hour

	maxCodes    = 256
	maxSessions = 1024
	// maxOwnSessions is how many sessions one token or user may have. The oldest one
	// ends when another is opened.
	maxOwnSessions = 32
)

// opener is who has opened a session, so that the session ends with his rights: the
// ID of a token, or a peer of a unix socket.
type opener struct {
	Token string `json:"token,omitempty"`
	Peer  *Peer  `json:"peer,omitempty"`
}

// same reports whether two sessions count for the same one.
func (o opener) same(p opener) bool {
	return o.Token == p.Token && (o.Peer == nil) == (p.Peer == nil) && (o.Peer == nil || o.Peer.UID == p.Peer.UID)
}

// code is a one-time code, by its hash.
type code struct {
	opener  opener
	role    Role
	expires time.Time
}

// session is a browser's.
type session struct {
	opener  opener
	role    Role // the most it may do
	opened  time.Time
	expires time.Time
	ended   chan struct{}
	timer   *time.Timer
}

// keptSession is a session in the file.
type keptSession struct {
	opener
	Role    Role      `json:"role"`
	Opened  time.Time `json:"opened"`
	Expires time.Time `json:"expires"`
	SHA256  string    `json:"sha256"` // of its cookie, in hexadecimal
}

type hash = [sha256.Size]byte

// Logins are the sessions of browsers, and the one-time codes that open them. They
// keep hashes of cookies and codes alone. A session never may more than who has
// opened it may at that moment, and ends with the token that did. It is safe for
// concurrent use.
type Logins struct {
	// CodeLife is how long a code can be exchanged; 0 for the constant CodeLife. It is
	// not changed once somebody uses the Logins.
	CodeLife time.Duration

	tokens *Tokens
	roles  func() *Roles
	keep   func(data []byte) error

	// changing is held while the sessions are changed, which waits for keep; mu is
	// never held meanwhile.
	changing sync.Mutex
	mu       sync.Mutex
	codes    map[hash]code
	sessions map[hash]*session
	closed   chan struct{}
}

// Why a login is refused.
var (
	ErrNoCode = errors.New("the code is none of this router's, was used already, or is too old")
	ErrOpener = errors.New("whoever is identified by a session opens no others: wanted a token, or the router's unix socket")
)

// OpenLogins returns the sessions that keep has kept as data; nil is none. Tokens may
// be nil. A session is opened though it cannot be kept: it does not survive a restart
// then. Close ends what it does by itself.
func OpenLogins(tokens *Tokens, roles func() *Roles, data []byte, keep func(data []byte) error) (*Logins, error) {
	l := &Logins{tokens: tokens, roles: roles, keep: keep, codes: map[hash]code{}, sessions: map[hash]*session{}, closed: make(chan struct{})}
	if len(data) == 0 {
		return l, nil
	}
	var kept []keptSession
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("reading the sessions: %w", err)
	}
	hashes := make([]hash, len(kept))
	for i, k := range kept {
		if n, err := hex.Decode(hashes[i][:], []byte(k.SHA256[:min(len(k.SHA256), 2*sha256.Size)])); err != nil || n != sha256.Size {
			return nil, fmt.Errorf("reading the sessions: one has the hash %q, wanted %d hexadecimal digits", k.SHA256, 2*sha256.Size)
		}
	}
	for i, k := range kept {
		if time.Now().Before(k.Expires) && len(l.sessions) < maxSessions {
			l.enter(hashes[i], &session{opener: k.opener, role: k.Role, opened: k.Opened, expires: k.Expires})
		}
	}
	return l, nil
}

// Close, once, ends what the sessions do by themselves. They still identify.
func (l *Logins) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.closed)
	for _, s := range l.sessions {
		s.timer.Stop()
	}
}

// Code makes a one-time code with which somebody opens a session for a role, which
// is lowered to that of who asks for it. Only a token or the peer of a socket may.
func (l *Logins) Code(by Identity, role Role) (text string, granted Role, expires time.Time, err error) {
	if by.Browser || by.Token == "" && by.Peer == nil {
		return "", Nobody, time.Time{}, ErrOpener
	}
	text, now := random(secretBytes), time.Now()
	c := code{opener: opener{by.Token, by.Peer}, role: min(role, by.Role), expires: now.Add(cmp.Or(l.CodeLife, CodeLife))}
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest hash
	for h, other := range l.codes {
		if !now.Before(other.expires) {
			delete(l.codes, h)
		} else if first, there := l.codes[oldest]; !there || other.expires.Before(first.expires) {
			oldest = h
		}
	}
	if len(l.codes) >= maxCodes {
		delete(l.codes, oldest)
	}
	l.codes[sha256.Sum256([]byte(text))] = c
	return text, c.role, c.expires, nil
}

// Exchange opens a session by a code, which works once. It returns the text of its
// cookie.
func (l *Logins) Exchange(text string) (cookie string, id Identity, err error) {
	h := sha256.Sum256([]byte(text))
	l.mu.Lock()
	c, there := l.codes[h]
	delete(l.codes, h)
	l.mu.Unlock()
	if !there || !time.Now().Before(c.expires) {
		return "", Identity{}, ErrNoCode
	}
	return l.open(c.opener, c.role)
}

// Open opens a session for who has shown a token, of his role.
func (l *Logins) Open(by Identity) (cookie string, id Identity, err error) {
	if by.Browser || by.Token == "" {
		return "", Identity{}, ErrOpener
	}
	return l.open(opener{Token: by.Token}, by.Role)
}

// open opens a session. The error means that who opens it has lost his rights.
func (l *Logins) open(by opener, role Role) (cookie string, id Identity, err error) {
	l.changing.Lock()
	defer l.changing.Unlock()
	cookie = random(secretBytes)
	h := sha256.Sum256([]byte(cookie))
	now := time.Now()
	s := &session{opener: by, role: role, opened: now, expires: now.Add(SessionLife)}
	l.makeRoom(by)
	l.enter(h, s)
	id, ok := l.identify(h)
	if !ok {
		l.end(h)
		return "", Identity{}, ErrNoCode
	}
	l.write()
	return cookie, id, nil
}

// makeRoom ends the oldest session of who opens another, if he has many, or the
// oldest one of all.
func (l *Logins) makeRoom(by opener) {
	l.mu.Lock()
	own := 0
	var oldest, oldestOwn hash
	older := func(s *session, than hash) bool {
		other := l.sessions[than]
		return other == nil || s.opened.Before(other.opened)
	}
	for h, s := range l.sessions {
		if older(s, oldest) {
			oldest = h
		}
		if s.opener.same(by) {
			if own++; older(s, oldestOwn) {
				oldestOwn = h
			}
		}
	}
	all := len(l.sessions)
	l.mu.Unlock()
	switch {
	case own >= maxOwnSessions:
		l.end(oldestOwn)
	case all >= maxSessions:
		l.end(oldest)
	}
}

// Identify returns who shows the text of a cookie, from a source; ok is false
// unless its session lasts.
func (l *Logins) Identify(cookie, source string) (id Identity, ok bool) {
	h := sha256.Sum256([]byte(cookie))
	if id, ok = l.identify(h); !ok {
		l.end(h)
		return Identity{}, false
	}
	id.Source = source
	return id, true
}

// identify returns who has a session: its opener, as he may now, but no more than
// the session may. Comparing hashes tells nothing of a cookie by the time it takes.
func (l *Logins) identify(h hash) (id Identity, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[h]
	if s == nil || !time.Now().Before(s.expires) {
		return Identity{}, false
	}
	if id, ok = l.identityOf(s.opener); !ok {
		return Identity{}, false
	}
	id.Role = min(id.Role, s.role)
	id.Name += " by browser"
	if id.Expires.IsZero() || s.expires.Before(id.Expires) {
		id.Expires = s.expires.UTC().Truncate(time.Second)
	}
	id.Ended, id.Browser = s.ended, true
	return id, true
}

// identityOf returns who an opener is now.
func (l *Logins) identityOf(o opener) (Identity, bool) {
	switch {
	case o.Peer != nil:
		return l.roles().Peer(*o.Peer), true
	case l.tokens != nil:
		return l.tokens.holder(o.Token)
	}
	return Identity{}, false
}

// End ends the session of a cookie, and what its browser has open.
func (l *Logins) End(cookie string) {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.end(sha256.Sum256([]byte(cookie)))
	l.write()
}

// enter adds a session until it expires, or the token that has opened it ends.
func (l *Logins) enter(h hash, s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.ended = make(chan struct{})
	s.timer = time.AfterFunc(time.Until(s.expires), func() { l.end(h) })
	l.sessions[h] = s
	if s.opener.Token == "" {
		return
	}
	if id, ok := l.identityOf(s.opener); ok {
		go func() {
			select {
			case <-id.Ended:
				l.end(h)
			case <-s.ended:
			case <-l.closed:
			}
		}()
	}
}

// end takes a session from those that last, and closes Ended of who has it.
func (l *Logins) end(h hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sessions[h]; s != nil {
		delete(l.sessions, h)
		s.timer.Stop()
		close(s.ended)
	}
}

// write keeps the sessions. That they cannot be kept ends none.
func (l *Logins) write() {
	if l.keep == nil {
		return
	}
	l.mu.Lock()
	kept := []keptSession{}
	for h, s := range l.sessions {
		kept = append(kept, keptSession{s.opener, s.role, s.opened.UTC(), s.expires.UTC(), hex.EncodeToString(h[:])})
	}
	l.mu.Unlock()
	if data, err := json.Marshal(kept); err == nil { // it always has a JSON form
		_ = l.keep(append(data, '\n')) // whoever keeps them says so in the log
	}
}
