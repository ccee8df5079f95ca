package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// file keeps tokens in memory.
type file struct {
	data []byte
	err  error
}

func (f *file) keep(data []byte) error {
	if f.err == nil {
		f.data = data
	}
	return f.err
}

func openTokens(t *testing.T, f *file) *Tokens {
	t.Helper()
	tokens, err := OpenTokens(f.data, f.keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	return tokens
}

// A token works until it is revoked, over a restart too; its secret is nowhere
// but in the answer that made it.
func TestTokens(t *testing.T) {
	f := &file{}
	tokens := openTokens(t, f)
	in := time.Now().Add(time.Hour)
	made, text, err := tokens.Add("ci", Operate, in)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^rtd_[a-z2-7]{8}_[a-z2-7]{52}$`).MatchString(text) || !strings.Contains(text, made.ID) {
		t.Errorf("the token is %s, want rtd_%s_ and 52 letters", text, made.ID)
	}
	if secret := text[len("rtd_")+len(made.ID)+1:]; strings.Contains(string(f.data), secret) {
		t.Errorf("the secret is in what is kept: %s", f.data)
	}
	_, other, err := tokens.Add("another", Read, in)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		id, ok := tokens.Identify(text, "192.0.2.7")
		if !ok || id.Role != Operate || id.Source != "192.0.2.7" || id.Name != "token "+made.ID+" (ci)" {
			t.Errorf("the token identifies %+v, %t", id, ok)
		}
		if list := tokens.List(); len(list) != 2 || list[0].Name != "another" || list[1].ID != made.ID || list[1].Used.IsZero() || !list[0].Used.IsZero() {
			t.Errorf("the list is %+v", list)
		}
		tokens = openTokens(t, f) // as after a restart
	}
	id, _ := tokens.Identify(text, "")
	select {
	case <-id.Ended:
		t.Error("the token has ended before it is revoked")
	default:
	}
	if _, err := tokens.Revoke(made.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case <-id.Ended:
	default:
		t.Error("revoking the token does not tell who has connections of it")
	}
	if _, err := tokens.Revoke(made.ID); !errors.Is(err, ErrNoToken) {
		t.Errorf("revoking it again: %v", err)
	}
	for range 2 {
		if id, ok := tokens.Identify(text, ""); ok {
			t.Errorf("the revoked token identifies %+v", id)
		}
		if _, ok := tokens.Identify(other, ""); !ok {
			t.Error("revoking one token has ended another")
		}
		tokens = openTokens(t, f)
	}
}

// Nothing but a token's exact text identifies anybody.
func TestWrongTokens(t *testing.T) {
	tokens := openTokens(t, &file{})
	_, text, err := tokens.Add("a", Admin, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		other := "b"
		if text[i] == 'b' {
			other = "c"
		}
		for _, wrong := range []string{text[:i], text[i+1:], text[:i] + other + text[i+1:], text[:i] + "_" + text[i:]} {
			if id, ok := tokens.Identify(wrong, ""); ok {
				t.Errorf("%q, where the token is %q, identifies %+v", wrong, text, id)
			}
		}
	}
	for _, wrong := range []string{"", text + "a", text + "=", " " + text, strings.ToUpper(text)} {
		if _, ok := tokens.Identify(wrong, ""); ok {
			t.Errorf("%q, where the token is %q, identifies somebody", wrong, text)
		}
	}
}

// A token ends when it expires, and so do its holder's connections.
func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		tokens, err := OpenTokens(nil, f.keep)
		if err != nil {
			t.Fatal(err)
		}
		defer tokens.Close()
		_, text, err := tokens.Add("short", Read, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.Add("long", Read, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		id, ok := tokens.Identify(text, "")
		if !ok {
			t.Fatal("the token does not work")
		}
		begun := time.Now()
		<-id.Ended
		if after := time.Since(begun); after < 58*time.Second || after > time.Minute {
			t.Errorf("the token ended after %v, want a minute", after)
		}
		if _, ok := tokens.Identify(text, ""); ok {
			t.Error("the expired token works")
		}
		if list := tokens.List(); len(list) != 1 || list[0].Name != "long" {
			t.Errorf("the list is %+v", list)
		}
		again, err := OpenTokens(f.data, f.keep)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if list := again.List(); len(list) != 1 {
			t.Errorf("after a restart the list is %+v", list)
		}
	})
}

// What cannot be kept is not done.
func TestTokensThatCannotBeKept(t *testing.T) {
	f := &file{}
	tokens := openTokens(t, f)
	made, text, err := tokens.Add("a", Read, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	f.err = errors.New("the disk is full")
	if _, _, err := tokens.Add("b", Read, time.Now().Add(time.Hour)); !errors.Is(err, f.err) {
		t.Errorf("adding: %v", err)
	}
	if _, err := tokens.Revoke(made.ID); !errors.Is(err, f.err) {
		t.Errorf("revoking: %v", err)
	}
	if _, ok := tokens.Identify(text, ""); !ok || len(tokens.List()) != 1 {
		t.Errorf("the list is %+v, and the first token works: %t", tokens.List(), ok)
	}
	for _, data := range []string{"{}", "[", `[{"id":"a","sha256":"00"}]`, `[{"role":"root"}]`} {
		if _, err := OpenTokens([]byte(data), f.keep); err == nil {
			t.Errorf("tokens are read from %s", data)
		}
	}
}

// Many are made at once, and no more than the most.
func TestManyTokens(t *testing.T) {
	const each, at = 5, 4
	var kept []keptToken
	for i := range MaxTokens - each*at {
		kept = append(kept, keptToken{Token{ID: fmt.Sprint(i), Role: Read, Expires: time.Now().Add(time.Hour)}, strings.Repeat("00", 32)})
	}
	data, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	tokens := openTokens(t, &file{data: data})
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for range each {
				made, text, err := tokens.Add("x", Read, time.Now().Add(time.Hour))
				if err != nil {
					t.Error(err)
					return
				}
				if _, ok := tokens.Identify(text, ""); !ok {
					t.Errorf("token %s does not work", made.ID)
				}
			}
		})
	}
	wg.Wait()
	if _, _, err := tokens.Add("x", Read, time.Now().Add(time.Hour)); err == nil || len(tokens.List()) != MaxTokens {
		t.Errorf("there are %d tokens, and another one: %v", len(tokens.List()), err)
	}
}

func TestWithoutSecrets(t *testing.T) {
	for _, text := range []string{"", "GET /v1/route", "POST /v1/token/revoke?id=k3v9q2xa", strings.Repeat("a", 51)} {
		if got := WithoutSecrets(text); got != text {
			t.Errorf("%q without secrets is %q", text, got)
		}
	}
	tokens := openTokens(t, &file{})
	_, token, err := tokens.Add("a", Read, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	secret := token[strings.LastIndex(token, "_")+1:]
	for _, before := range []string{"", "rtd_", "rtd_x_", "rtd", "_rtd_rtd_", "a rtd_ b"} {
		if got := WithoutSecrets(before + token + "&x"); strings.Contains(got, secret) {
			t.Errorf("%q behind %q leaves %q", token, before, got)
		}
	}
}

func FuzzOpenTokens(f *testing.F) {
	f.Add([]byte(`[{"id":"abcdefgh","name":"ci","role":"read","created":"2026-01-01T00:00:00Z","expires":"2126-01-01T00:00:00Z","sha256":"` + strings.Repeat("0f", 32) + `"}]`))
	path := filepath.Join(f.TempDir(), "tokens")
	f.Fuzz(func(t *testing.T, data []byte) {
		tokens, err := OpenTokens(data, func(b []byte) error { return os.WriteFile(path, b, 0o600) })
		if err != nil {
			return
		}
		defer tokens.Close()
		if _, ok := tokens.Identify(string(data), ""); ok {
			t.Errorf("%q identifies somebody", data)
		}
	})
}
