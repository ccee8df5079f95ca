package access

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Field is what a client's certificate is known by.
type Field uint8

const (
	FieldKey   Field = iota // its key, with any signature: "sha256:" and the base64 of the SPKI's hash
	FieldDNS                // a DNS name among its subjectAltNames (RFC 5280 §4.2.1.6), in any case
	FieldURI                // a URI among them
	FieldEmail              // an e-mail address among them, its domain in any case
)

// Client is the holder of a certificate, with a role.
type Client struct {
	Name  string
	Role  Role
	Field Field
	Value string
}

// Clients gives roles to the holders of certificates. The value is shared and must not
// be changed.
type Clients struct {
	List []Client
	// Any is the role of a certificate that an authority has signed and that belongs to
	// no client of the list; Nobody for none.
	Any Role
	// Only says that requests are identified by certificates alone.
	Only bool
	// Roots returns the authorities as they are now, since they follow a file; nil for
	// none.
	Roots func() *x509.CertPool
}

// Ask reports whether a certificate can give a role.
func (c *Clients) Ask() bool { return len(c.List) > 0 || c.Any != Nobody }

// ErrNoCertificate means that a client has shown no certificate.
var ErrNoCertificate = errors.New("the client has shown no certificate")

// Identify returns the identity that a chain of certificates has at the time now, and
// when it ends at the latest. The chain begins with the certificate of the client. TLS
// has checked that the client holds its key. A client of the list with this key comes
// first, then the client with the highest role. The error names the certificate.
func (c *Clients) Identify(chain []*x509.Certificate, source string, now time.Time) (id Identity, until time.Time, err error) {
	if len(chain) == 0 {
		return id, until, ErrNoCertificate
	}
	leaf := chain[0]
	refused := func(why string) (Identity, time.Time, error) {
		return Identity{}, time.Time{}, fmt.Errorf("the certificate of %.100q with the key %s: %s", leaf.Subject.String(), keyOf(leaf), why)
	}
	if now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter) {
		return refused(fmt.Sprintf("it is valid from %s until %s", leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339)))
	}
	if i := slices.IndexFunc(c.List, func(k Client) bool { return k.Field == FieldKey && k.Value == keyOf(leaf) }); i >= 0 {
		return c.List[i].identity(source), leaf.NotAfter, nil
	}
	if until, err = c.signed(chain, now); err != nil {
		return refused(err.Error())
	}
	best := Client{Name: fmt.Sprintf("of %.100q", leaf.Subject.String()), Role: c.Any}
	for _, k := range c.List {
		if k.names(leaf) && (best.Role < k.Role || best.Field == FieldKey) {
			best = k
		}
	}
	if best.Role == Nobody {
		return refused("it names no client of [api.tls]")
	}
	return best.identity(source), until, nil
}

func (k Client) identity(source string) Identity {
	return Identity{Name: "certificate " + k.Name, Role: k.Role, Source: source}
}

// names reports whether one of the certificate's subjectAltNames is the client's.
func (k Client) names(c *x509.Certificate) bool {
	switch k.Field {
	case FieldDNS:
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, k.Value) })
	case FieldURI:
		for _, u := range c.URIs {
			if u.String() == k.Value {
				return true
			}
		}
	case FieldEmail:
		// RFC 5321 §2.4: only the host of an address interprets its local part.
		local, domain := cutAddress(k.Value)
		return slices.ContainsFunc(c.EmailAddresses, func(e string) bool {
			l, d := cutAddress(e)
			return l == local && strings.EqualFold(d, domain)
		})
	}
	return false
}

// cutAddress cuts an e-mail address at its last @: a quoted local part may have others.
func cutAddress(address string) (local, domain string) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, ""
	}
	return address[:i], address[i+1:]
}

// signed returns the time until which the chain leads to one of the authorities.
func (c *Clients) signed(chain []*x509.Certificate, now time.Time) (until time.Time, err error) {
	if c.Roots == nil {
		return until, errors.New("no client of [api.tls] has that key")
	}
	between := x509.NewCertPool()
	for _, b := range chain[1:] {
		between.AddCert(b)
	}
	chains, err := chain[0].Verify(x509.VerifyOptions{
		Roots: c.Roots(), Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	for _, verified := range chains {
		ends := verified[0].NotAfter
		for _, v := range verified {
			if v.NotAfter.Before(ends) {
				ends = v.NotAfter
			}
		}
		if ends.After(until) {
			until = ends
		}
	}
	return until, err
}

func keyOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + base64.StdEncoding.EncodeToString(sum[:])
}
