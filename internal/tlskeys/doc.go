// Package tlskeys holds the key and the certificate that the router shows to
// those who connect to its API by TLS.
//
// Both come from files, which are looked at again while connections come: a
// renewed certificate is shown to the next one without a reload, and connections
// that are open go on. While the files do not fit together, as in the middle of a
// renewal, the last ones that did are shown.
//
// Without files the router has a P-256 key of its own, made once and kept in a
// file, and a certificate that it signs itself. Nobody can check that one by its
// signature; a client checks the key instead, by its pin: the SHA-256 of its
// SubjectPublicKeyInfo (RFC 7469 §2.4).
//
// Authorities are the authorities that may sign the certificates of clients. Their file
// is read again in the same way. A client is asked for a certificate and need not have
// one (RFC 8446 §4.4.2.4 lets the server go on without). The request lists no
// authorities, since a client whose key is configured needs none.
//
// Only TLS 1.3 is offered (RFC 8446), and HTTP/1.1 by ALPN.
package tlskeys
