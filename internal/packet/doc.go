// Package packet gives views of packet headers over the bytes they arrived
// in, and the Internet checksum.
//
// A view is a byte slice with methods. It copies nothing and keeps nothing;
// its Valid method comes first, and the other methods may panic on bytes that
// Valid refused. Setters change the bytes and leave checksums to the caller
// unless they say otherwise.
package packet
