package router

import (
	"fmt"

	"routerd/acl"
	"routerd/flow"
	"routerd/nat"
	"routerd/routing"
)

// sessions is what translation is configured by: with a filter it makes the
// sessions of all IPv4 flows, so that filter and translation have one table.
func (c *Config) sessions() *nat.Config {
	n := c.NAT
	n.Track = c.ACL.Enabled()
	return &n
}

// compileACL compiles cfg's filter. Rules keep the numbers that they have in the
// filter in use. It changes nothing but the numbers that number gives out.
func (r *Router) compileACL(cfg Config, number func(string) (routing.InterfaceID, error)) (*acl.Rules, error) {
	if !cfg.ACL.Enabled() && r.filter == nil {
		return nil, nil
	}
	var list []acl.Interface
	for _, ic := range cfg.Dataplane.Interfaces {
		n, err := number(ic.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, acl.Interface{ID: n, Name: ic.Name})
	}
	if r.filter == nil {
		cfg.ACL.Secret = drawKey(r.random)
	}
	rules, err := acl.Compile(cfg.ACL, list, r.filter)
	if err != nil {
		return nil, fmt.Errorf("preparing the packet filter: %w", err)
	}
	return rules, nil
}

// commitACL makes rules, which compileACL returned, those of the next View.
func (r *Router) commitACL(rules *acl.Rules, cfg Config) {
	if rules == nil {
		return
	}
	r.filter = rules
	t := &r.translator
	if !cfg.ACL.Enabled() {
		return
	}
	limits := flow.Config{
		MaxSessions: cfg.NAT.MaxSessions, MaxPerHost: cfg.NAT.MaxSessionsPerHost, FairShare: !cfg.NAT.NoFairShare,
		Timeouts: cfg.NAT.Timeouts, InboundRefresh: cfg.NAT.InboundRefresh,
	}
	if limits.MaxSessions == 0 {
		limits.MaxSessions = nat.DefaultMaxSessions
	}
	switch {
	case limits.MaxPerHost == 0:
		limits.MaxPerHost = nat.DefaultMaxSessionsPerHost
	case limits.MaxPerHost < 0:
		limits.MaxPerHost = 0
	}
	if t.six == nil {
		limits.Key = drawKey(r.random)
		t.six = flow.NewWide(limits)
		return
	}
	t.six.Configure(limits)
}
