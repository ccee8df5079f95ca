package localstack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"routerd/routing/protocol"
)

const (
	defaultTTL = 64
	maxSecret  = 80 // octets, TCP_MD5SIG_MAXKEYLEN
	// unsent bounds the octets of a connection that the kernel holds unsent.
	// The rest waits here, where its protocol learns of it.
	unsent = 128 << 10
)

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// setOptions sets the options of a socket except its secret, and those that all
// connections of protocols have.
func setOptions(fd, family int, o protocol.StreamOptions) error {
	ttl := int(o.TTL)
	if ttl == 0 {
		ttl = defaultTTL
	}
	list := []struct {
		level, name, value int
		what               string
	}{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, "sending at once"},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent, "the limit of what waits unsent"},
		{unix.IPPROTO_IP, unix.IP_TTL, ttl, "the TTL"},
		{unix.IPPROTO_IP, unix.IP_MINTTL, int(o.MinTTL), "the lowest TTL"},
		{unix.IPPROTO_IP, unix.IP_TOS, int(o.DSCP) << 2, "the DiffServ code point"},
	}
	if family == unix.AF_INET6 {
		list = append(list[:2], []struct {
			level, name, value int
			what               string
		}{
			{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl, "the hop limit"},
			{unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, int(o.MinTTL), "the lowest hop limit"},
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(o.DSCP) << 2, "the DiffServ code point"},
		}...)
	}
	for _, x := range list {
		if err := unix.SetsockoptInt(fd, x.level, x.name, x.value); err != nil {
			return fmt.Errorf("setting %s of a TCP socket to %d: %w", x.what, x.value, err)
		}
	}
	return nil
}

// setLowest sets the minimum TTL or hop limit only.
func setLowest(fd, family int, ttl uint8) error {
	level, name := unix.IPPROTO_IP, unix.IP_MINTTL
	if family == unix.AF_INET6 {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT
	}
	if err := unix.SetsockoptInt(fd, level, name, int(ttl)); err != nil {
		return fmt.Errorf("setting the lowest TTL of a TCP socket to %d: %w", ttl, err)
	}
	return nil
}

// setSecret sets the secret that signs the segments to and from a prefix (RFC
// 2385). An empty secret ends signing.
func setSecret(fd, family int, remote netip.Prefix, secret string) error {
	if len(secret) > maxSecret {
		return fmt.Errorf("a TCP-MD5 secret of %d octets for %v: at most %d are wanted", len(secret), remote, maxSecret)
	}
	sig := unix.TCPMD5Sig{Flags: unix.TCP_MD5SIG_FLAG_PREFIX, Prefixlen: uint8(remote.Bits()), Keylen: uint16(len(secret))}
	copy(sig.Key[:], secret)
	sig.Addr.Family = uint16(family)
	a := remote.Masked().Addr()
	if family == unix.AF_INET6 {
		b := a.As16()
		copy(sig.Addr.Data[6:], b[:]) // after port and flow label
	} else {
		b := a.As4()
		copy(sig.Addr.Data[2:], b[:]) // after the port
	}
	err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG_EXT, &sig)
	if secret == "" && errors.Is(err, unix.ENOENT) {
		return nil // there was none
	}
	if err != nil {
		return fmt.Errorf("setting the TCP-MD5 secret of %v: %w", remote, err)
	}
	return nil
}

func everybody(family int) netip.Prefix {
	if family == unix.AF_INET6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// sockaddr converts an address for system calls; zone is a device's index.
func sockaddr(a netip.AddrPort, zone uint32) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zone}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// reason returns in plain words why a connection has ended.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return protocol.ErrStreamRefused
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return protocol.ErrStreamReset
	case errors.Is(err, unix.ETIMEDOUT):
		return protocol.ErrStreamTimeout
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return fmt.Errorf("there is no way to the other side: %w", err)
	}
	return err
}

// file makes a socket a file, for which the runtime waits without a thread.
func file(fd int) *os.File { return os.NewFile(uintptr(fd), "tcp") }
