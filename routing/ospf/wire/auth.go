package wire

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"

	"routerd/routing/keys"
)

// Auth is what a packet says of its authentication.
type Auth struct {
	Type  AuthType
	KeyID uint32 // of AuthCryptographic at most 255
	// Sequence of AuthCryptographic has 32 bits.
	Sequence uint64
	// Length is how many octets of authentication data follow the packet.
	Length uint8
}

// The authentication field of the header with AuthCryptographic (RFC 2328 §D.3),
// and with AuthExtended (RFC 7474 §3), where the sequence number is the first
// part of the authentication data.
//
//	+-------------------------------+---------------+---------------+
//	|               0               |  key ID (1)   | data len (1)  |
//	|                      sequence number (4)                      |
//	+---------------------------------------------------------------+
//
//	+-----------------------------------------------+---------------+
//	|                       0                       | data len (1)  |
//	|                           key ID (4)                          |
//	+---------------------------------------------------------------+
const (
	passwordSize     = 8
	md5KeySize       = 16
	extendedSequence = 8
	// protocolID is OSPFv2's, appended to secrets (RFC 7474 §6, §9).
	protocolID = 3
)

// digests reports whether packets of the type have a digest.
func (t AuthType) digests() bool { return t == AuthCryptographic || t == AuthExtended }

func (a Auth) sealed() bool { return a.Type.digests() }

// Replayed refuses what was said before: with AuthCryptographic a sequence number
// below the last one heard (RFC 2328 §D.5.3 (2), which takes an equal one), with
// AuthExtended one that is not above it (RFC 7474 §2).
func (a Auth) Replayed(last uint64) Refusal {
	if a.sealed() && (a.Sequence < last || a.Type == AuthExtended && a.Sequence == last) {
		return Refusal{Sequence, a.Sequence, last}
	}
	return Refusal{}
}

func (a *Auth) decode(b []byte, length int) Refusal {
	a.Type = AuthType(b[15])
	field, least := b[authAt:HeaderSize], 0
	switch a.Type {
	case AuthNone, AuthSimple:
		return Refusal{}
	case AuthCryptographic:
		a.KeyID, a.Sequence = uint32(field[2]), uint64(binary.BigEndian.Uint32(field[4:]))
	case AuthExtended:
		a.KeyID, least = binary.BigEndian.Uint32(field[4:]), extendedSequence
	default:
		return refuse(AuthUnknown, int(a.Type), 0)
	}
	a.Length = field[3]
	if n := int(a.Length); n < least || length+n > len(b) {
		return refuse(AuthLength, n, len(b)-length)
	}
	if a.Type == AuthExtended {
		a.Sequence = binary.BigEndian.Uint64(b[length:])
	}
	return Refusal{}
}

// Sealer authenticates packets with one key. A nil Sealer is AuthNone. It is
// used by one goroutine at a time, and allocates only when it is made.
type Sealer struct {
	Type  AuthType
	KeyID uint32

	algorithm keys.Algorithm
	password  [passwordSize]byte
	md5Key    [md5KeySize]byte
	mac       hash.Hash // of MD5 the bare hash
	pad       [keys.MaxSize]byte
	sum       [keys.MaxSize]byte
}

// NewSealer makes a Sealer. AuthSimple wants keys.PlainText, AuthCryptographic an
// algorithm with a digest, AuthExtended one that is an HMAC; anything else is an
// error. Of a secret, AuthSimple uses 8 octets and keyed MD5 16. The secret is
// copied.
func NewSealer(t AuthType, a keys.Algorithm, id uint32, secret []byte) (*Sealer, error) {
	s := &Sealer{Type: t, KeyID: id, algorithm: a}
	hashed := a.Size() > 0
	switch {
	case t == AuthSimple && a == keys.PlainText:
		copy(s.password[:], secret)
		return s, nil
	case t == AuthCryptographic && hashed && id > 255:
		return nil, fmt.Errorf("key %d: want at most 255 with %v authentication", id, t)
	case t == AuthCryptographic && a == keys.KeyedMD5:
		copy(s.md5Key[:], secret)
		s.mac = a.New()
		return s, nil
	case t == AuthExtended && hashed && a != keys.KeyedMD5:
		// RFC 7474 §6: so that no other protocol's packet has the same digest.
		secret = binary.BigEndian.AppendUint16(append([]byte(nil), secret...), protocolID)
	case t != AuthCryptographic || !hashed:
		return nil, fmt.Errorf("%v authentication with %v: want simple with plain-text, cryptographic with md5 or an hmac, cryptographic-extended with an hmac", t, a)
	}
	// RFC 5709 §3.3 (1): Ko has the length of the hash, and a longer key is
	// hashed first, also one that HMAC itself would take as it is.
	if len(secret) > a.Size() {
		h := a.New()
		h.Write(secret)
		secret = h.Sum(nil)
	}
	s.mac = hmac.New(a.New, secret)
	return s, nil
}

