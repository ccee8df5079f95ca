package icmp

// Config says how freely the router speaks ICMP.
type Config struct {
	// ErrorRate is the number of ICMP errors per second that each worker
	// may send; ErrorBurst how many it may send at once after a silence
	// (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f). Zero rate means none. The word of
	// a path's MTU, redirects and all other errors are counted each by
	// themselves, so that a flood of one kind does not silence the others.
	ErrorRate  int
	ErrorBurst int
	// Redirects: hosts on an Ethernet are told of a better first hop on their
	// own link (RFC 1812 §5.2.7.2, RFC 4861 §8).
	Redirects bool
}

// DefaultConfig is what applies where the configuration is silent.
var DefaultConfig = Config{ErrorRate: 1000, ErrorBurst: 100, Redirects: true}
