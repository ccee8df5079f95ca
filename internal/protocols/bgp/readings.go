package bgp

import (
	"math"
	"strconv"
	"strings"

	"routerd/internal/tomltext"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// asReading reads the number of an AS, as a number or as two with a dot between (RFC
// 5396).
var asReading = tomltext.Reading[uint32]{Read: func(v any) (uint32, error) {
	var n uint64
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return 0, tomltext.ErrUnwanted
		}
		n = uint64(v)
	case string:
		high, low, dotted := strings.Cut(v, ".")
		a, err := strconv.ParseUint(high, 10, 16)
		b, err2 := strconv.ParseUint(low, 10, 16)
		if !dotted || err != nil || err2 != nil {
			return 0, tomltext.ErrUnwanted
		}
		n = a<<16 | b
	}
	switch {
	case n == 0 || n > math.MaxUint32:
		return 0, tomltext.ErrUnwanted
	case n == wire.ASTrans:
		return 0, tomltext.Hint{Message: "which stands for numbers that have no room in two octets (RFC 6793)"}
	}
	return uint32(n), nil
}, Want: `the number of an AS, like 65001 or "1.10"`}

// asInternal is what peer-as says of a neighbour of this router's AS.
const asInternal = "internal"

// families are the words for families of routes.
var families = [wire.NumFamilies]string{wire.IPv4Unicast: "ipv4-unicast", wire.IPv6Unicast: "ipv6-unicast"}

var familyReading = tomltext.OneOf(families[:], []wire.Family{wire.IPv4Unicast, wire.IPv6Unicast})

var (
	roleWords   = []string{"provider", "rs", "rs-client", "customer", "peer"}
	roleReading = tomltext.OneOf(roleWords, []wire.Role{wire.RoleProvider, wire.RoleRS, wire.RoleRSClient, wire.RoleCustomer, wire.RolePeer})

	actionReading = tomltext.OneOf([]string{"restart", "warn", "block"}, []bgp.LimitAction{bgp.LimitRestart, bgp.LimitWarn, bgp.LimitBlock})
	countReading  = tomltext.OneOf([]string{"accepted", "received"}, []bool{false, true})

	removeReading = tomltext.OneOf([]string{"no", "if-all", "all", "replace"},
		[]bgp.RemovePrivate{bgp.KeepPrivate, bgp.RemoveIfAll, bgp.RemoveAll, bgp.ReplacePrivates})
)