func (s *Sealer) kind() AuthType {
	if s == nil {
		return AuthNone
	}
	return s.Type
}

// Size is how many octets the authentication adds to a packet without an LLS
// block.
func (s *Sealer) Size() int {
	n := 0
	if s.kind().digests() {
		n = s.algorithm.Size()
	}
	if s.kind() == AuthExtended {
		n += extendedSequence
	}
	return n
}

// finish fills the authentication field of the packet that begins at dst[at] and
// appends the authentication data.
func (s *Sealer) finish(dst []byte, at int, sequence uint64, source ID) []byte {
	field := dst[at+authAt : at+HeaderSize]
	switch s.kind() {
	case AuthSimple:
		copy(field, s.password[:])
	case AuthCryptographic:
		field[2], field[3] = byte(s.KeyID), byte(s.Size())
		binary.BigEndian.PutUint32(field[4:], uint32(sequence))
		dst = s.digest(dst, dst[at:], source)
	case AuthExtended:
		field[3] = byte(s.Size())
		binary.BigEndian.PutUint32(field[4:], s.KeyID)
		dst = binary.BigEndian.AppendUint64(dst, sequence)
		dst = s.digest(dst, dst[at:], source)
	}
	return dst
}

// apad fills the authentication data while the first hash is made (RFC 5709
// §3.3).
const apad = "\x87\x8f\xe1\xf3"

// digest appends to dst the digest of data.
func (s *Sealer) digest(dst, data []byte, source ID) []byte {
	s.mac.Reset()
	s.mac.Write(data)
	if s.algorithm == keys.KeyedMD5 { // RFC 2328 §D.4.3 (6)
		s.mac.Write(s.md5Key[:])
		return s.mac.Sum(dst)
	}
	pad := s.pad[:s.algorithm.Size()]
	for i := 0; i < len(pad); i += len(apad) {
		copy(pad[i:], apad)
	}
	if s.Type == AuthExtended { // RFC 7474 §5
		binary.BigEndian.PutUint32(pad, uint32(source))
	}
	s.mac.Write(pad)
	return s.mac.Sum(dst)
}

// Verify says whether the packet b, which came from the address source and was
// decoded to p, was sealed with the key of s. A block of link-local signalling
// that was not is taken out of p, whatever the packet (RFC 5613 §2.5). The
// sequence number is for [Auth.Replayed].
func (s *Sealer) Verify(b []byte, p *Packet, source ID) Refusal {
	if p.Auth.Type != s.kind() {
		return refuse(AuthDiffers, int(p.Auth.Type), int(s.kind()))
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	switch s.kind() {
	case AuthNone:
		return Refusal{}
	case AuthSimple:
		if subtle.ConstantTimeCompare(s.password[:], b[authAt:HeaderSize]) != 1 {
			return Refusal{Reason: Password}
		}
		return Refusal{}
	}
	if p.Auth.KeyID != s.KeyID {
		return refuse(KeyID, int(p.Auth.KeyID), int(s.KeyID))
	}
	if int(p.Auth.Length) != s.Size() {
		return refuse(DigestLength, int(p.Auth.Length), s.Size())
	}
	end := length + int(p.Auth.Length)
	hashed := end - s.algorithm.Size()
	if !hmac.Equal(s.digest(s.sum[:0], b[:hashed], source), b[hashed:end]) {
		return Refusal{Reason: Digest}
	}
	if p.LLS.Present && !p.LLS.verify(b[end:], s, p.Auth, source) {
		p.LLS = LLS{}
	}
	return Refusal{}
}
