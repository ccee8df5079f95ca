package control

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// userOf returns the user that owns the socket at the client's end of a TCP connection
// between two addresses of this host.
func userOf(client, server netip.AddrPort) (uid uint32, err error) {
	client, server = netip.AddrPortFrom(client.Addr().Unmap(), client.Port()), netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		uid, found, err := userIn(path, client, server)
		if found || err != nil {
			return uid, err
		}
	}
	return 0, fmt.Errorf("finding the user of the connection from %v to %v: it is no connection of this host", client, server)
}

// userIn looks for a connection in a file of the kernel with a line for each socket.
func userIn(path string, client, server netip.AddrPort) (uid uint32, found bool, err error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return 0, false, nil // a host without IPv6
	}
	if err != nil {
		return 0, false, fmt.Errorf("finding the user of the connection from %v: %w", client, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// The slot, both addresses, the state, queues, timers, retransmits, the user.
		part := strings.Fields(lines.Text())
		if len(part) < 8 || socketAddress(part[1]) != client || socketAddress(part[2]) != server {
			continue
		}
		n, err := strconv.ParseUint(part[7], 10, 32)
		if err != nil {
			return 0, false, fmt.Errorf("finding the user of the connection from %v: %s has the user %q", client, path, part[7])
		}
		return uint32(n), true, nil
	}
	if err := lines.Err(); err != nil {
		return 0, false, fmt.Errorf("finding the user of the connection from %v: %w", client, err)
	}
	return 0, false, nil
}

// socketAddress reads an address as those files have it: words in the byte order of the
// host and a port, all in hexadecimal. It returns the zero AddrPort for anything else.
func socketAddress(text string) netip.AddrPort {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}
