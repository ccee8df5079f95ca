package bfd

import (
	"fmt"
	"net/netip"
	"time"

	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
)

// Config is what a machine is told.
type Config struct {
	// Profiles are named sets of parameters. That of the name "" is for whoever
	// names none; without it DefaultProfile is.
	Profiles map[string]Profile
	// Peers have sessions though nobody asks for them. What a peer says of its
	// session counts for all who do.
	Peers []Peer
}

// Profile is the parameters of a session.
type Profile struct {
	// Transmit is how often packets are to be sent, Receive how often they can be
	// received: the desired min TX and required min RX interval of RFC 5880. The
	// slower of two neighbours decides, in each direction.
	Transmit, Receive time.Duration
	// Multiplier is how many packets in a row may be lost.
	Multiplier uint8
	// Passive waits for the neighbour's first packet before it sends.
	Passive bool
	// MinimumTTL is the least TTL or hop limit that a packet over several hops
	// may arrive with; over one hop it is always 255.
	MinimumTTL uint8
	Auth       Auth
}

// Auth is how sessions authenticate; the algorithms of the keys do not count.
type Auth struct {
	Type wire.AuthType
	Keys keys.Chain
}

// Peer is a neighbour with a session of its own.
type Peer struct {
	Address netip.Addr // without a zone
	// Interface is by name; "" finds it by the subnet that has the address.
	Interface string
	Multihop  bool
	Source    netip.Addr // of Multihop
	Profile   string
	// Shutdown keeps the session in AdminDown.
	Shutdown bool
}

// The bounds of intervals. The longest serves graceful restart (RFC 7419 §3).
const (
	ShortestInterval = 3 * time.Millisecond
	LongestInterval  = 60 * time.Second
)

// DefaultProfile is what holds unless the configuration says otherwise.
func DefaultProfile() Profile {
	return Profile{Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, Multiplier: 3, MinimumTTL: 254}
}

// Check says what of the configuration cannot be used.
func (c *Config) Check() error {
	for name, p := range c.Profiles {
		if err := p.check(); err != nil {
			return fmt.Errorf("bfd: profile %q: %w", name, err)
		}
	}
	for i := range c.Peers {
		if err := c.checkPeer(&c.Peers[i]); err != nil {
			return fmt.Errorf("bfd: peer %v: %w", c.Peers[i].Address, err)
		}
	}
	return nil
}

func (c *Config) checkPeer(p *Peer) error {
	_, known := c.Profiles[p.Profile]
	switch {
	case p.Profile != "" && !known:
		return fmt.Errorf("profile %q, want one that there is", p.Profile)
	case p.Multihop && (!p.Source.IsValid() || p.Source.Is4() != p.Address.Is4()):
		return fmt.Errorf("source %v, want an address of the peer's family", p.Source)
	}
	return nil
}

func (p *Profile) check() error {
	for _, i := range []time.Duration{p.Transmit, p.Receive} {
		if i < ShortestInterval || i > LongestInterval {
			return fmt.Errorf("interval %v, want %v to %v", i, ShortestInterval, LongestInterval)
		}
	}
	if p.Multiplier == 0 {
		return fmt.Errorf("multiplier 0, want at least 1")
	}
	return p.Auth.check()
}

func (a *Auth) check() error {
	if a.Type == wire.AuthNone && len(a.Keys) == 0 {
		return nil
	}
	if a.Type == wire.AuthNone || len(a.Keys) == 0 {
		return fmt.Errorf("authentication %v with %d keys, want a type and at least one key", a.Type, len(a.Keys))
	}
	for i := range a.Keys {
		if k := &a.Keys[i]; len(k.Secret) > a.Type.LongestSecret() {
			return fmt.Errorf("key %d: %d octets, at most %d with %v", k.ID, len(k.Secret), a.Type.LongestSecret(), a.Type)
		}
	}
	return a.Keys.Check()
}

// detection is how long a failure takes to be found out if the neighbour says
// the same.
func (p *Profile) detection() time.Duration {
	return time.Duration(p.Multiplier) * max(p.Transmit, p.Receive)
}
