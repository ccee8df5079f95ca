package daemon

import (
	"net/netip"
	"slices"
	"time"

	"routerd/arp"
)

// noteAddress records the IPv6 addresses that the router uses on its Ethernet
// links in the lock file, so that the next start can use them at once:
// duplicate address detection (RFC 4862 §5.4) would take more than a second.
// IPv4 addresses need none.
func (d *Daemon) noteAddress(effect arp.Effect) {
	var p netip.Prefix
	var name string
	view := d.router.View()
	switch e := effect.(type) {
	case arp.AddressUsable:
		p, name = e.Prefix, interfaceName(view, e.Interface)
	case arp.AddressDuplicate:
		p, name = e.Prefix, interfaceName(view, e.Interface)
	}
	if name == "" || !p.Addr().Is6() {
		return
	}
	list := slices.DeleteFunc(d.used[name], func(u netip.Prefix) bool { return u == p })
	if _, usable := effect.(arp.AddressUsable); usable {
		list = append(list, p)
	}
	d.used[name] = list
	d.noteUse(time.Now())
}

// noteUse writes the addresses that are used now, and that the router is alive.
func (d *Daemon) noteUse(now time.Time) {
	view := d.router.View()
	for name, list := range d.used {
		i := view.Named(name)
		list = slices.DeleteFunc(list, func(p netip.Prefix) bool { return i == nil || !slices.Contains(i.Addresses, p) })
		if d.used[name] = list; len(list) == 0 || d.ports[name] == nil {
			delete(d.used, name)
		}
	}
	if d.nextNote = now.Add(witnessEvery); len(d.used) == 0 {
		d.nextNote = time.Time{}
	}
	if err := d.lock.uses(d.used); err != nil {
		d.log.Warn("noting the addresses in use", "err", err)
	}
}
