package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// setting is one of the kernel's, which each namespace has of its own.
type setting struct{ path, value string } // below /proc/sys/net

// settings are what a node's namespace has to have for what the node is. Each
// kind names every setting, so that a node which has become of another kind
// keeps nothing of the old one. A router's own are none of the lab's: the
// router sees to its devices itself.
func settings(kind Kind) []setting {
	forward, six, deaf := "0", "0", "0"
	switch {
	case kind == KindRouter:
		return nil
	case kind == KindSwitch:
		// No port of a bridge is a station, and the bridge only in order to ask
		// who listens to which group: it is not among the answers to a ping of all.
		six, deaf = "1", "1"
	case kind.foreign():
		forward = "1"
	}
	return []setting{
		{"ipv4/ip_forward", forward},
		{"ipv6/conf/all/forwarding", forward},
		{"ipv6/conf/all/disable_ipv6", six},
		{"ipv6/conf/default/disable_ipv6", six},
		{"ipv6/icmp/echo_ignore_all", deaf},
		// A device that was down has the addresses that it was given again, as
		// it keeps its IPv4 ones.
		{"ipv6/conf/all/keep_addr_on_down", "1"},
		{"ipv6/conf/default/keep_addr_on_down", "1"},
		// Answers may take another way than what they answer.
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
	}
}

// set gives a namespace its settings.
func set(namespace string, all []setting) error {
	if err := inNamespace(namespace, func() error { return write(all) }); err != nil {
		return fmt.Errorf("preparing namespace %s: %w", namespace, err)
	}
	return nil
}

// write writes settings of the namespace that we are in. One that is as it
// shall be is not written: /proc/sys may be read-only, and its values good.
func write(all []setting) error {
	for _, s := range all {
		path := filepath.Join("/proc/sys/net", s.path)
		now, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without that family
		}
		if err == nil && string(bytes.TrimSpace(now)) != s.value {
			err = os.WriteFile(path, []byte(s.value), 0)
		}
		if err != nil {
			return fmt.Errorf("setting %s to %s: %w", s.path, s.value, err)
		}
	}
	return nil
}
