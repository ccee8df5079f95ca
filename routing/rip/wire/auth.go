package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
)

// Algorithm is a way of authenticating packets.
type Algorithm uint8

const (
	NoAuth     Algorithm = iota
	PlainText            // a password in clear, RFC 2453 §4.1
	KeyedMD5             // RFC 2082, RFC 4822 §2.4
	HMACSHA1             // RFC 4822 §2.5, like the following
	HMACSHA256           //
	HMACSHA384           //
	HMACSHA512           //
)

var algorithms = [...]struct {
	name string
	new  func() hash.Hash
	size int // of the authentication data, octets
}{
	NoAuth:     {name: "none"},
	PlainText:  {name: "plain-text"},
	KeyedMD5:   {"md5", md5.New, md5.Size},
	HMACSHA1:   {"hmac-sha1", sha1.New, sha1.Size},
	HMACSHA256: {"hmac-sha256", sha256.New, sha256.Size},
	HMACSHA384: {"hmac-sha384", sha512.New384, sha512.Size384},
	HMACSHA512: {"hmac-sha512", sha512.New, sha512.Size},
}

// String gives the name used in configuration, tables and JSON.
func (a Algorithm) String() string {
	if int(a) >= len(algorithms) {
		return "unknown"
	}
	return algorithms[a].name
}

// ParseAlgorithm gives the algorithm of a name that String gives.
func ParseAlgorithm(name string) (Algorithm, error) {
	for a := range algorithms {
		if algorithms[a].name == name {
			return Algorithm(a), nil
		}
	}
	return NoAuth, fmt.Errorf("authentication %q: want none, plain-text, md5, hmac-sha1, hmac-sha256, hmac-sha384 or hmac-sha512", name)
}

// Size is the length of the authentication data in octets, 0 without a
// trailer.
func (a Algorithm) Size() int {
	if int(a) >= len(algorithms) {
		return 0
	}
	return algorithms[a].size
}

// AuthType is the type in an authentication entry.
type AuthType uint16

const (
	AuthNone          AuthType = 0 // no authentication entry
	AuthPassword      AuthType = 2 // RFC 2453 §4.1
	AuthCryptographic AuthType = 3 // RFC 4822 §2.1
)

// Auth is what a packet's authentication entry says.
type Auth struct {
	Type AuthType
	// Of AuthCryptographic: which key, and the number that does not decrease.
	KeyID    uint8
	Sequence uint32
}

// Seal is what a packet is authenticated with.
type Seal struct {
	Algorithm Algorithm
	KeyID     uint8
	Sequence  uint32
	// Secret is used up to 16 octets as a password or with keyed MD5, and at
	// any length with the others.
	Secret []byte
}

// The packet's authentication entry and trailer of RFC 4822 §2.1; a password
// takes the place of everything after the type.
//
//	+---------------+---------------+-------------------------------+
//	|             0xffff            |    authentication type (2)    |
//	+---------------+---------------+---------------+---------------+
//	|       packet length (2)       |   key id (1)  | data len (1)  |
//	+---------------+---------------+---------------+---------------+
//	|                      sequence number (4)                      |
//	|                       must be zero (8)                        |
//	+---------------------------------------------------------------+
//	~                            entries                            ~
//	+---------------+---------------+-------------------------------+
//	|             0xffff            |             0x0001            |
//	+---------------+---------------+-------------------------------+
//	~                      authentication data                      ~
//	+---------------------------------------------------------------+
const (
	trailerHeader = 4
	trailerMark   = 0xffff0001
	firstEntry    = HeaderSize + EntrySize // behind the authentication entry
	md5KeySize    = 16
)

