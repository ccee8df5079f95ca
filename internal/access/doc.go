// Package access says who sends a request to the router, and what that user may do.
//
// Each request has an Identity: a name, a role and where it comes from. The
// server finds it out before any handler runs and puts it in the request's
// context; a handler asks From(ctx). There are three roles, each of which may
// do all that the one before it may:
//
//	read      show
//	operate   make the router forget what it has learned (clear)
//	admin     change its configuration, and who may do what
//
// The peer of a unix socket is identified by the kernel (SO_PEERCRED), by user
// and groups: Roles.Peer. Over the network it is who shows a token (Tokens), or a
// browser by the cookie of a session (Logins), which somebody with a token or a socket
// has opened by a one-time code, or the holder of the connection's certificate
// (Clients), which TLS has checked to be the client's own.
//
// This package opens no socket and reads no configuration.
package access
