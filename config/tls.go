package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"routerd/internal/access"
	"routerd/internal/origin"
	"routerd/internal/tlskeys"
	"routerd/internal/tomltext"
)

// TLS is the [api.tls] table. Without files the router has a key of its own.
type TLS struct {
	Certificate, Key string    // paths; both or neither
	Origin           origin.ID // of the certificate
	// ClientCA is the path of a file with the certificates of the authorities that sign
	// clients' certificates; "" for none.
	ClientCA       string
	ClientCAOrigin origin.ID
	// Clients gives roles to the holders of certificates. Its Roots is nil here; the
	// daemon sets it, since it follows the file.
	Clients access.Clients
}

// decodeTLS reads [api.tls] after the listeners.
func (r *reader) decodeTLS(s *tomltext.Section, c *Config) {
	t := &c.API.TLS
	t.Certificate = tomltext.Get(s, "certificate", "", tomltext.Text("the path of a file that holds a certificate and its chain"))
	t.Key = tomltext.Get(s, "key", "", tomltext.Text("the path of a file that holds the certificate's private key"))
	for _, pair := range [][2]string{{"key", "certificate"}, {"certificate", "key"}} {
		key, other := pair[0], pair[1]
		if s.Has(key) && !s.Has(other) {
			r.WrongKey(s.At.With(key), fmt.Sprintf("%s has no %s beside its %s", s.At, other, key), "both, or neither for a key of routerd's own")
		}
	}
	if t.Certificate != "" {
		t.Origin = r.origin(s.At.With("certificate"))
	}
	r.decodeClients(s, t)
	s.Done()
	if s.Table != nil && !c.API.HTTPS() {
		r.Odd(s.At, fmt.Sprintf("%s is there, and api.listen has no https address that would use it", s.At), `listen = ["https://192.0.2.1:8443"], say`)
	}
}

// decodeClients reads which certificates of clients count.
func (r *reader) decodeClients(s *tomltext.Section, t *TLS) {
	t.ClientCA = tomltext.Get(s, "client-ca", "", tomltext.Text("the path of a file that holds the certificates of the authorities that sign clients' certificates"))
	if t.ClientCA != "" {
		t.ClientCAOrigin = r.origin(s.At.With("client-ca"))
	}
	t.Clients.Any = tomltext.Get(s, "client-role", access.Nobody, roleName)
	t.Clients.Only = tomltext.Get(s, "client-auth", false, clientAuth)
	if s.Has("client-role") && !s.Has("client-ca") {
		r.WrongKey(s.At.With("client-role"), fmt.Sprintf("%s has a client-role and no client-ca: no certificate has it", s.At), "both")
	}
	clients := s.Section("client")
	seen := map[access.Client]string{}
	for _, name := range clients.Names() {
		sub := clients.Section(name)
		k := r.decodeClient(sub, name, s.Has("client-ca"))
		sub.Done()
		by := access.Client{Field: k.Field, Value: k.Value}
		if first, twice := seen[by]; twice && k.Value != "" {
			r.WrongKey(sub.At, fmt.Sprintf("%s has the same certificate as %s", sub.At, first), "a certificate of its own for each client")
		}
		seen[by] = name
		t.Clients.List = append(t.Clients.List, k)
	}
	clients.Done()
	if t.Clients.Only && !t.Clients.Ask() {
		r.WrongKey(s.At.With("client-auth"), fmt.Sprintf("%s demands a certificate, and no certificate has a role: every request would be refused", s.At),
			"a client-role beside client-ca, or a table [api.tls.client.NAME]")
	}
	if s.Has("client-ca") && !t.Clients.Ask() {
		r.Odd(s.At.With("client-ca"), fmt.Sprintf("%s has a client-ca, and no certificate that it signs has a role", s.At), "a client-role, or a table [api.tls.client.NAME]")
	}
}

// clientAuth reads whether requests are identified by certificates alone.
var clientAuth = tomltext.OneOf([]string{"optional", "require"}, []bool{false, true})

// clientFields are the keys by which a client is known.
var clientFields = []struct {
	key   string
	field access.Field
	how   tomltext.Reading[string]
}{
	{"key", access.FieldKey, clientPin},
	{"dns", access.FieldDNS, hostName},
	{"uri", access.FieldURI, clientURI},
	{"email", access.FieldEmail, clientEmail},
}

// decodeClient reads one client.
func (r *reader) decodeClient(s *tomltext.Section, name string, ca bool) access.Client {
	k := access.Client{Name: name}
	if !isName(name, access.MaxTokenName) {
		r.WrongKey(s.At, fmt.Sprintf("the name %q of a client", name), "letters, digits, '-', '_' and '.', beginning with a letter or digit")
	}
	if k.Role = tomltext.Get(s, "role", access.Nobody, roleName); !s.Has("role") {
		r.WrongKey(s.At, fmt.Sprintf("%s has no role", s.At), "read, operate or admin")
	}
	given := 0
	for _, f := range clientFields {
		value := tomltext.Get(s, f.key, "", f.how)
		if !s.Has(f.key) {
			continue
		}
		k.Field, k.Value = f.field, value
		given++
		if f.field != access.FieldKey && !ca {
			r.WrongKey(s.At.With(f.key), fmt.Sprintf("%s is known by a name, which any certificate may contain", s.At), "a client-ca in [api.tls], whose authorities sign such certificates, or the key instead")
		}
	}
	if given != 1 {
		r.WrongKey(s.At, fmt.Sprintf("%s names %d fields of its certificate", s.At, given), "one of key, dns, uri and email")
	}
	return k
}

var clientPin = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, _ := v.(string)
	pin, err := tlskeys.ParsePin(s)
	if err != nil {
		return "", tomltext.ErrUnwanted
	}
	return pin, nil
}, Want: `"sha256:" and the hash of the certificate's SubjectPublicKeyInfo, in base64 or hexadecimal`}

var clientURI = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, _ := v.(string)
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.String() != s {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: `a URI as certificates have it: "spiffe://example.net/grafana"`}

var clientEmail = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, _ := v.(string)
	local, domain, found := strings.Cut(s, "@")
	if !found || local == "" || domain == "" || strings.ContainsAny(s, " \t\n<>") || strings.Contains(domain, "@") {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: `an e-mail address: "ann@example.net"`}

// resolve joins relative paths to the directory of the configuration.
func (t *TLS) resolve(dir string) {
	for _, path := range []*string{&t.Certificate, &t.Key, &t.ClientCA} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}
