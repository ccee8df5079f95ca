package control

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// NATQuery selects the sessions of address translation that match all its
// fields. The zero query selects all. Only showing uses After and Limit.
type NATQuery struct {
	Protocol NATProtocol `query:"protocol" help:"only of this <protocol>, by name or number"`
	Inside   NATFilter   `query:"inside" help:"only of this inside <endpoint>: an address, a prefix, :port, or both"`
	Outside  NATFilter   `query:"outside" help:"only by this outside <endpoint>, likewise"`                       // also what a translated remote endpoint is seen as
	Remote   NATFilter   `query:"remote" help:"only with this remote <endpoint>, likewise"`                       // or what it is seen as
	Port     uint16      `query:"port" help:"only with this <port> on either side, before or behind translation"` // 0 = any
	Rule     string      `query:"rule,complete=nat/rule" help:"only by the rule <NAME>"`
	After    uint32      `query:"after,api,max=16777216"` // the page after this session: NATSessionPage.Next
	Limit    int         `query:"limit,api,max=10000"`    // most sessions to return; 0 = the router's default
}

// NATProtocol is the number of a protocol; 0 = any.
type NATProtocol uint8

var natProtocols = map[NATProtocol]string{
	1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 132: "sctp", 136: "udplite",
}

// String returns the protocol's name, or its number if it has no name here, and
// "" for any.
func (p NATProtocol) String() string {
	if name, ok := natProtocols[p]; ok || p == 0 {
		return name
	}
	return strconv.Itoa(int(p))
}

// Set implements show.Value.
func (p *NATProtocol) Set(text string) (err error) {
	*p, err = ParseNATProtocol(text)
	return err
}

// Offered implements show.Offering.
func (*NATProtocol) Offered() []string { return []string{"tcp", "udp", "icmp"} }

// ParseNATProtocol parses a name or a number. The error says what is valid.
func ParseNATProtocol(s string) (NATProtocol, error) {
	for p, name := range natProtocols {
		if s == name {
			return p, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n == 0 {
		return 0, errors.New("wanted tcp, udp, icmp, gre, esp, ah, sctp, udplite or a number from 1 to 255")
	}
	return NATProtocol(n), nil
}

// NATFilter is a condition on an endpoint of a session.
type NATFilter struct {
	Addresses netip.Prefix // IPv4; the zero Prefix = any
	Port      uint16       // 0 = any
}

// String returns the form that ParseNATFilter parses, "" for any endpoint.
func (f NATFilter) String() string {
	var s string
	switch {
	case !f.Addresses.IsValid():
	case f.Addresses.IsSingleIP():
		s = f.Addresses.Addr().String()
	default:
		s = f.Addresses.String()
	}
	if f.Port != 0 {
		s += fmt.Sprintf(":%d", f.Port)
	}
	return s
}

// Set implements show.Value.
func (f *NATFilter) Set(text string) (err error) {
	*f, err = ParseNATFilter(text)
	return err
}

// ParseNATFilter parses an IPv4 address or prefix, :port, or both. The error
// says what is valid.
func ParseNATFilter(s string) (f NATFilter, err error) {
	wanted := errors.New("wanted an IPv4 address or prefix, a port, or both: 10.0.0.1, 10.0.0.0/8, :443, 10.0.0.1:443")
	addresses, port, ported := strings.Cut(s, ":")
	if ported {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return NATFilter{}, wanted
		}
		f.Port = uint16(n)
	}
	if addresses == "" && ported {
		return f, nil
	}
	if a, err := netip.ParseAddr(addresses); err == nil {
		f.Addresses = netip.PrefixFrom(a, a.BitLen())
		return f, nil
	}
	p, err := netip.ParsePrefix(addresses)
	if err != nil {
		return NATFilter{}, wanted
	}
	f.Addresses = p.Masked()
	return f, nil
}
