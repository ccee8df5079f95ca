package device

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
)

// SamePlace says whether two sides are of the same device.
func SamePlace(a, b Host) bool {
	return a.Device == b.Device && NamespacePath(a.Netns) == NamespacePath(b.Netns)
}

// Apply changes the kernel's side to new, which has to be of the same place.
// What did not change is not touched, the device stays and no packet in it is
// lost. On an error the old side is put back as far as the kernel lets it.
func (k *Kernel) Apply(new Side) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Stopped() {
		return errors.New("it is closed")
	}
	link, err := k.Handle.LinkByIndex(k.Index)
	if err != nil {
		return k.Lost(fmt.Errorf("looking up device %s: %w", k.Device, err))
	}
	if err := k.change(link, k.side, new); err != nil {
		if back := k.change(link, new, k.side); back != nil {
			return fmt.Errorf("%w; and putting back what was there: %w", err, back)
		}
		return err
	}
	k.side = new
	return nil
}

// change turns old into new. New addresses come before old ones go, since the
// kernel forgets every route of a device that loses its last address; and
// then what is to stay is made sure of, since it also forgets the other
// addresses of a subnet whose first one goes, and all IPv6 below its
// smallest MTU.
func (k *Kernel) change(link netlink.Link, old, new Side) error {
	if old.MTU != new.MTU {
		if err := k.setMTU(link, new.MTU); err != nil {
			return err
		}
	}
	if old.Bridge != new.Bridge {
		if err := k.setBridge(link, new); err != nil {
			return err
		}
	}
	if err := k.addAddresses(link, new); err != nil {
		return err
	}
	for _, r := range old.Host.Routes {
		if !slices.Contains(new.Host.Routes, r) || !slices.Equal(old.Via, new.Via) {
			if err := k.removeRoute(r, old); err != nil {
				return err
			}
		}
	}
	for _, a := range old.Host.Addresses {
		if !slices.Contains(new.Host.Addresses, a) {
			if err := k.removeAddress(link, a); err != nil {
				return err
			}
		}
	}
	if err := k.addAddresses(link, new); err != nil {
		return err
	}
	return k.addRoutes(new)
}
