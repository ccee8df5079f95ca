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

// Authorities are the certificates of the authorities that sign clients' certificates.
// They are read from a file again when it changes, as a Pair is. It is safe for
// concurrent use.
type Authorities struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	pool   *x509.CertPool
	looked time.Time
	file   fs.FileInfo // as it was at the last try to read it
}

// OpenAuthorities reads a PEM file of certificates. Later changes of the file are
// logged; log may be nil. The error names the file.
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

// Pool returns the certificates that the file has now. After a change of the file it is
// another pool. The caller must not change it.
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
		a.log.Warn("the authorities for clients' certificates have changed and cannot be read; the earlier ones remain in use", "err", err)
	} else {
		a.log.Info("the authorities for clients' certificates were renewed", "file", a.path)
	}
	return a.pool
}

// read reads the file. It asks for the file's size and time first, so that the next look
// sees a change that comes meanwhile.
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
			return nil, fmt.Errorf("it has a block of the type %s: wanted only certificates", block.Type)
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
