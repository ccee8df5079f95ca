package bgp

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// texts reads a text or a list of them; numbers count as their texts.
func texts(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case int64:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		var list []string
		for _, item := range v {
			one, err := texts(item)
			if err != nil {
				return nil, err
			}
			list = append(list, one...)
		}
		if len(list) > 0 {
			return list, nil
		}
		return nil, fmt.Errorf("an empty list")
	}
	return nil, fmt.Errorf("%v", value)
}

func number(value any) (uint32, error) {
	text, ok := value.(string)
	if n, is := value.(int64); is {
		text, ok = fmt.Sprint(n), true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if !ok || err != nil {
		return 0, fmt.Errorf("%v is no number from 0 to %d", value, uint32(math.MaxUint32))
	}
	return uint32(n), nil
}

// ranges reads numbers and ranges of them.
func ranges(value any) ([]policy.Range, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var out []policy.Range
	for _, text := range list {
		low, high, is := strings.Cut(text, "..")
		if !is {
			high = low
		}
		a, err := number(low)
		if err != nil {
			return nil, err
		}
		b, err := number(high)
		if err != nil {
			return nil, err
		}
		if b < a {
			return nil, fmt.Errorf("range %s, which ends before it begins", text)
		}
		out = append(out, policy.Range{Low: a, High: b})
	}
	return out, nil
}

// addition is how a number is set: as it is, or added to what there is.
type addition int8

const (
	assign   addition = 0
	plus     addition = 1
	subtract addition = -1
)

// of is the new number; it stays from 0 to the highest.
func (d addition) of(before, n uint32) uint32 {
	if d == assign {
		return n
	}
	return uint32(min(max(int64(before)+int64(d)*int64(n), 0), math.MaxUint32))
}

func (d addition) text(n uint32) string {
	return map[addition]string{assign: "= ", plus: "+", subtract: "-"}[d] + fmt.Sprint(n)
}

// sum reads a number to set, or one to add as "+5" or "-5".
func sum(value any) (addition, uint32, error) {
	if text, ok := value.(string); ok {
		for mark, d := range map[string]addition{"+": plus, "-": subtract} {
			if rest, is := strings.CutPrefix(text, mark); is {
				n, err := number(rest)
				return d, n, err
			}
		}
	}
	n, err := number(value)
	return assign, n, err
}

func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a prefix", text)
	}
	return p.Masked(), nil
}

func origin(text string) (wire.Origin, error) {
	for o := wire.OriginIGP; o <= wire.OriginIncomplete; o++ {
		if o.String() == text {
			return o, nil
		}
	}
	return 0, fmt.Errorf("origin %q", text)
}

func either(list []string) string { return strings.Join(list, " or ") }