// decode reads the authentication entry of the packet b, which has one, and
// gives the entries behind it.
func (a *Auth) decode(b []byte) ([]byte, error) {
	e := b[HeaderSize:]
	a.Type = AuthType(binary.BigEndian.Uint16(e[2:]))
	switch a.Type {
	case AuthPassword:
		return b[firstEntry:], nil
	case AuthCryptographic:
	default:
		return nil, fmt.Errorf("%w: %d", ErrAuthType, a.Type)
	}
	length, data := int(binary.BigEndian.Uint16(e[4:])), int(e[7])
	a.KeyID, a.Sequence = e[6], binary.BigEndian.Uint32(e[8:])
	left := len(b) - length - trailerHeader
	switch {
	case length < firstEntry || left <= 0:
		return nil, fmt.Errorf("%w: at %d in a packet of %d octets", ErrTrailer, length, len(b))
	case binary.BigEndian.Uint32(b[length:]) != trailerMark:
		return nil, fmt.Errorf("%w: no trailer at %d", ErrTrailer, length)
	case data != left && data != left+trailerHeader:
		return nil, fmt.Errorf("%w: %d octets, but announced as %d", ErrTrailer, left, data)
	}
	return b[firstEntry:length], nil
}

// begin appends the authentication entry for a packet of so many entries.
func (s Seal) begin(dst []byte, entries int, whole bool) []byte {
	if s.Algorithm == NoAuth {
		return dst
	}
	if s.Algorithm == PlainText {
		dst = binary.BigEndian.AppendUint32(dst, familyAuth<<16|uint32(AuthPassword))
		var password [16]byte
		copy(password[:], s.Secret)
		return append(dst, password[:]...)
	}
	if whole {
		entries = 1
	}
	dst = binary.BigEndian.AppendUint32(dst, familyAuth<<16|uint32(AuthCryptographic))
	dst = binary.BigEndian.AppendUint16(dst, uint16(firstEntry+entries*EntrySize))
	dst = append(dst, s.KeyID, byte(s.Algorithm.Size()))
	dst = binary.BigEndian.AppendUint32(dst, s.Sequence)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}

// finish appends the trailer to the packet that begins at dst[start].
func (s Seal) finish(dst []byte, start int) []byte {
	if s.Algorithm.Size() == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, trailerMark)
	return s.digest(dst, dst[start:])
}

// apad fills the authentication data while the first hash is made (RFC 4822
// §2.5).
var apad = bytes.Repeat([]byte{0x87, 0x8f, 0xe1, 0xf3}, sha512.Size/4)

// digest appends to dst the authentication data of a packet, which is given
// up to where these data begin.
func (s Seal) digest(dst, packet []byte) []byte {
	how := algorithms[s.Algorithm]
	if s.Algorithm == KeyedMD5 {
		// RFC 4822 §2.4: the key stands where the data will, and has always
		// 16 octets.
		var key [md5KeySize]byte
		copy(key[:], s.Secret)
		h := how.new()
		h.Write(packet)
		h.Write(key[:])
		return h.Sum(dst)
	}
	// RFC 4822 §2.5 (1): Ko has the length of the hash, and a longer key is
	// hashed first, also one that HMAC itself would take as it is. A shorter
	// one is filled up with zeros, which HMAC does.
	key := s.Secret
	if len(key) > how.size {
		h := how.new()
		h.Write(key)
		key = h.Sum(nil)
	}
	h := hmac.New(how.new, key)
	h.Write(packet)
	h.Write(apad[:how.size])
	return h.Sum(dst)
}

// Verify reports whether the packet b, which was decoded to an Auth with a
// type other than AuthNone, was made with the algorithm and secret of s. It
// compares in constant time. KeyID and Sequence of s are not looked at.
func Verify(b []byte, s Seal) bool {
	kind := AuthType(binary.BigEndian.Uint16(b[HeaderSize+2:]))
	switch {
	case s.Algorithm == PlainText:
		var password [16]byte
		copy(password[:], s.Secret)
		return kind == AuthPassword && subtle.ConstantTimeCompare(password[:], b[HeaderSize+4:firstEntry]) == 1
	case s.Algorithm.Size() == 0 || kind != AuthCryptographic:
		return false
	}
	data := int(binary.BigEndian.Uint16(b[HeaderSize+4:])) + trailerHeader
	if len(b)-data != s.Algorithm.Size() {
		return false
	}
	var sum [sha512.Size]byte
	return hmac.Equal(s.digest(sum[:0], b[:data]), b[data:])
}
