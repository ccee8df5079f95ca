package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"routerd/config"
	"routerd/internal/access"
	"routerd/internal/control"
	"routerd/internal/tlskeys"
)

// keyFile is the file of the router's own TLS key, in its state directory.
const keyFile = "tls.key"

// openTLS opens the key and the certificate that the https listeners of a
// configuration show; nil if it has none.
func (d *Daemon) openTLS(cfg *config.Config) (*tlskeys.Pair, error) {
	if !cfg.API.HTTPS() {
		return nil, nil
	}
	t := cfg.API.TLS
	switch {
	case t.Certificate != "" || d.state != "":
	case stateDirOf(cfg) != "": // of a reload
		return nil, fmt.Errorf("%s: api.listen has an https address, whose key is kept in the state-dir, and state-dir is taken up when the router starts: restart the router, or name a certificate in [api.tls]", d.placeOfHTTPS(cfg))
	default:
		return nil, fmt.Errorf("%s: api.listen has an https address, which takes a certificate: [api.tls] names one, or with a state-dir routerd makes its own", d.placeOfHTTPS(cfg))
	}
	pair, err := tlskeys.Open(tlskeys.Config{
		Certificate: t.Certificate, Key: t.Key,
		Own:  filepath.Join(string(d.state), keyFile),
		Name: cfg.Name, Hosts: certificateHosts(cfg), Log: d.log,
		AskClients: t.Clients.Ask(),
	})
	switch {
	case err != nil && t.Certificate != "":
		return nil, fmt.Errorf("%s: %w", cfg.Origins.Place(t.Origin), err)
	case err != nil:
		return nil, fmt.Errorf("%s: an https address of api.listen: %w", d.placeOfHTTPS(cfg), err)
	}
	return pair, nil
}

// openClients returns the identities that a configuration gives to certificates.
func (d *Daemon) openClients(cfg *config.Config) (*access.Clients, error) {
	t := cfg.API.TLS
	clients := t.Clients
	if t.ClientCA == "" || !cfg.API.HTTPS() {
		return &clients, nil
	}
	authorities, err := tlskeys.OpenAuthorities(t.ClientCA, d.log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Origins.Place(t.ClientCAOrigin), err)
	}
	clients.Roots = authorities.Pool
	return &clients, nil
}

// placeOfHTTPS returns the place of the first https address of a configuration.
func (d *Daemon) placeOfHTTPS(cfg *config.Config) string {
	i := slices.IndexFunc(cfg.API.Listen, isHTTPS)
	return cfg.Origins.Place(cfg.API.Origins[i]).String()
}

// certificateHosts are what a certificate of the router's own is for.
func certificateHosts(cfg *config.Config) []string {
	hosts := append([]string{"localhost", cfg.Name}, cfg.API.Hosts...)
	for _, l := range cfg.API.Listen {
		if a, err := netip.ParseAddrPort(authority(l)); err == nil && !a.Addr().IsUnspecified() {
			hosts = append(hosts, a.Addr().WithZone("").String())
		}
	}
	return hosts
}

// secure reports whether the endpoint speaks HTTPS.
func (w *wantedEnd) secure() bool { return isHTTPS(w.address) }

// inStack reports whether the endpoint is in the router's own stack.
func (w *wantedEnd) inStack() bool { return strings.HasPrefix(w.address, config.StackScheme) }

func isHTTPS(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, config.StackScheme)
}

// authority returns the address and port of a URL, or what has no scheme.
func authority(address string) string {
	if _, rest, isURL := strings.Cut(address, "://"); isURL {
		return rest
	}
	return address
}

// webAddresses are the addresses of the API over HTTPS, sorted.
func (d *Daemon) webAddresses() (list []control.WebAddress) {
	for _, e := range d.ends {
		if e.secure() {
			pin := d.web.tls.Load().Pin()
			list = append(list, control.WebAddress{URL: d.reachable(e.address), Pin: pin, Curl: d.curl(e.address, pin)})
		}
	}
	slices.SortFunc(list, func(a, b control.WebAddress) int { return strings.Compare(a.URL, b.URL) })
	return list
}

// curl returns a command that asks the API at an https address.
func (d *Daemon) curl(address, pin string) string {
	insecure := ""
	if d.web.tls.Load().SelfSigned() {
		insecure = "-k " // nobody has signed it; the pin is checked all the same
	}
	return fmt.Sprintf(`curl %s--pinnedpubkey '%s' -H "Authorization: Bearer $TOKEN" %s/v1/version`, insecure, tlskeys.CurlPin(pin), d.reachable(address))
}

// reachable returns the URL by which one reaches an address to listen on, which may be
// every address: of this host, or of the router.
func (d *Daemon) reachable(address string) string {
	a, err := netip.ParseAddrPort(authority(address))
	switch {
	case err != nil:
		return address
	case !a.Addr().IsUnspecified():
		return "https://" + a.String()
	case strings.HasPrefix(address, config.StackScheme) && d.cfg.LocalStack != nil:
		for _, own := range d.cfg.LocalStack.Addresses {
			if own.Addr().Is4() || a.Addr().Is6() {
				return "https://" + netip.AddrPortFrom(own.Addr(), a.Port()).String()
			}
		}
	}
	return fmt.Sprintf("https://localhost:%d", a.Port())
}

// publishConfig publishes the running configuration for the API. Its tag changes
// with its text.
func (d *Daemon) publishConfig() {
	last := d.web.running.Load()
	if last != nil && last.Text == d.cfg.Text {
		return
	}
	d.web.configs++
	d.web.running.Store(&control.RunningConfig{
		File: d.opts.Config, Applied: d.applied.UTC(), Text: d.cfg.Text,
		Tag: fmt.Sprintf("%s-%d", d.web.epoch, d.web.configs),
	})
}

// ready returns why the router does not forward, without waiting for its loop.
func (d *Daemon) ready() error {
	if !d.started.Load() {
		return errors.New("the router is starting or stopping")
	}
	if held := d.steps.held(); held > longestStep {
		return fmt.Errorf("the router's owner has been in one step for %v", held)
	}
	return nil
}
