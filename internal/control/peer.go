package control

import (
	"context"
	"net"
	"net/http"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/internal/access"
)

// peerKey is the key of an access.Peer in a connection's context.
type peerKey struct{}

// withPeer stores who is at the other end of a unix socket. After an error the
// peer is unknown, and has no rights.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		groups := append([]uint32{cred.Gid}, peerGroups(int(fd))...)
		ctx = context.WithValue(ctx, peerKey{}, access.Peer{UID: cred.Uid, Groups: groups})
	})
	return ctx
}

// peerGroups returns the supplementary groups of a peer; none if the kernel does
// not say (before Linux 4.13).
func peerGroups(fd int) []uint32 {
	const most = 65536 // of a process, see setgroups(2)
	for n := 32; n <= most; {
		groups := make([]uint32, n)
		size := uint32(4 * n)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4]
		case errno != unix.ERANGE || int(size/4) <= n:
			return nil
		}
		n = int(size / 4) // as many as it has
	}
	return nil
}

// identifyPeer passes requests on with the identity of the peer of their unix
// socket.
func identifyPeer(h http.Handler, roles func() *access.Roles) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if p, known := req.Context().Value(peerKey{}).(access.Peer); known {
			req = req.WithContext(access.With(req.Context(), roles().Peer(p)))
		}
		h.ServeHTTP(w, req)
	})
}

// defaultRoles are those of a router whose configuration gives none.
func defaultRoles() *access.Roles { return &access.Roles{Own: uint32(os.Geteuid())} }
