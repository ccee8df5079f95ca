package config

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing/keys"
)

// decodeKeys reads the key chains, [[keys.NAME]].
func (r *reader) decodeKeys(top *tomltext.Section, c *Config) {
	s := top.Section("keys")
	r.keys = map[string][]*tomltext.Section{}
	for _, name := range s.Names() {
		if c.Keys == nil {
			c.Keys = map[string][]decode.Key{}
		}
		seen := map[uint8]bool{}
		for _, t := range s.Sections(name) {
			k := decode.Key{At: t.At}
			k.ID = uint8(tomltext.Get(t, "id", 0, tomltext.Whole(0, 255)))
			k.File = tomltext.Get(t, "file", "", tomltext.Text("the path of a file that holds the key"))
			k.Send = tomltext.Get(t, "send", keys.Lifetime{}, lifetime)
			k.Accept = tomltext.Get(t, "accept", keys.Lifetime{}, lifetime)
			k.Algorithm = tomltext.Get(t, "algorithm", keys.None, decode.Algorithm)
			t.Default("id", "") // there is none
			for _, key := range []string{"id", "file"} {
				if !t.Has(key) {
					r.WrongKey(t.At, fmt.Sprintf("%s has no %s", t.At, key), `id = 1 and file = "/etc/routerd/keys/core-1", say`)
				}
			}
			t.Done()
			t.Name(fmt.Sprintf("id %d", k.ID), "id")
			r.keys[name] = append(r.keys[name], t)
			if seen[k.ID] && t.Has("id") {
				r.Wrong(t.At.With("id"), fmt.Sprintf("%s is %d, which a key of %s has already", t.At.With("id"), k.ID, name), "a number of its own")
			}
			seen[k.ID] = true
			c.Keys[name] = append(c.Keys[name], k)
		}
	}
	s.Done()
}

var lifetime = tomltext.Reading[keys.Lifetime]{Read: func(v any) (keys.Lifetime, error) {
	s, ok := v.(string)
	if !ok {
		return keys.Lifetime{}, tomltext.ErrUnwanted
	}
	from, until, ok := strings.Cut(s, "/")
	if !ok {
		return keys.Lifetime{}, tomltext.ErrUnwanted
	}
	var l keys.Lifetime
	for _, end := range []struct {
		text string
		to   *time.Time
	}{{from, &l.From}, {until, &l.Until}} {
		if end.text == "" {
			continue // no bound
		}
		t, err := time.Parse(time.RFC3339, end.text)
		if err != nil {
			return keys.Lifetime{}, tomltext.ErrUnwanted
		}
		*end.to = t
	}
	if !l.Until.IsZero() && !l.From.Before(l.Until) {
		return keys.Lifetime{}, tomltext.Hint{Message: "which ends before it begins"}
	}
	return l, nil
}, Want: `two times with a slash between, "2026-01-01T00:00:00Z/2027-01-01T00:00:00Z"; either may be left out for no bound`}

// readKeys reads the secrets of the chains that are used and passes them to
// their users. A line end at the end of a file is not part of the key.
func (r *reader) readKeys(c *Config, dir string) {
	for _, f := range r.context.Secrets() {
		secret := r.readSecret(f.At, f.File, dir)
		r.context.HandOutSecret(f, secret, secretText(f.File, secret))
	}
	for _, name := range sortedKeys(c.Keys) {
		if !r.context.Used(name) {
			continue
		}
		secrets := r.readChain(c.Keys[name], dir)
		r.context.HandOut(name, secrets)
		for n, k := range c.Keys[name] {
			r.keys[name][n].Record("file", secretText(k.File, secrets[n]))
		}
	}
}

// diffKey is random in each process, so that secrets cannot be guessed from
// what a diff shows.
var diffKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
})

// keyed returns a hash that stands for a secret. It only shows whether two
// secrets in this process are the same.
func keyed(secret []byte) []byte {
	h := hmac.New(sha256.New, diffKey())
	h.Write(secret)
	return h.Sum(nil)
}

func (r *reader) readChain(chain []decode.Key, dir string) [][]byte {
	list := make([][]byte, len(chain))
	for n, k := range chain {
		list[n] = r.readSecret(k.At.With("file"), k.File, dir)
	}
	return list
}

// readSecret reads the file that the value at a path names.
func (r *reader) readSecret(at tomltext.Path, file, dir string) []byte {
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		r.Wrong(at, fmt.Sprintf("reading a key: %v", err), "a file that routerd can read, with the key alone in it")
		return nil
	}
	if st, err := os.Stat(file); err == nil && st.Mode().Perm()&0o004 != 0 {
		r.Odd(at, fmt.Sprintf("everybody on the machine can read the key in %s", file), "chmod o= "+file)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		r.Wrong(at, fmt.Sprintf("the key in %s is empty", file), "a file with the key alone in it")
	}
	return data
}

// secretText stands for the file of a secret and its content.
func secretText(file string, secret []byte) string {
	return fmt.Sprintf("%s (sum %.4x)", file, keyed(secret))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
