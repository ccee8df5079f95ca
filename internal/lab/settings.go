package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// setting is a sysctl of a network namespace.
type setting struct{ path, value string } // below /proc/sys/net

// settings are the sysctls of a node's namespace by its kind. Each kind sets
// all of them, so that a node that changes its kind keeps nothing of the old
// one. A router configures its devices itself.
func settings(kind Kind) []setting {
	forward, six, deaf := "0", "0", "0"
	switch {
	case kind == KindRouter:
		return nil
	case kind == KindSwitch:
		// A switch has an address only for its queries, and should not answer a
		// ping to all nodes.
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
		// Keep IPv6 addresses while a device is down, as the kernel does with
		// IPv4 addresses.
		{"ipv6/conf/all/keep_addr_on_down", "1"},
		{"ipv6/conf/default/keep_addr_on_down", "1"},
		// Replies may take another path than requests.
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
	}
}

// set applies settings to a namespace.
func set(namespace string, all []setting) error {
	if err := inNamespace(namespace, func() error { return write(all) }); err != nil {
		return fmt.Errorf("preparing namespace %s: %w", namespace, err)
	}
	return nil
}

// write writes settings of the namespace that we are in. One that has its value
// is not written, since /proc/sys may be read-only.
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
