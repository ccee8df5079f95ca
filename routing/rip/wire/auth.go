package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"routerd/routing/keys"
)

// AuthType is the type in an authentication entry.
type AuthType uint16

const (
	AuthNone          AuthType = 0 // no authentication entry
	AuthPassword      AuthType = 2 // RFC 2453 §4.1
	AuthCryptographic AuthType = 3 // RFC 4822 §2.1
)

// Auth is a packet's authentication entry.
type Auth struct {
	Type AuthType
	// With AuthCryptographic: the key and the sequence number, which never
	// decreases.
	KeyID    uint8
	Sequence uint32
}

// Seal is the algorithm and the key that a packet is authenticated with.
type Seal struct {
	Algorithm keys.Algorithm
	KeyID     uint8
	Sequence  uint32
	// Secret has at most 16 octets as a password or with keyed MD5, and any
	// length with the other algorithms.
	Secret []byte
}

// The authentication entry and trailer of a packet (RFC 4822 §2.1). A password
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
	firstEntry    = HeaderSize + EntrySize // after the authentication entry
	md5KeySize    = 16
)

// decode reads the authentication entry of the packet b, which has one, and
// returns the entries after it.
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

// begin appends the authentication entry of a packet with that many entries.
func (s Seal) begin(dst []byte, entries int, whole bool) []byte {
	if s.Algorithm == keys.None {
		return dst
	}
	if s.Algorithm == keys.PlainText {
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
var apad = bytes.Repeat([]byte{0x87, 0x8f, 0xe1, 0xf3}, keys.MaxSize/4)

// digest appends the authentication data of a packet to dst. packet ends where
// these data begin.
func (s Seal) digest(dst, packet []byte) []byte {
	if s.Algorithm == keys.KeyedMD5 {
		// RFC 4822 §2.4: the key takes the place of the data and always has 16
		// octets.
		var key [md5KeySize]byte
		copy(key[:], s.Secret)
		h := s.Algorithm.New()
		h.Write(packet)
		h.Write(key[:])
		return h.Sum(dst)
	}
	// RFC 4822 §2.5 (1): Ko has the length of the hash. A longer key is hashed
	// first, even if HMAC itself would take it as it is. HMAC fills a shorter
	// one with zeros.
	key := s.Secret
	if len(key) > s.Algorithm.Size() {
		h := s.Algorithm.New()
		h.Write(key)
		key = h.Sum(nil)
	}
	h := hmac.New(s.Algorithm.New, key)
	h.Write(packet)
	h.Write(apad[:s.Algorithm.Size()])
	return h.Sum(dst)
}

// Verify reports whether the packet b, which was decoded to an Auth with a type
// other than AuthNone, was made with the algorithm and secret of s. It compares
// in constant time and ignores the KeyID and Sequence of s.
func Verify(b []byte, s Seal) bool {
	kind := AuthType(binary.BigEndian.Uint16(b[HeaderSize+2:]))
	switch {
	case s.Algorithm == keys.PlainText:
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
	var sum [keys.MaxSize]byte
	return hmac.Equal(s.digest(sum[:0], b[:data]), b[data:])
}
