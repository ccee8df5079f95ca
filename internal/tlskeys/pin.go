package tlskeys

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// PinOf returns the pin of a certificate's key: "sha256:" and the base64 of the
// SHA-256 of its SubjectPublicKeyInfo.
func PinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + base64.StdEncoding.EncodeToString(sum[:])
}

// CurlPin returns a pin as curl's --pinnedpubkey takes it.
func CurlPin(pin string) string { return "sha256//" + strings.TrimPrefix(pin, "sha256:") }

var errPin = errors.New(`wanted "sha256:" and the hash of the key in base64 or hexadecimal, as routerd show version says it`)

// ParsePin reads a pin as PinOf and curl write it, or with the hash in
// hexadecimal, and returns it as PinOf does.
func ParsePin(text string) (string, error) {
	hash, ok := strings.CutPrefix(text, "sha256:")
	if !ok {
		hash, ok = strings.CutPrefix(text, "sha256//")
	}
	if !ok {
		return "", errPin
	}
	sum, err := base64.StdEncoding.DecodeString(hash)
	if err != nil || len(sum) != sha256.Size {
		if sum, err = hex.DecodeString(strings.ReplaceAll(hash, ":", "")); err != nil || len(sum) != sha256.Size {
			return "", errPin
		}
	}
	return "sha256:" + base64.StdEncoding.EncodeToString(sum), nil
}

// PinError means that a server has another key than the one that was pinned.
type PinError struct{ Wanted, Got string }

func (e *PinError) Error() string {
	return fmt.Sprintf("the server has the key %s, wanted %s: another router, or somebody in between", e.Got, e.Wanted)
}

// Pinned returns the configuration of a client that talks to the holder of one
// key alone, whoever has signed the certificate.
func Pinned(pin string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection does it by the key
		VerifyConnection: func(s tls.ConnectionState) error {
			if got := PinOf(s.PeerCertificates[0]); got != pin {
				return &PinError{pin, got}
			}
			return nil
		},
	}
}
