// Package tlskeystest makes keys and certificates for the tests of other packages.
package tlskeystest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	"routerd/internal/tlskeys"
)

// SelfSigned returns a new key and a certificate of it, which is valid until a time, and
// the pin of the key. The certificate is of "ann" and of the host "localhost", and is
// signed by its own key.
func SelfSigned(t testing.TB, ends time.Time) (pair *tls.Certificate, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ann"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, tlskeys.PinOf(leaf)
}

// Put writes a new key and its certificate, which is valid for three months, to two files
// or, if their paths are the same, to one, and returns the pin of the key. A file that was
// there is replaced at once.
func Put(t testing.TB, certificate, key string) (pin string) {
	t.Helper()
	pair, pin := SelfSigned(t, time.Now().AddDate(0, 3, 0))
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw})}
	files[key] = append(files[key], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	for path, text := range files {
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	return pin
}
