package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// remote is the router to ask over HTTPS, as the flags say.
type remote struct{ url, pin, tokenFile, cert, certKey string }

// The environment variables that stand for the flags.
const (
	urlVariable       = "ROUTERD_URL"
	pinVariable       = "ROUTERD_PIN"
	tokenFileVariable = "ROUTERD_TOKEN_FILE"
	certVariable      = "ROUTERD_CERT"
	certKeyVariable   = "ROUTERD_CERT_KEY"
)

func (r *remote) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&r.url, "url", "", "ask the router at this `URL`, such as https://192.0.2.1:8443, instead of one on this host (default $"+urlVariable+")")
	flags.StringVar(&r.pin, "pin", "", "with --url, the `KEY` that it has to have, as its own show version says: sha256:... (default $"+pinVariable+"; without one, whoever has signed its certificate has to be trusted)")
	flags.StringVar(&r.tokenFile, "token-file", "", "with --url, a `FILE` with a token, which routerd token add makes (default $"+tokenFileVariable+")")
	flags.StringVar(&r.cert, "cert", "", "with --url, a `FILE` with a certificate to show, which [api.tls] of the router's configuration gives a role (default $"+certVariable+")")
	flags.StringVar(&r.certKey, "cert-key", "", "with --cert, the `FILE` with its private key, if that is another one (default $"+certKeyVariable+")")
}

// fromEnvironment adds what the environment says, which counts only without a
// socket on the command line.
func (r remote) fromEnvironment() remote {
	return remote{
		url:       cmp.Or(r.url, os.Getenv(urlVariable)),
		pin:       cmp.Or(r.pin, os.Getenv(pinVariable)),
		tokenFile: cmp.Or(r.tokenFile, os.Getenv(tokenFileVariable)),
		cert:      cmp.Or(r.cert, os.Getenv(certVariable)),
		certKey:   cmp.Or(r.certKey, os.Getenv(certKeyVariable)),
	}
}

// dial returns a client of the router.
func (r remote) dial() (*control.Client, error) {
	if r.cert == "" && r.certKey != "" {
		return nil, usagef("--cert-key: wanted --cert too, the certificate of that key")
	}
	token := ""
	if r.tokenFile != "" {
		text, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		if token = strings.TrimSpace(string(text)); token == "" || strings.ContainsAny(token, " \t\n") {
			return nil, usagef("--token-file %s: wanted a file with one token, rtd_ID_SECRET", r.tokenFile)
		}
	}
	c, err := control.DialRemote(control.Remote{URL: r.url, Pin: r.pin, Token: token, Cert: r.cert, CertKey: r.certKey})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// client returns a client of the chosen router.
func (s *session) client() (*control.Client, error) {
	r := s.remote
	if s.socket == "" {
		r = r.fromEnvironment()
	}
	switch {
	case s.socket != "" && r.url != "":
		return nil, usagef("--socket and --url: wanted one of them")
	case r.url != "":
		return r.dial()
	case s.remote != (remote{}):
		return nil, usagef("--pin, --token-file and --cert are for a router that --url names")
	}
	path, err := control.FindSocket(s.socket, control.SocketDirs())
	if err != nil {
		return nil, err
	}
	return control.Dial(path), nil
}
