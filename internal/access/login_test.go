package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// newLogins returns logins and tokens, and what the logins keep.
func newLogins(t *testing.T, roles *Roles, data []byte) (l *Logins, tokens *Tokens, kept *[]byte) {
	t.Helper()
	tokens, err := OpenTokens(nil, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	kept = new([]byte)
	l, err = OpenLogins(tokens, func() *Roles { return roles }, data, func(d []byte) error { *kept = d; return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); tokens.Close() })
	return l, tokens, kept
}

// shown identifies who shows a token.
func shown(t *testing.T, tokens *Tokens, role Role) (Identity, Token) {
	t.Helper()
	made, text, err := tokens.Add("ci", role, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id, ok := tokens.Identify(text, "192.0.2.7")
	if !ok {
		t.Fatal("the token identifies nobody")
	}
	return id, made
}

// A code opens one session, within a minute, for a role that is never above that
// of who has asked for it.
func TestCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, tokens, _ := newLogins(t, &Roles{UID: map[uint32]Role{1000: Operate}}, nil)
		byToken, _ := shown(t, tokens, Read)
		for _, c := range []struct {
			name  string
			by    Identity
			asked Role
			want  Role
		}{
			{"root for all", l.roles().Peer(Peer{UID: 0}), Admin, Admin},
			{"root for less", l.roles().Peer(Peer{UID: 0}), Read, Read},
			{"a user for more than he may", l.roles().Peer(Peer{UID: 1000}), Admin, Operate},
			{"a token for more than it may", byToken, Admin, Read},
		} {
			text, granted, expires, err := l.Code(c.by, c.asked)
			if err != nil || granted != c.want || time.Until(expires) != time.Minute {
				t.Fatalf("%s: a code for %v until %v, %v; want %v", c.name, granted, expires, err, c.want)
			}
			if len(text) < 26 { // 128 bits are 26 letters
				t.Errorf("%s: the code %q can be guessed", c.name, text)
			}
			cookie, id, err := l.Exchange(text)
			if err != nil || id.Role != c.want {
				t.Fatalf("%s: a session for %+v, %v", c.name, id, err)
			}
			if got, ok := l.Identify(cookie, "192.0.2.8"); !ok || got.Role != c.want || got.Source != "192.0.2.8" || !got.Browser || !strings.HasPrefix(got.Name, c.by.Name) {
				t.Errorf("%s: the cookie identifies %+v, %t", c.name, got, ok)
			}
			if _, _, err := l.Exchange(text); !errors.Is(err, ErrNoCode) {
				t.Errorf("%s: the code works twice: %v", c.name, err)
			}
			if _, _, _, err := l.Code(id, Read); !errors.Is(err, ErrOpener) {
				t.Errorf("%s: a session makes codes: %v", c.name, err)
			}
		}
		late, _, _, err := l.Code(byToken, Read)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(CodeLife)
		if _, _, err := l.Exchange(late); !errors.Is(err, ErrNoCode) {
			t.Errorf("a code of a minute ago: %v", err)
		}
	})
}

// Nobody gets in by what is no code and no cookie.
func TestNoLogin(t *testing.T) {
	l, tokens, _ := newLogins(t, &Roles{}, nil)
	by, _ := shown(t, tokens, Admin)
	code, _, _, err := l.Code(by, Admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", code[1:], code + "a", strings.ToUpper(code)} {
		if _, _, err := l.Exchange(text); !errors.Is(err, ErrNoCode) {
			t.Errorf("the code %q: %v", text, err)
		}
		if id, ok := l.Identify(text, ""); ok {
			t.Errorf("the cookie %q identifies %+v", text, id)
		}
	}
	if id, ok := l.Identify(code, ""); ok {
		t.Errorf("a code as a cookie identifies %+v", id)
	}
	for _, by := range []Identity{{}, {Name: "anybody on this host", Role: Read}} {
		if _, _, _, err := l.Code(by, Read); !errors.Is(err, ErrOpener) {
			t.Errorf("a code for %+v: %v", by, err)
		}
		if _, _, err := l.Open(by); !errors.Is(err, ErrOpener) {
			t.Errorf("a session for %+v: %v", by, err)
		}
	}
}

