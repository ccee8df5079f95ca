package icmp

// Config says which ICMP messages the router sends, and how many.
type Config struct {
	// ErrorRate is the number of ICMP errors per second that each worker may
	// send; ErrorBurst how many it may send at once after a silence (RFC 1812
	// §4.3.2.8, RFC 4443 §2.4 f). Zero rate means none. "Too big" errors,
	// redirects and all other errors are limited separately, so that a flood of
	// one kind does not suppress the others.
	ErrorRate  int
	ErrorBurst int
	// Redirects has the router tell hosts on an Ethernet of a better first hop
	// on their link (RFC 1812 §5.2.7.2, RFC 4861 §8).
	Redirects bool
}

// DefaultConfig is the default.
var DefaultConfig = Config{ErrorRate: 1000, ErrorBurst: 100, Redirects: true}
