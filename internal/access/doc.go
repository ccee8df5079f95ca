// Package access identifies the sender of a request to the router, and gives it a role.
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
// and groups: Roles.Peer. Over the network a request is identified by a token (Tokens),
// by the cookie of a browser's session (Logins), or by the certificate of the connection
// (Clients), whose key TLS has checked the client to hold. A session is opened by a
// token, or by a one-time code that the holder of a token or a peer of the socket has
// asked for.
//
// This package opens no socket and reads no configuration.
package access
