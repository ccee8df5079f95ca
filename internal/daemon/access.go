package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"routerd/internal/access"
	"routerd/internal/control"
	"routerd/internal/show"
	"routerd/internal/tlskeys"
	"routerd/internal/topology"
)

// tokensFile is the file of the tokens in the router's state directory.
const tokensFile = "tokens"

// sessionsFile is the file of the sessions of browsers there.
const sessionsFile = "sessions"

// web is what the listeners serve, to whom, and what they have to know for it.
type web struct {
	api      *control.API
	webHosts atomic.Pointer[[]string] // names of the router in requests to the API over TCP
	// hostNames are likewise those in requests for metrics.
	hostNames atomic.Pointer[[]string]
	tls       atomic.Pointer[tlskeys.Pair]   // what https listeners show; nil while there are none
	roles     atomic.Pointer[access.Roles]   // of the peers of unix sockets
	clients   atomic.Pointer[access.Clients] // of https listeners, by certificate
	tokens    *access.Tokens
	broken    error // why the tokens could not be read; there are none then, and none are made
	logins    *access.Logins
	audit     *access.Audit
	places    topology.Places // of the nodes of the map
	running   atomic.Pointer[control.RunningConfig]
	epoch     string // of this run, at random
	configs   int    // that have run since
}

// openAccess reads the tokens and makes the API. That tokens cannot be read keeps
// the router from nothing else.
func (d *Daemon) openAccess() {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	d.web.epoch = hex.EncodeToString(b)
	d.web.audit = access.NewAudit(func(e access.Entry) { d.teller.serve.Audit(e.Time, e.Who, e) })
	data, err := d.state.load(tokensFile)
	if err == nil {
		d.web.tokens, err = access.OpenTokens(data, d.keepTokens)
	}
	if err != nil {
		d.log.Error("tokens of the API cannot be read: nobody has one until the file is mended or removed, and the router is started again", "file", string(d.state)+"/"+tokensFile, "err", err)
		d.web.broken = err
		d.web.tokens, _ = access.OpenTokens(nil, d.keepTokens)
	}
	d.openLogins()
	d.web.api = control.New(api{d}, control.Options{
		Log:          d.log,
		MetricsHosts: func() []string { return *d.web.hostNames.Load() },
		WebHosts:     func() []string { return *d.web.webHosts.Load() },
		Roles:        d.web.roles.Load,
		Tokens:       d.web.tokens,
		Logins:       d.web.logins,
		Clients:      d.web.clients.Load,
		Audit:        d.web.audit,
		Ready:        d.ready,
		Long:         d.garbage.longList,
		Events:       d.teller.serve,
	})
}

// openLogins reads the sessions of browsers. If they cannot be read, they have ended.
func (d *Daemon) openLogins() {
	keep := func(data []byte) error {
		err := d.state.save(sessionsFile, data)
		if err != nil {
			d.log.Warn("sessions of browsers cannot be kept: they end when the router does", "err", err)
		}
		return err
	}
	data, err := d.state.load(sessionsFile)
	if err == nil {
		d.web.logins, err = access.OpenLogins(d.web.tokens, d.web.roles.Load, data, keep)
	}
	if err != nil {
		d.log.Warn("sessions of browsers cannot be read: they have ended", "file", string(d.state)+"/"+sessionsFile, "err", err)
		d.web.logins, _ = access.OpenLogins(d.web.tokens, d.web.roles.Load, nil, keep)
	}
}

// keepTokens writes the file of the tokens.
func (d *Daemon) keepTokens(data []byte) error {
	switch {
	case d.web.broken != nil:
		return &show.Error{Status: http.StatusConflict, Message: fmt.Sprintf("the file of the tokens cannot be read, and is not written over: %v", d.web.broken)}
	case d.state == "":
		return &show.Error{Status: http.StatusConflict, Message: "there is nowhere to keep a token: wanted a state-dir in the configuration when the router starts"}
	}
	return d.state.save(tokensFile, data)
}

func (a api) Tokens(context.Context) ([]access.Token, error) { return a.d.web.tokens.List(), nil }

func (a api) AddToken(_ context.Context, name string, role access.Role, expires time.Time) (out control.TokenAdded, err error) {
	out.Token, out.Secret, err = a.d.web.tokens.Add(name, role, expires)
	return out, err
}

func (a api) RevokeToken(_ context.Context, id string) (access.Token, error) {
	return a.d.web.tokens.Revoke(id)
}

func (a api) LoginCode(_ context.Context, by access.Identity, role access.Role) (c control.LoginCode, err error) {
	c.Code, c.Role, c.Expires, err = a.d.web.logins.Code(by, role)
	c.Expires = c.Expires.UTC()
	return c, err
}

func (a api) Audit(_ context.Context, n int) ([]access.Entry, error) {
	return a.d.web.audit.Last(n), nil
}

func (a api) Config(context.Context) (control.RunningConfig, error) {
	if c := a.d.web.running.Load(); c != nil {
		return *c, nil
	}
	return control.RunningConfig{}, show.Unavailable("the router is starting")
}

// reloadBySignal reloads for whoever may send the process a signal.
func (d *Daemon) reloadBySignal() {
	_, err := d.reloadAndLog("")
	e := access.Entry{Time: time.Now(), Who: "whoever may signal", Role: access.Admin, Source: "SIGHUP", Action: "reload", Result: "done"}
	if err != nil {
		e.Result = err.Error()
	}
	d.web.audit.Add(e)
}
