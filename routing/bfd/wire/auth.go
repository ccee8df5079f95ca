package wire

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// AuthType is the type of an authentication section, as RFC 5880 §4.1 numbers
// it.
type AuthType uint8

// The types.
const (
	AuthNone AuthType = iota
	SimplePassword
	KeyedMD5
	MeticulousKeyedMD5
	KeyedSHA1
	MeticulousKeyedSHA1
)

// The digest's place and the lengths of sections, in octets.
const (
	simpleHeader = 3
	digestHeader = 8
	md5Section   = digestHeader + md5.Size
	sha1Section  = digestHeader + sha1.Size
)

var authTypes = [...]struct {
	name    string
	longest int // secret, octets
	section int // its length; 0 = by the secret
}{
	AuthNone:            {name: "none"},
	SimplePassword:      {name: "simple", longest: 16},
	KeyedMD5:            {"keyed-md5", md5.Size, md5Section},
	MeticulousKeyedMD5:  {"meticulous-keyed-md5", md5.Size, md5Section},
	KeyedSHA1:           {"keyed-sha1", sha1.Size, sha1Section},
	MeticulousKeyedSHA1: {"meticulous-keyed-sha1", sha1.Size, sha1Section},
}

func (t AuthType) known() bool { return int(t) < len(authTypes) }

// String gives the name used in configuration, tables and JSON.
func (t AuthType) String() string {
	if !t.known() {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return authTypes[t].name
}

// LongestSecret is how many octets a secret may have with the type.
func (t AuthType) LongestSecret() int {
	if !t.known() {
		return 0
	}
	return authTypes[t].longest
}

// Sequenced reports whether packets of the type have a sequence number,
// and Meticulous whether it grows with each of them.
func (t AuthType) Sequenced() bool { return t.known() && authTypes[t].section > 0 }

// Meticulous: see Sequenced.
func (t AuthType) Meticulous() bool { return t == MeticulousKeyedMD5 || t == MeticulousKeyedSHA1 }

// Auth is what a packet's authentication section says.
type Auth struct {
	Type     AuthType
	KeyID    uint8
	Sequence uint32 // where the type is Sequenced
}

// decode reads a section, whose two first octets there are. Of a type that is
// not known nothing is looked at.
func (a *Auth) decode(b []byte) error {
	*a = Auth{Type: AuthType(b[0])}
	length := int(b[1])
	if length > len(b) {
		return fmt.Errorf("%w: %d of %d octets", ErrAuthLength, length, len(b))
	}
	switch {
	case a.Type.Sequenced():
		if want := authTypes[a.Type].section; length != want {
			return fmt.Errorf("%w: %d, want %d with %v", ErrAuthLength, length, want, a.Type)
		}
		a.KeyID, a.Sequence = b[2], binary.BigEndian.Uint32(b[4:])
	case a.Type == SimplePassword:
		if longest := simpleHeader + authTypes[SimplePassword].longest; length <= simpleHeader || length > longest {
			return fmt.Errorf("%w: %d, want %d to %d with %v", ErrAuthLength, length, simpleHeader+1, longest, a.Type)
		}
		a.KeyID = b[2]
	}
	return nil
}

// Seal is what a packet is authenticated with. The Secret is of 1 to
// LongestSecret octets.
type Seal struct {
	Type     AuthType
	KeyID    uint8
	Sequence uint32
	Secret   []byte
}

// size is the length of the section in octets.
func (s *Seal) size() int {
	switch {
	case s.Type == SimplePassword:
		return simpleHeader + len(s.Secret)
	case s.Type.Sequenced():
		return authTypes[s.Type].section
	}
	return 0
}

// finish appends the section to the packet that begins at dst[start].
func (s *Seal) finish(dst []byte, start int) []byte {
	switch {
	case s.Type == SimplePassword:
		dst = append(dst, byte(s.Type), byte(s.size()), s.KeyID)
		return append(dst, s.Secret...)
	case !s.Type.Sequenced():
		return dst
	}
	dst = append(dst, byte(s.Type), byte(s.size()), s.KeyID, 0)
	dst = binary.BigEndian.AppendUint32(dst, s.Sequence)
	at := len(dst)
	dst = append(dst, make([]byte, s.size()-digestHeader)...)
	s.digest(dst[start:], dst[at:])
	return dst
}

// digest puts the digest of a packet into its place there: the secret stands in
// it while the hash is made, filled up with zeros (RFC 5880 §6.7.3, §6.7.4).
func (s *Seal) digest(packet, place []byte) {
	clear(place)
	copy(place, s.Secret)
	if len(place) == md5.Size {
		sum := md5.Sum(packet)
		copy(place, sum[:])
		return
	}
	sum := sha1.Sum(packet)
	copy(place, sum[:])
}

// Verify reports whether the packet at the beginning of b, which was decoded
// without an error, was made with the type and secret of s. It compares in
// constant time. KeyID and Sequence of s are not looked at.
func Verify(b []byte, s Seal) bool {
	b = b[:b[3]]
	if b[1]&bitAuth == 0 || AuthType(b[Size]) != s.Type {
		return false
	}
	section := b[Size : Size+int(b[Size+1])]
	switch {
	case s.Type == SimplePassword:
		return subtle.ConstantTimeCompare(section[simpleHeader:], s.Secret) == 1
	case !s.Type.Sequenced():
		return false
	}
	// The longest packet there is: its Length is an octet.
	var whole [255]byte
	packet := whole[:copy(whole[:], b)]
	place := packet[Size+digestHeader : Size+len(section)]
	s.digest(packet, place)
	return subtle.ConstantTimeCompare(place, section[digestHeader:]) == 1
}
