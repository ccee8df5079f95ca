package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// signer is a certificate with its key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate of a new key; nil signs itself.
func sign(t *testing.T, by *signer, edit func(*x509.Certificate)) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		Subject: pkix.Name{CommonName: "ann"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	edit(c)
	parent := &signer{c, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{cert, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	c.Subject.CommonName, c.NotAfter = "authority", noon.Add(48*time.Hour)
}

// A certificate has the role of its key, of a name that an authority has signed, or
// of all whom the authority has signed, in this order, and none otherwise.
func TestClients(t *testing.T) {
	root, other := sign(t, nil, authority), sign(t, nil, authority)
	between := sign(t, root, authority)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	uri, err := url.Parse("spiffe://example.net/deploy")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(*x509.Certificate) {}
	named := func(c *x509.Certificate) {
		c.DNSNames, c.URIs, c.EmailAddresses = []string{"GRAFANA.example.net"}, []*url.URL{uri}, []string{"Ann@EXAMPLE.net"}
	}
	own := sign(t, nil, plain)
	keyed := sign(t, root, named)
	pinned := Client{"laptop", Admin, FieldKey, keyOf(own.cert)}
	dns := Client{"grafana", Read, FieldDNS, "grafana.example.net"}
	for _, c := range []struct {
		name    string
		clients Clients
		chain   []*signer
		want    string // name and role, or part of the error
	}{
		{"none", Clients{List: []Client{pinned}}, nil, "shown no certificate"},
		{"by key", Clients{List: []Client{pinned}}, []*signer{own}, "certificate laptop: admin"},
		{"by another key", Clients{List: []Client{pinned}}, []*signer{sign(t, nil, plain)}, `"CN=ann" with the key sha256:`},
		{"by a key, behind its time", Clients{List: []Client{{"old", Read, FieldKey, ""}}}, []*signer{sign(t, nil, func(c *x509.Certificate) { c.NotAfter = noon })}, "valid from"},
		{"before its time", Clients{Any: Read, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) })}, "valid from"},
		{"by DNS", Clients{List: []Client{dns}, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, named)}, "certificate grafana: read"},
		{"by URI", Clients{List: []Client{{"deploy", Admin, FieldURI, uri.String()}}, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, named)}, "certificate deploy: admin"},
		{"by e-mail", Clients{List: []Client{{"ann", Operate, FieldEmail, "Ann@example.net"}}, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, named)}, "certificate ann: operate"},
		{"by e-mail of another", Clients{List: []Client{{"ann", Operate, FieldEmail, "ann@example.net"}}, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, named)}, "no client"},
		{"by the one that may most", Clients{List: []Client{{"deploy", Operate, FieldURI, uri.String()}, dns}, Any: Admin, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, named)}, "certificate deploy: operate"},
		{"by key before a name", Clients{List: []Client{{"me", Read, FieldKey, keyOf(keyed.cert)}, {"deploy", Admin, FieldURI, uri.String()}}, Roots: func() *x509.CertPool { return roots }}, []*signer{keyed}, "certificate me: read"},
		{"by its authority", Clients{List: []Client{pinned}, Any: Read, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, plain)}, `certificate of "CN=ann": read`},
		{"by one in between", Clients{Any: Read, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, between, plain), between}, `certificate of "CN=ann": read`},
		{"one in between is missing", Clients{Any: Read, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, between, plain)}, "unknown authority"},
		{"an authority without a role", Clients{List: []Client{dns}, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, plain)}, "no client"},
		{"a name of another authority", Clients{List: []Client{dns}, Any: Admin, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, other, named), other}, "unknown authority"},
		{"a name that nobody has signed", Clients{List: []Client{dns}}, []*signer{sign(t, nil, named)}, "no client of [api.tls] has that key"},
		{"of a server", Clients{Any: Read, Roots: func() *x509.CertPool { return roots }}, []*signer{sign(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, "key usage"},
		{"a long name", Clients{List: []Client{pinned}}, []*signer{sign(t, nil, func(c *x509.Certificate) { c.Subject.CommonName = "\x1b[2J" + strings.Repeat("x", 9999) })}, `\x1b[2J`},
	} {
		var chain []*x509.Certificate
		for _, s := range c.chain {
			chain = append(chain, s.cert)
		}
		id, until, err := c.clients.Identify(chain, "192.0.2.7", noon)
		got := id.Name + ": " + id.Role.String()
		if err != nil {
			got = err.Error()
			if id != (Identity{}) {
				t.Errorf("%s: %+v beside %v", c.name, id, err)
			}
		} else if id.Source != "192.0.2.7" || !until.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: from %s until %v", c.name, id.Source, until)
		}
		if !strings.Contains(got, c.want) || len(got) > 600 {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if errors.Is(err, ErrNoCertificate) != (len(chain) == 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
