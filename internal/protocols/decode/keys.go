package decode

import (
	"cmp"
	"fmt"

	"routerd/internal/tomltext"
	"routerd/routing/keys"
)

// Key is one key of [[keys.NAME]]. Its secret is the content of its file.
type Key struct {
	keys.Key // without its secret
	File     string
	At       tomltext.Path // of its table
}

// Algorithm reads the name of an authentication algorithm.
var Algorithm = func() tomltext.Reading[keys.Algorithm] {
	all := []keys.Algorithm{keys.PlainText, keys.KeyedMD5, keys.HMACSHA1, keys.HMACSHA256, keys.HMACSHA384, keys.HMACSHA512}
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return tomltext.OneOf(words, all)
}()

// KeyChain reads the name of a key chain at key and returns the name and the
// keys, nil if there is none. It calls use with their secrets, in the order of
// the keys, when the whole configuration has been read and is valid; not if
// only a text is parsed.
func (c *Context) KeyChain(s *tomltext.Section, key string, use func(secrets [][]byte)) (name string, chain []Key) {
	name = tomltext.Get(s, key, "", tomltext.Text("the name of keys: [[keys.NAME]]"))
	if name == "" {
		return "", nil
	}
	at := s.At.With(key)
	chain, known := c.Keys[name]
	if !known {
		p := c.Wrong(at, fmt.Sprintf("%s is %q, and there are no [[keys.%s]]", at, name, name), "the name of keys that there are")
		var names []string
		for name := range c.Keys {
			names = append(names, name)
		}
		p.Suggestion = tomltext.Suggest(name, names)
		return name, nil
	}
	if c.uses == nil {
		c.uses = map[string][]func([][]byte){}
	}
	c.uses[name] = append(c.uses[name], use)
	return name, chain
}

// Auth reads auth = { type, keys }: the algorithm for keys that name none, and
// the keys, whose secrets follow when everything has been read. room is the
// most bytes of a secret in plain text and with keyed MD5.
func (c *Context) Auth(s *tomltext.Section, room int) (keys.Algorithm, keys.Chain) {
	algorithm := tomltext.Get(s, "type", keys.None, Algorithm)
	var list []Key
	var used keys.Chain
	name, list := c.KeyChain(s, "keys", func(secrets [][]byte) { c.takeSecrets(algorithm, used, list, secrets, room) })
	if s.Done(); s.Table == nil {
		return keys.None, nil
	}
	for _, key := range []string{"type", "keys"} {
		if !s.Has(key) {
			c.Wrong(s.At, fmt.Sprintf("%s has no %s", s.At, key), `auth = { type = "md5", keys = "core" }, say`)
		}
	}
	for _, k := range list {
		if k.Algorithm != keys.None && (k.Algorithm == keys.PlainText) != (algorithm == keys.PlainText) {
			c.Wrong(k.At.With("algorithm"), fmt.Sprintf("a key for %s in %s, where %s is used", k.Algorithm, name, algorithm), "another chain for each")
		}
		used = append(used, k.Key)
	}
	return algorithm, used
}

// takeSecrets sets the secrets of keys, and refuses one that is too long for
// the key's algorithm, or the given one if the key names none.
func (c *Context) takeSecrets(of keys.Algorithm, used keys.Chain, list []Key, secrets [][]byte, room int) {
	for n := range used {
		k := &used[n]
		k.Secret = secrets[n]
		algorithm := cmp.Or(k.Algorithm, of)
		if at := list[n].At.With("file"); (algorithm == keys.PlainText || algorithm == keys.KeyedMD5) && len(k.Secret) > room {
			c.Wrong(at, fmt.Sprintf("%s has a key of %d bytes, and %s has room for %d", at, len(k.Secret), algorithm, room),
				"a shorter key, or an hmac-sha algorithm")
		}
	}
}

// Used reports whether anything uses the chain.
func (c *Context) Used(chain string) bool { return len(c.uses[chain]) > 0 }

// HandOut passes the secrets of a chain to all its users.
func (c *Context) HandOut(chain string, secrets [][]byte) {
	for _, use := range c.uses[chain] {
		use(secrets)
	}
}
