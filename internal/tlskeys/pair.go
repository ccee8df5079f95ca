package tlskeys

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Config says which key and certificate are shown.
type Config struct {
	// Certificate and Key are the paths of PEM files: the certificate with its
	// chain, and its private key. Both are given or neither.
	Certificate, Key string
	// Own is the path of the router's own key, which is used, and made, without
	// files.
	Own string
	// Name is the router's, and Hosts are what clients may call it by, names and
	// addresses: they are in the certificate that it signs itself.
	Name  string
	Hosts []string
	// AskClients has clients asked for a certificate. None is demanded, and what it
	// says is for the server to judge. Sessions are not resumed then, so that each
	// connection shows its certificate.
	AskClients bool
	Log        *slog.Logger // gets what a renewal does; nil for no log
}

// lookAgain is how often the files are looked at, at most.
const lookAgain = time.Second

// Pair is a key and its certificate, which follow their files. It is safe for
// concurrent use.
type Pair struct {
	cfg    Config
	tls    *tls.Config
	mu     sync.Mutex
	cert   *tls.Certificate
	looked time.Time      // at the files
	files  [2]fs.FileInfo // as they were at the last try to read them
}

// Open reads the key and the certificate, and makes the router's own where
// there is none. The error names the file.
func Open(cfg Config) (*Pair, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{cfg: cfg}
	if err := p.read(time.Now()); err != nil {
		return nil, err
	}
	p.tls = &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.Certificate(), nil },
	}
	if cfg.AskClients {
		p.tls.ClientAuth, p.tls.SessionTicketsDisabled = tls.RequestClientCert, true
	}
	return p, nil
}

// TLS returns the configuration of a server, which must not be changed.
func (p *Pair) TLS() *tls.Config { return p.tls }

// Pin returns the pin of the key that is shown now: "sha256:" and the base64 of
// the hash.
func (p *Pair) Pin() string { return PinOf(p.Certificate().Leaf) }

// SelfSigned reports whether the certificate is the router's own.
func (p *Pair) SelfSigned() bool { return p.cfg.Certificate == "" }

// Certificate returns the certificate to show.
func (p *Pair) Certificate() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) >= lookAgain {
		p.follow(now)
	}
	return p.cert
}

// follow reads files that have changed, and makes the router's own certificate
// anew before it expires. What cannot be read leaves things as they are.
func (p *Pair) follow(now time.Time) {
	p.looked = now
	if p.SelfSigned() {
		if now.Before(p.cert.Leaf.NotAfter.Add(-renewBefore)) {
			return
		}
	} else if files, err := p.stat(); err == nil && same(files, p.files) {
		return
	}
	before := PinOf(p.cert.Leaf)
	if err := p.read(now); err != nil {
		p.cfg.Log.Warn("the certificate has changed and cannot be used; the one before is shown until it can", "err", err)
		return
	}
	p.cfg.Log.Info("the certificate was renewed", "until", p.cert.Leaf.NotAfter.UTC().Format(time.RFC3339), "pin", PinOf(p.cert.Leaf), "same-key", PinOf(p.cert.Leaf) == before)
}

// read reads the key and the certificate.
func (p *Pair) read(now time.Time) error {
	p.looked = now
	if p.SelfSigned() {
		key, err := ownKey(p.cfg.Own)
		if err != nil {
			return err
		}
		cert, err := sign(key, p.cfg.Name, p.cfg.Hosts, now)
		if err != nil {
			return fmt.Errorf("making a certificate: %w", err)
		}
		p.cert = cert
		return nil
	}
	// Looked at before they are read, so that what changes meanwhile is seen at
	// the next look.
	files, err := p.stat()
	p.files = files
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(p.cfg.Certificate, p.cfg.Key)
	if err != nil {
		return fmt.Errorf("reading the certificate %s with the key %s: %w", p.cfg.Certificate, p.cfg.Key, err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return fmt.Errorf("reading the certificate %s: %w", p.cfg.Certificate, err)
		}
	}
	p.cert = &cert
	return nil
}

func (p *Pair) stat() (files [2]fs.FileInfo, err error) {
	var errs [2]error
	files[0], errs[0] = os.Stat(p.cfg.Certificate)
	files[1], errs[1] = os.Stat(p.cfg.Key)
	if err := errors.Join(errs[:]...); err != nil {
		return files, fmt.Errorf("reading the certificate: %w", err)
	}
	return files, nil
}

// same reports whether two looks found the same files.
func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil || !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
