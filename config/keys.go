package config

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"routerd/internal/tomltext"
	"routerd/routing/rip"
)

// Key is one of [[keys.NAME]]; its secret is what its file has.
type Key struct {
	ID           uint8
	File         string
	Algorithm    rip.Algorithm // NoAuth: whatever uses the key says
	Send, Accept rip.Lifetime
	at           tomltext.Path
}

// decodeKeys reads [[keys.NAME]], chains of keys by name.
func (r *reader) decodeKeys(top *tomltext.Section, c *Config) {
	s := top.Section("keys")
	for _, name := range s.Names() {
		if c.Keys == nil {
			c.Keys = map[string][]Key{}
		}
		c.placed(r, s.At.With(name))
		seen := map[uint8]bool{}
		for _, t := range s.Sections(name) {
			k := Key{
				ID:     uint8(tomltext.Get(t, "id", 0, tomltext.Whole(0, 255))),
				File:   tomltext.Get(t, "file", "", tomltext.Text("the path of a file that holds the key")),
				Send:   tomltext.Get(t, "send", rip.Lifetime{}, lifetime),
				Accept: tomltext.Get(t, "accept", rip.Lifetime{}, lifetime),
				at:     t.At,
			}
			words := make([]string, len(ripAuthTypes))
			for i, a := range ripAuthTypes {
				words[i] = a.String()
			}
			k.Algorithm = tomltext.Get(t, "algorithm", rip.NoAuth, tomltext.OneOf(words, ripAuthTypes))
			for _, key := range []string{"id", "file"} {
				if !t.Has(key) {
					r.WrongKey(t.At, fmt.Sprintf("%s has no %s", t.At, key), `id = 1 and file = "/etc/routerd/keys/core-1", say`)
				}
			}
			t.Done()
			if seen[k.ID] && t.Has("id") {
				r.Wrong(t.At.With("id"), fmt.Sprintf("%s is %d, which a key of %s has already", t.At.With("id"), k.ID, name), "a number of its own")
			}
			seen[k.ID] = true
			c.Keys[name] = append(c.Keys[name], k)
		}
	}
	s.Done()
}

var lifetime = tomltext.Reading[rip.Lifetime]{Read: func(v any) (rip.Lifetime, error) {
	s, ok := v.(string)
	if !ok {
		return rip.Lifetime{}, tomltext.ErrUnwanted
	}
	from, until, ok := strings.Cut(s, "/")
	if !ok {
		return rip.Lifetime{}, tomltext.ErrUnwanted
	}
	var l rip.Lifetime
	for _, end := range []struct {
		text string
		to   *time.Time
	}{{from, &l.From}, {until, &l.Until}} {
		if end.text == "" {
			continue // no bound
		}
		t, err := time.Parse(time.RFC3339, end.text)
		if err != nil {
			return rip.Lifetime{}, tomltext.ErrUnwanted
		}
		*end.to = t
	}
	if !l.Until.IsZero() && !l.From.Before(l.Until) {
		return rip.Lifetime{}, tomltext.Hint{Message: "which ends before it begins"}
	}
	return l, nil
}, Want: `two times with a slash between, "2026-01-01T00:00:00Z/2027-01-01T00:00:00Z"; either may be left out for no bound`}

// readKeys fills in the secrets of the chains that are used. A file's last
// line end is not part of the key.
func (r *reader) readKeys(c *Config, dir string) {
	if c.RIP == nil {
		return
	}
	secrets := map[string][][]byte{} // of each chain, once
	for _, name := range sortedKeys(c.chains) {
		chain := c.chains[name]
		if _, done := secrets[chain]; !done {
			secrets[chain] = r.readChain(c.Keys[chain], dir)
		}
		i := c.RIP.Interfaces[name]
		for n := range i.Auth.Keys {
			k := &i.Auth.Keys[n]
			k.Secret = secrets[chain][n]
			r.checkKeyLength(c.Keys[chain][n].at.With("file"), k, i.Auth.Algorithm)
		}
		c.RIP.Interfaces[name] = i
	}
}

// checkKeyLength refuses a secret that the algorithm, the key's own or else the
// interface's, has no room for (RFC 2453 §4.1, RFC 4822 §3.1).
func (r *reader) checkKeyLength(at tomltext.Path, k *rip.Key, of rip.Algorithm) {
	if k.Algorithm != rip.NoAuth {
		of = k.Algorithm
	}
	if (of == rip.PlainText || of == rip.KeyedMD5) && len(k.Secret) > rip.LongestKey {
		r.Wrong(at, fmt.Sprintf("%s has a key of %d bytes, and %s has room for %d", at, len(k.Secret), of, rip.LongestKey),
			"a shorter key, or an hmac-sha algorithm")
	}
}

func (r *reader) readChain(chain []Key, dir string) [][]byte {
	list := make([][]byte, len(chain))
	for n, k := range chain {
		at := k.at.With("file")
		file := k.File
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			r.Wrong(at, fmt.Sprintf("reading a key: %v", err), "a file that routerd can read, with the key alone in it")
			continue
		}
		if st, err := os.Stat(file); err == nil && st.Mode().Perm()&0o004 != 0 {
			r.Odd(at, fmt.Sprintf("everybody on the machine can read the key in %s", file), "chmod o= "+file)
		}
		data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
		if len(data) == 0 {
			r.Wrong(at, fmt.Sprintf("the key in %s is empty", file), "a file with the key alone in it")
		}
		list[n] = data
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
