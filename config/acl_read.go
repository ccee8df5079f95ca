package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/tomltext"
)

// aclProtocols are the words for protocols in filter rules.
var aclProtocols = func() map[string]uint8 {
	m := maps.Clone(protocolNumbers)
	m["icmpv6"], m["igmp"], m["ospf"], m["dccp"], m["vrrp"], m["ipip"] = packet.ProtoICMPv6, packet.ProtoIGMP, packet.ProtoOSPF, 33, 112, 4
	return m
}()

func aclProtocolText(p uint8) string {
	for word, number := range aclProtocols {
		if number == p {
			return word
		}
	}
	return fmt.Sprint(p)
}

var aclProtocol = tomltext.Reading[uint8]{Read: func(v any) (uint8, error) {
	if word, ok := v.(string); ok {
		if p, known := aclProtocols[word]; known {
			return p, nil
		}
		return 0, tomltext.Hint{Suggestion: tomltext.Suggest(word, sortedKeys(aclProtocols))}
	}
	return protocol.Read(v)
}, Want: `"tcp", "udp", "icmp", "icmpv6", "gre", "esp", "ah", "sctp", "ospf" and others, or a protocol's number`}

var aclAddresses = tomltext.Reading[flow.AddressRange]{Read: func(v any) (flow.AddressRange, error) {
	s, ok := v.(string)
	if !ok {
		return flow.AddressRange{}, tomltext.ErrUnwanted
	}
	if p, err := netip.ParsePrefix(s); err == nil && !p.Addr().Is4In6() {
		if p.Masked() != p {
			return flow.AddressRange{}, tomltext.Hint{Message: "which has bits set behind its length", Suggestion: fmt.Sprintf("did you mean %q?", p.Masked())}
		}
		return flow.RangeOf(p), nil
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := netip.ParseAddr(first)
	b, err2 := netip.ParseAddr(last)
	if err1 != nil || err2 != nil || a.Is4() != b.Is4() || a.Is4In6() || b.Is4In6() || a.Zone() != "" || b.Zone() != "" || b.Less(a) {
		return flow.AddressRange{}, tomltext.ErrUnwanted
	}
	return flow.AddressRange{First: a, Last: b}, nil
}, Want: `an address, a prefix like "192.0.2.0/24" or "2001:db8::/32", or a range like "192.0.2.32-192.0.2.39"`}

// The names of ICMP types (RFC 792, RFC 4443, RFC 4861, RFC 8335).
var (
	icmpNames = map[string]uint8{
		"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8, "router-advertisement": 9,
		"router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12, "timestamp-request": 13, "timestamp-reply": 14,
	}
	icmp6Names = map[string]uint8{
		"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
		"listener-query": 130, "listener-report": 131, "listener-done": 132, "router-solicitation": 133, "router-advertisement": 134,
		"neighbor-solicitation": 135, "neighbor-advertisement": 136, "redirect": 137, "listener-report-v2": 143,
	}
)

// aclICMPTypes reads a type of the ICMP that the protocols name, or a word for
// several.
func aclICMPTypes(s string, protocols []uint8) ([]acl.ICMPType, bool) {
	six := slices.Contains(protocols, packet.ProtoICMPv6)
	if several, ok := readyICMP6[s]; ok && six {
		return several, true
	}
	t, ok := aclICMPType(s, six)
	return []acl.ICMPType{t}, ok
}

// aclICMPType reads one type of ICMP or ICMPv6.
func aclICMPType(s string, six bool) (acl.ICMPType, bool) {
	names := icmpNames
	if six {
		names = icmp6Names
	}
	if t, ok := names[s]; ok {
		return acl.ICMPType{Type: t, All: true}, true
	}
	kind, code, coded := strings.Cut(s, "/")
	t, err := strconv.ParseUint(kind, 10, 8)
	if err != nil {
		return acl.ICMPType{}, false
	}
	if !coded {
		return acl.ICMPType{Type: uint8(t), All: true}, true
	}
	n, err := strconv.ParseUint(code, 10, 8)
	return acl.ICMPType{Type: uint8(t), Code: uint8(n)}, err == nil
}

var tcpFlags = map[string]uint8{
	"fin": packet.TCPFin, "syn": packet.TCPSyn, "rst": packet.TCPRst, "psh": packet.TCPPsh, "ack": packet.TCPAck, "urg": 0x20, "ece": 0x40, "cwr": packet.TCPCwr,
}

var aclFlag = tomltext.Reading[acl.Flags]{Read: func(v any) (acl.Flags, error) {
	s, ok := v.(string)
	if !ok {
		return acl.Flags{}, tomltext.ErrUnwanted
	}
	word, clear := strings.CutPrefix(s, "!")
	bit, known := tcpFlags[word]
	switch {
	case !known:
		return acl.Flags{}, tomltext.ErrUnwanted
	case clear:
		return acl.Flags{Of: bit}, nil
	}
	return acl.Flags{Of: bit, Set: bit}, nil
}, Want: `a flag that has to be set, "syn", or to be clear, "!ack"`}

// The names of DSCPs (RFC 2474, RFC 2597, RFC 3246).
var dscpNames = map[string]uint8{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "ef": 46,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38,
}

var aclDSCP = tomltext.Reading[uint8]{Read: func(v any) (uint8, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v < 64 {
			return uint8(v), nil
		}
	case string:
		if n, ok := dscpNames[v]; ok {
			return n, nil
		}
	}
	return 0, tomltext.ErrUnwanted
}, Want: `a number from 0 to 63, or a name such as "ef", "af41" or "cs1"`}

var aclLength = tomltext.Reading[acl.LengthRange]{Read: func(v any) (acl.LengthRange, error) {
	const most = 65575 // the longest IPv6 packet
	switch v := v.(type) {
	case int64:
		if v > 0 && v <= most {
			return acl.LengthRange{First: uint32(v), Last: uint32(v)}, nil
		}
	case string:
		first, last, ok := strings.Cut(v, "-")
		a, err1 := strconv.ParseUint(first, 10, 32)
		b, err2 := strconv.ParseUint(last, 10, 32)
		if ok && err1 == nil && err2 == nil && a <= b && b <= most {
			return acl.LengthRange{First: uint32(a), Last: uint32(b)}, nil
		}
	}
	return acl.LengthRange{}, tomltext.ErrUnwanted
}, Want: `a length of IP packets in bytes, or a range like "0-128"`}
