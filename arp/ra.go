package arp

import (
	"net/netip"
	"reflect"
	"time"

	"routerd/internal/timers"
)

// Router constants (RFC 4861 §10).
const (
	maxInitialRAInterval = 16 * time.Second
	maxInitialRAs        = 3
	minDelayBetweenRAs   = 3 * time.Second
	maxRADelay           = 500 * time.Millisecond
)

// advertiser sends the router advertisements of one interface.
type advertiser struct {
	timer   timers.Timer[waiting]
	iface   *iface
	config  RAConfig
	initial int       // advertisements still to be sent at short intervals
	last    time.Time // when one was multicast, zero before the first
}

// reconfigureRA applies the configuration: it starts advertising, ceases (RFC
// 4861 §6.2.5), or advertises changes soon (§6.2.4).
func (m *Machine) reconfigureRA(i *iface) {
	c := m.advertising(i)
	switch {
	case c == nil || i.disabled:
		m.ceaseRA(i)
		m.stopRA(i)
	case i.ra == nil:
		m.advertise(i)
	case !reflect.DeepEqual(i.ra.config, *c):
		i.ra.config, i.ra.initial = *c, maxInitialRAs
		m.schedule(i.ra, 0)
	}
}

// advertise starts advertising once the link-local address is usable, which has
// to be the source (§6.1.2).
func (m *Machine) advertise(i *iface) {
	c := m.advertising(i)
	if _, ok := i.linkLocal(); c == nil || i.ra != nil || i.disabled || !ok {
		return
	}
	a := &advertiser{iface: i, config: *c, initial: maxInitialRAs}
	a.timer.Of = a
	i.ra = a
	m.schedule(a, 0)
}

func (m *Machine) stopRA(i *iface) {
	if i.ra != nil {
		m.timers.Stop(&i.ra.timer)
		i.ra = nil
	}
}

// ceaseRA tells hosts that this is no longer a default router.
func (m *Machine) ceaseRA(i *iface) {
	if i.ra != nil {
		last := i.ra.config
		last.DefaultLifetime = 0
		m.sendRA(i, &last)
	}
}

// expire multicasts an advertisement and schedules the next (§6.2.4).
func (a *advertiser) expire(m *Machine) {
	if !m.sendRA(a.iface, &a.config) {
		m.stopRA(a.iface) // until the link-local address is usable again
		return
	}
	a.last = m.now
	next := m.between(a.config.MinInterval, a.config.MaxInterval)
	if a.initial > 0 {
		a.initial--
	}
	if a.initial > 0 {
		next = min(next, maxInitialRAInterval)
	}
	m.timers.Set(&a.timer, m.now.Add(next))
}

// routerSolicited answers all solicitations with one multicast advertisement
// (§6.2.6).
func (m *Machine) routerSolicited(i *iface) {
	if i.ra != nil {
		m.schedule(i.ra, m.between(0, maxRADelay))
	}
}

// schedule sends an advertisement after delay, unless one is due sooner, and
// never within MIN_DELAY_BETWEEN_RAS of the last (§6.2.6).
func (m *Machine) schedule(a *advertiser, delay time.Duration) {
	at := m.now.Add(delay)
	if soonest := a.last.Add(minDelayBetweenRAs); !a.last.IsZero() && m.now.Before(soonest) {
		at = soonest.Add(delay)
	}
	if !a.timer.IsSet() || at.Before(a.timer.At()) {
		m.timers.Set(&a.timer, at)
	}
}

// sendRA sends an advertisement as in §6.2.3 to all nodes.
func (m *Machine) sendRA(i *iface, c *RAConfig) bool {
	src, ok := i.linkLocal()
	if !ok {
		return false
	}
	b := AppendEthernet(nil, MulticastMAC(AllNodes), i.MAC, EtherTypeIPv6)
	b = AppendRouterAdvertisement(b, src, AllNodes, &RouterAdvertisement{
		RouterHeader: RouterHeader{
			HopLimit: c.CurHopLimit, Managed: c.Managed, Other: c.Other, Preference: c.Preference, Lifetime: c.DefaultLifetime,
			ReachableTime: c.ReachableTime, RetransTimer: c.RetransTimer,
		},
		Source: i.MAC, MTU: c.LinkMTU, Prefixes: c.Prefixes, RDNSS: c.RDNSS, RDNSSLifetime: c.RDNSSLifetime,
	})
	m.emit(SendFrame{i.id, b})
	return true
}

// linkLocal gives a usable link-local address of the interface.
func (i *iface) linkLocal() (netip.Addr, bool) {
	for _, o := range i.own {
		if a := o.prefix.Addr(); o.state == usable && a.Is6() && a.IsLinkLocalUnicast() {
			return a, true
		}
	}
	return netip.Addr{}, false
}
