package keys

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// Algorithm is an algorithm for authenticating packets. Each protocol has its
// own rules of what is hashed in which order.
type Algorithm uint8

const (
	None       Algorithm = iota
	PlainText            // a password in clear
	KeyedMD5             // the hash of packet and secret (RFC 4822 §2.4, RFC 2328 §D.4.3)
	HMACSHA1             // RFC 2104 with the hash, like the following
	HMACSHA256           //
	HMACSHA384           //
	HMACSHA512           //
)

var algorithms = [...]struct {
	name string
	new  func() hash.Hash
	size int
}{
	None:       {name: "none"},
	PlainText:  {name: "plain-text"},
	KeyedMD5:   {"md5", md5.New, md5.Size},
	HMACSHA1:   {"hmac-sha1", sha1.New, sha1.Size},
	HMACSHA256: {"hmac-sha256", sha256.New, sha256.Size},
	HMACSHA384: {"hmac-sha384", sha512.New384, sha512.Size384},
	HMACSHA512: {"hmac-sha512", sha512.New, sha512.Size},
}

// MaxSize is the largest Size.
const MaxSize = sha512.Size

func (a Algorithm) known() bool { return int(a) < len(algorithms) }

// String gives the name used in configuration, tables and JSON.
func (a Algorithm) String() string {
	if !a.known() {
		return "unknown"
	}
	return algorithms[a].name
}

// ParseAlgorithm is the inverse of String.
func ParseAlgorithm(name string) (Algorithm, error) {
	for a := range algorithms {
		if algorithms[a].name == name {
			return Algorithm(a), nil
		}
	}
	return None, fmt.Errorf("authentication %q: want none, plain-text, md5, hmac-sha1, hmac-sha256, hmac-sha384 or hmac-sha512", name)
}

// Size is the length of the hash in octets, 0 of None and PlainText.
func (a Algorithm) Size() int {
	if !a.known() {
		return 0
	}
	return algorithms[a].size
}

// New makes the hash, of an algorithm with a Size.
func (a Algorithm) New() hash.Hash { return algorithms[a].new() }
