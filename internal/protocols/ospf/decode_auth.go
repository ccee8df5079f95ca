package ospf

import (
	"fmt"

	"routerd/internal/protocols/decode"
	"routerd/internal/tomltext"
	"routerd/routing/keys"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// authType is what a word of the configuration stands for.
type authType struct {
	kind      wire.AuthType
	algorithm keys.Algorithm
}

var authTypes = []struct {
	word string
	authType
}{
	{"simple", authType{wire.AuthSimple, keys.PlainText}},
	{"md5", authType{wire.AuthCryptographic, keys.KeyedMD5}},
	{"hmac-sha1", authType{wire.AuthCryptographic, keys.HMACSHA1}},
	{"hmac-sha256", authType{wire.AuthCryptographic, keys.HMACSHA256}},
	{"hmac-sha384", authType{wire.AuthCryptographic, keys.HMACSHA384}},
	{"hmac-sha512", authType{wire.AuthCryptographic, keys.HMACSHA512}},
	// RFC 7474: the sequence number has 64 bits and outlives restarts.
	{"extended-hmac-sha1", authType{wire.AuthExtended, keys.HMACSHA1}},
	{"extended-hmac-sha256", authType{wire.AuthExtended, keys.HMACSHA256}},
	{"extended-hmac-sha384", authType{wire.AuthExtended, keys.HMACSHA384}},
	{"extended-hmac-sha512", authType{wire.AuthExtended, keys.HMACSHA512}},
}

// String is the word.
func (t authType) String() string {
	for _, a := range authTypes {
		if a.authType == t {
			return a.word
		}
	}
	return ""
}

var authReading = func() tomltext.Reading[authType] {
	var words []string
	var types []authType
	for _, a := range authTypes {
		words, types = append(words, a.word), append(types, a.authType)
	}
	return tomltext.OneOf(words, types)
}()

// allows reports whether a key of the algorithm can be used with the type.
func (t authType) allows(a keys.Algorithm) bool {
	switch t.kind {
	case wire.AuthSimple:
		return a == keys.PlainText
	case wire.AuthExtended:
		return a != keys.PlainText && a != keys.KeyedMD5
	}
	return a != keys.PlainText
}

// decodeAuth reads auth = { type, keys }. The secrets come when all has been read.
func (d *decoder) decodeAuth(s *tomltext.Section) ospf.Auth {
	t := tomltext.Get(s, "type", authType{}, authReading)
	var list []decode.Key
	var used keys.Chain
	chain, list := d.KeyChain(s, "keys", func(secrets [][]byte) { d.takeSecrets(t, used, list, secrets) })
	if s.Done(); s.Table == nil {
		return ospf.Auth{}
	}
	for _, key := range []string{"type", "keys"} {
		if !s.Has(key) {
			d.Wrong(s.At, fmt.Sprintf("%s has no %s", s.At, key), `auth = { type = "hmac-sha256", keys = "core" }, say`)
		}
	}
	for _, k := range list {
		if k.Algorithm != keys.None && t != (authType{}) && !t.allows(k.Algorithm) {
			d.Wrong(k.At.With("algorithm"), fmt.Sprintf("a key for %s in %s, where %s is used", k.Algorithm, chain, t), "another chain for each")
		}
		used = append(used, k.Key)
	}
	d.checkLifetimes(chain, list)
	return ospf.Auth{Type: t.kind, Algorithm: t.algorithm, Keys: used}
}

// checkLifetimes warns of keys that are sent at a time at which the router itself
// would not accept them: a neighbour with the same keys does not, either.
func (d *decoder) checkLifetimes(chain string, list []decode.Key) {
	for _, k := range list {
		if k.Accept == (keys.Lifetime{}) {
			continue
		}
		from := !k.Accept.From.IsZero() && k.Send.From.Before(k.Accept.From)
		until := !k.Accept.Until.IsZero() && (k.Send.Until.IsZero() || k.Send.Until.After(k.Accept.Until))
		if from || until {
			d.Odd(k.At.With("accept"), fmt.Sprintf("key %d of %s may be sent when it is not accepted", k.ID, chain), "an accept that begins no later than send and ends no earlier")
		}
	}
}

// Longest secrets (RFC 2328 §D.2, §D.3); an HMAC takes any.
const (
	longestPassword = 8
	longestMD5      = 16
)

func (d *decoder) takeSecrets(t authType, used keys.Chain, list []decode.Key, secrets [][]byte) {
	for n := range used {
		k := &used[n]
		k.Secret = secrets[n]
		algorithm := k.Algorithm
		if algorithm == keys.None {
			algorithm = t.algorithm
		}
		room := 0
		switch algorithm {
		case keys.PlainText:
			room = longestPassword
		case keys.KeyedMD5:
			room = longestMD5
		default:
			continue
		}
		if at := list[n].At.With("file"); len(k.Secret) > room {
			d.Wrong(at, fmt.Sprintf("%s has a key of %d bytes, and %s has room for %d", at, len(k.Secret), t, room), "a shorter key, or an hmac-sha type")
		}
	}
}
