package control

import (
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"time"

	"routerd/internal/access"
)

// lookAgain is how often the identity of a certificate is checked while a request lasts.
const lookAgain = time.Second

// byCertificate identifies the sender of a request by the certificate of its
// connection. The caller calls release when the request has been served. Ended of the
// identity is closed when the certificate has expired, or the authorities or the
// configuration give it another identity.
func (a *API) byCertificate(req *http.Request, source string) (id access.Identity, release func(), err error) {
	var chain []*x509.Certificate
	if req.TLS != nil {
		chain = req.TLS.PeerCertificates
	}
	clients := a.o.Clients()
	if len(chain) == 0 || !clients.Ask() {
		return id, func() {}, access.ErrNoCertificate
	}
	now := time.Now()
	h := &holder{api: a, chain: chain, seen: seenOf(clients), ended: make(chan struct{})}
	if h.id, h.until, err = clients.Identify(chain, source, now); err != nil {
		return id, func() {}, err
	}
	h.id.Ended, h.id.Expires = h.ended, h.until
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(lookAgain, h.look)
	return h.id, h.release, nil
}

// seen is what the identity of a certificate depends on.
type seen struct {
	clients *access.Clients
	roots   *x509.CertPool
}

func seenOf(c *access.Clients) seen {
	s := seen{clients: c}
	if c.Roots != nil {
		s.roots = c.Roots()
	}
	return s
}

// holder is the holder of a certificate, while one of its requests lasts.
type holder struct {
	api   *API
	chain []*x509.Certificate
	id    access.Identity
	until time.Time
	ended chan struct{}
	seen  seen

	mu       sync.Mutex
	timer    *time.Timer
	released bool
}

// look checks whether the certificate still has the same identity.
func (h *holder) look() {
	now := time.Now()
	s := seenOf(h.api.o.Clients())
	if s != h.seen || !now.Before(h.until) {
		id, until, err := s.clients.Identify(h.chain, h.id.Source, now)
		if err != nil || id.Name != h.id.Name || id.Role != h.id.Role {
			close(h.ended)
			return
		}
		h.until, h.seen = until, s
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.released {
		h.timer.Reset(lookAgain)
	}
}

func (h *holder) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = true
	h.timer.Stop()
}

// refuseCertificate answers a request that no certificate identifies. If the client has
// shown a certificate, the audit gets an entry.
func (a *API) refuseCertificate(w http.ResponseWriter, req *http.Request, from string, shown error) {
	if !errors.Is(shown, access.ErrNoCertificate) {
		a.handler.noteEntry(access.Entry{
			Time: time.Now(), Source: from, Action: actionOf(req), Status: http.StatusUnauthorized, Result: shown.Error(),
		})
	}
	scheme, wanted := "Bearer", "wanted a certificate to which [api.tls] of the router's configuration gives a role, or a token"
	if a.o.Clients().Only {
		scheme, wanted = "Certificate", "wanted a certificate to which [api.tls] of the router's configuration gives a role, since client-auth is \"require\" there"
	}
	w.Header().Set("WWW-Authenticate", scheme+` realm="routerd"`)
	write(w, jsonReply(http.StatusUnauthorized, &Error{Message: shown.Error() + ": " + wanted + "; routerd --cert shows one"}))
}
