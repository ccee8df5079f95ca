package decode

import (
	"cmp"
	"fmt"

	"routerd/internal/tomltext"
	"routerd/routing/keys"
)

// Key is one of [[keys.NAME]]. Its secret is what its file has.
type Key struct {
	keys.Key // without its secret
	File     string
	At       tomltext.Path // of its table
}

// Algorithm reads the name of an algorithm that authenticates.
var Algorithm = func() tomltext.Reading[keys.Algorithm] {
	all := []keys.Algorithm{keys.PlainText, keys.KeyedMD5, keys.HMACSHA1, keys.HMACSHA256, keys.HMACSHA384, keys.HMACSHA512}
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return tomltext.OneOf(words, all)
}()

// KeyChain reads the name of a chain of keys at key, and gives both, nil
// keys where there are none. Their secrets are handed to use when all of the
// configuration has been read and found right, in the order of the keys; not
// where only a text is read.
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

// Auth reads auth = { type, keys }: the algorithm of keys that name none, and the
// keys, whose secrets come when all has been read. In plain text and in keyed MD5
// there is room for so many bytes of a secret.
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

// takeSecrets gives keys their secrets, and refuses one that the algorithm, the
// key's own or else the given one, has no room for.
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

// HandOut gives the secrets of a chain to whoever uses it.
func (c *Context) HandOut(chain string, secrets [][]byte) {
	for _, use := range c.uses[chain] {
		use(secrets)
	}
}
