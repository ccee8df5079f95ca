package access

import (
	"context"
	"time"
)

// Identity is who sends a request. It is a value that nobody changes.
type Identity struct {
	// Name says who it is: "uid 1000", "token k3v9q2xa (ci)". "" is nobody known.
	Name string
	Role Role
	// Source is where the request comes from: "unix socket", "192.0.2.7".
	Source string
	// Ended is closed when the identity loses its rights while its connections are
	// open: its token or certificate is revoked or has expired. A handler that keeps a connection beyond one
	// answer has to close it then. nil: it never ends.
	Ended <-chan struct{}
	// Expires is when it ends by itself; zero for never.
	Expires time.Time
	// Token is the ID of the token that was shown, and Peer the process at the other
	// end of a unix socket; of a browser's session what was shown to open it.
	Token string
	Peer  *Peer
	// Browser: it is identified by the cookie of a session (Logins).
	Browser bool
}

// identityKey is the key of an Identity in a context.
type identityKey struct{}

// With returns a context that carries the identity.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// From returns the identity that With has put in the context: the zero
// Identity, which may do nothing, if there is none.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}
