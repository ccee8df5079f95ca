package control

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"

	"routerd/internal/verdict"
)

var errWantedSubnet = errors.New("wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8")

// ParseSubnet reads a prefix, or an address for itself alone. The error says
// what is wanted.
func ParseSubnet(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, errWantedSubnet
	}
	return p.Masked(), nil
}

// ParseDropVerdict reads the label of a verdict that is a drop. The error says
// what is wanted.
func ParseDropVerdict(s string) (string, error) {
	for _, l := range DropVerdicts() {
		if s == l {
			return s, nil
		}
	}
	return "", errors.New("wanted a name that show drops -o wide lists, such as no_route")
}

// DropVerdicts are the labels of the verdicts that are drops.
func DropVerdicts() (labels []string) {
	for v := range verdict.All {
		if v.Class() == verdict.Dropped {
			labels = append(labels, v.Label())
		}
	}
	return labels
}

func (q *query) drops() DropQuery {
	return DropQuery{
		Last: q.number("last", 0, MaxDrops), Interface: q.text("in"), Verdict: parsed(q, "verdict", ParseDropVerdict),
		Src: parsed(q, "src", ParseSubnet), Dst: parsed(q, "dst", ParseSubnet),
	}
}

// values puts the query into a URL's form.
func (q DropQuery) values() url.Values {
	v := url.Values{"last": {strconv.Itoa(q.Last)}}
	for name, s := range map[string]string{"in": q.Interface, "verdict": q.Verdict} {
		if s != "" {
			v.Set(name, s)
		}
	}
	for name, p := range map[string]netip.Prefix{"src": q.Src, "dst": q.Dst} {
		if p.IsValid() {
			v.Set(name, p.String())
		}
	}
	return v
}
