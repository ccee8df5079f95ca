package tlskeys

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Authorities are the certificates of those who may sign clients' certificates, in
// a file that is followed as a Pair's are. It is safe for concurrent use.
type Authorities struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	pool   *x509.CertPool
	looked time.Time
	file   fs.FileInfo // as it was at the last try to read it
}

// OpenAuthorities reads a PEM file of certificates. log, which may be nil, gets what
// becomes of the file later. The error names the file.
func OpenAuthorities(path string, log *slog.Logger) (*Authorities, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Authorities{path: path, log: log, looked: time.Now()}
	if err := a.read(); err != nil {
		return nil, err
	}
	return a, nil
}

// Pool returns the certificates as they are in the file now. It is another pool
// whenever the file has changed, and must not be changed.
func (a *Authorities) Pool() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.looked) < lookAgain {
		return a.pool
	}
	a.looked = now
	if info, err := os.Stat(a.path); err == nil && same([2]fs.FileInfo{info, info}, [2]fs.FileInfo{a.file, a.file}) {
		return a.pool
	}
	if err := a.read(); err != nil {
		a.log.Warn("the authorities for clients' certificates have changed and cannot be used; those before count until they can", "err", err)
	} else {
		a.log.Info("the authorities for clients' certificates were renewed", "file", a.path)
	}
	return a.pool
}

// read reads the file, of which it takes note before, so that a change meanwhile
// is seen at the next look.
func (a *Authorities) read() error {
	info, err := os.Stat(a.path)
	a.file = info
	if err != nil {
		return fmt.Errorf("reading the authorities for clients' certificates: %w", err)
	}
	data, err := os.ReadFile(a.path)
	if err != nil {
		return fmt.Errorf("reading the authorities for clients' certificates: %w", err)
	}
	pool, err := poolOf(data)
	if err != nil {
		return fmt.Errorf("reading the authorities for clients' certificates %s: %w", a.path, err)
	}
	a.pool = pool
	return nil
}

// poolOf reads certificates as PEM. What stands between them is ignored (RFC 7468
// §2), and a block of another type is an error.
func poolOf(data []byte) (*x509.CertPool, error) {
	pool, found := x509.NewCertPool(), false
	for data = bytes.TrimSpace(data); len(data) > 0; {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it has a %s: wanted certificates alone", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		pool.AddCert(c)
		found = true
	}
	if !found {
		return nil, errors.New("it has no certificate: wanted at least one, as PEM")
	}
	return pool, nil
}