// A session ends with what opened it, when its browser says so, and after some
// hours; each time what the browser has open hears of it.
func TestSessionEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(l *Logins, tokens *Tokens, made Token, cookie string) error
	}{
		{"the token is revoked", func(_ *Logins, tokens *Tokens, made Token, _ string) error {
			_, err := tokens.Revoke(made.ID)
			return err
		}},
		{"the browser leaves", func(l *Logins, _ *Tokens, _ Token, cookie string) error { l.End(cookie); return nil }},
		{"the token expires", func(*Logins, *Tokens, Token, string) error { time.Sleep(time.Hour); return nil }},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, tokens, kept := newLogins(t, &Roles{}, nil)
			by, made := shown(t, tokens, Admin)
			cookie, id, err := l.Open(by)
			if err != nil {
				t.Fatal(err)
			}
			if !id.Expires.Equal(made.Expires) {
				t.Errorf("%s: the session expires at %v, after its token", c.name, id.Expires)
			}
			if strings.Contains(string(*kept), cookie) {
				t.Errorf("%s: the cookie itself is kept", c.name)
			}
			if err := c.end(l, tokens, made, cookie); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			select {
			case <-id.Ended:
			default:
				t.Errorf("%s: who has it open hears nothing of it", c.name)
			}
			if id, ok := l.Identify(cookie, ""); ok {
				t.Errorf("%s: the session goes on for %+v", c.name, id)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l, _, _ := newLogins(t, &Roles{}, nil)
		code, _, _, _ := l.Code(l.roles().Peer(Peer{}), Admin)
		cookie, id, err := l.Exchange(code)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(SessionLife)
		<-id.Ended
		if _, ok := l.Identify(cookie, ""); ok {
			t.Error("the session of a user never ends")
		}
	})
}

// A session may what its opener may now: not what he might when he opened it.
func TestSessionFollowsItsOpener(t *testing.T) {
	roles := &Roles{UID: map[uint32]Role{1000: Admin}}
	l, _, _ := newLogins(t, roles, nil)
	code, _, _, _ := l.Code(roles.Peer(Peer{UID: 1000}), Operate)
	cookie, _, err := l.Exchange(code)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ has, want Role }{{Admin, Operate}, {Read, Read}, {Nobody, Nobody}, {Operate, Operate}} {
		roles.UID[1000] = c.has
		if id, ok := l.Identify(cookie, ""); !ok || id.Role != c.want {
			t.Errorf("while the user has the role %v: %+v, %t", c.has, id, ok)
		}
	}
}

// A restart keeps the sessions.
func TestSessionsAreKept(t *testing.T) {
	roles := &Roles{UID: map[uint32]Role{1000: Operate}}
	l, _, kept := newLogins(t, roles, nil)
	code, _, _, _ := l.Code(roles.Peer(Peer{UID: 1000}), Operate)
	cookie, _, err := l.Exchange(code)
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := newLogins(t, roles, *kept)
	if id, ok := again.Identify(cookie, "192.0.2.7"); !ok || id.Role != Operate {
		t.Errorf("after a restart the cookie identifies %+v, %t", id, ok)
	}
	l.End(cookie)
	again, _, _ = newLogins(t, roles, *kept)
	if id, ok := again.Identify(cookie, "192.0.2.7"); ok {
		t.Errorf("a session that has ended is back after a restart: %+v", id)
	}
	for _, bad := range []string{"{", `[{"sha256":"abc"}]`} {
		if l, err := OpenLogins(nil, nil, []byte(bad), nil); err == nil {
			t.Errorf("sessions of %q: %+v", bad, l)
		}
	}
}

// Neither codes nor sessions grow without end, and nobody ends those of others by
// opening many.
func TestLoginsAreBounded(t *testing.T) {
	l, err := OpenLogins(nil, func() *Roles { return &Roles{} }, nil, nil) // kept nowhere: a thousand lists of a thousand take long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	open := func(uid uint32) string {
		code, _, _, err := l.Code(l.roles().Peer(Peer{UID: uid}), Read)
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, err := l.Exchange(code)
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	other := open(7)
	first := open(8)
	for range maxOwnSessions {
		open(8)
	}
	if _, ok := l.Identify(first, ""); ok {
		t.Error("the oldest session of a user with too many goes on")
	}
	if _, ok := l.Identify(other, ""); !ok {
		t.Error("another user's session has ended")
	}
	for uid := range uint32(maxSessions + 10) {
		open(100 + uid)
	}
	for i := range maxCodes + 10 {
		if _, _, _, err := l.Code(l.roles().Peer(Peer{UID: 9}), Read); err != nil {
			t.Fatal(fmt.Errorf("code %d: %w", i, err))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sessions) > maxSessions || len(l.codes) > maxCodes {
		t.Errorf("%d sessions and %d codes, want at most %d and %d", len(l.sessions), len(l.codes), maxSessions, maxCodes)
	}
}
