package device

import "crypto/sha256"

// HardwareAddr is the link address of one end of a link that routerd makes: the
// first bytes of a hash of the names, as a locally administered unicast address
// (IEEE 802 §8.4). The end is "router" or "host".
func HardwareAddr(end, router, name string) (a [6]byte) {
	// No name contains a zero byte, so that no two inputs give the same text.
	h := sha256.Sum256([]byte("routerd tap\x00" + end + "\x00" + router + "\x00" + name))
	copy(a[:], h[:])
	a[0] = a[0]&^0x01 | 0x02
	return a
}
