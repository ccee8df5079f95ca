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

// opener is the token or the peer of a unix socket that has opened a session. The
// session has no rights that its opener has lost.
type opener struct {
	Token string `json:"token,omitempty"`
	Peer  *Peer  `json:"peer,omitempty"`
}

// same reports whether the sessions of two openers are counted together.
func (o opener) same(p opener) bool {
	return o.Token == p.Token && (o.Peer == nil) == (p.Peer == nil) && (o.Peer == nil || o.Peer.UID == p.Peer.UID)
}

// code is a one-time code, by its hash.
type code struct {
	opener  opener
	role    Role
	expires time.Time
}

// session is the session of a browser.
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

// Logins holds the sessions of browsers and the one-time codes that open sessions. It
// keeps only hashes of cookies and codes. A session never has a higher role than its
// opener has now, and it ends when the token that opened it ends. Logins is safe for
// concurrent use.
type Logins struct {
	// CodeLife is how long a code can be exchanged; 0 for the constant CodeLife. It is
	// not changed once the Logins is in use.
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
	ErrNoCode = errors.New("the code is not one of this router, was used before, or has expired")
	ErrOpener = errors.New("a session opens no other session: wanted a token, or the router's unix socket")
)

// OpenLogins returns the sessions in data, which keep has stored; nil data has none.
// Tokens may be nil. If keep fails, a session is opened all the same, and ends with the
// process. Close stops the timers and goroutines.
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

// Close stops the timers and goroutines of the sessions. It is called once. Identify
// works as before.
func (l *Logins) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.closed)
	for _, s := range l.sessions {
		s.timer.Stop()
	}
}

// Code makes a one-time code that opens a session with a role, or with the role of the
// caller if that is lower. The caller has to be a token or the peer of a socket.
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

// Open opens a session for the holder of a token, with the role of the token.
func (l *Logins) Open(by Identity) (cookie string, id Identity, err error) {
	if by.Browser || by.Token == "" {
		return "", Identity{}, ErrOpener
	}
	return l.open(opener{Token: by.Token}, by.Role)
}

// open opens a session. The error means that the opener has lost its rights.
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

// makeRoom ends the oldest session of an opener that has maxOwnSessions, or the oldest
// of all if there are maxSessions.
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

// Identify returns the identity of the sender of a cookie; ok is false if there is no
// such session, or it has ended.
func (l *Logins) Identify(cookie, source string) (id Identity, ok bool) {
	h := sha256.Sum256([]byte(cookie))
	if id, ok = l.identify(h); !ok {
		l.end(h)
		return Identity{}, false
	}
	id.Source = source
	return id, true
}

// identify returns the identity of a session: that of its opener with its present role,
// or the role of the session if that is lower. The time that it takes to compare hashes
// tells an attacker nothing about a cookie.
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

// identityOf returns the present identity of an opener.
func (l *Logins) identityOf(o opener) (Identity, bool) {
	switch {
	case o.Peer != nil:
		return l.roles().Peer(*o.Peer), true
	case l.tokens != nil:
		return l.tokens.holder(o.Token)
	}
	return Identity{}, false
}

// End ends the session of a cookie, and the requests that its browser has open.
func (l *Logins) End(cookie string) {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.end(sha256.Sum256([]byte(cookie)))
	l.write()
}

// enter adds a session, which ends when it expires or the token that opened it ends.
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

// end ends a session, and closes Ended of its identities.
func (l *Logins) end(h hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sessions[h]; s != nil {
		delete(l.sessions, h)
		s.timer.Stop()
		close(s.ended)
	}
}

// write stores the sessions. If that fails, none of them ends.
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
		_ = l.keep(append(data, '\n')) // keep logs its errors itself
	}
}
