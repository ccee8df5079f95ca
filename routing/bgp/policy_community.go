package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// itemPattern is a community of any kind as it is on the wire, of 4, 8 or 12 octets; where
// mask is 0 it may have anything.
type itemPattern struct {
	text        string
	value, mask []byte
}

func (p *itemPattern) match(item []byte) bool {
	for i, m := range p.mask {
		if item[i]&m != p.value[i] {
			return false
		}
	}
	return true
}

func (p *itemPattern) exact() bool { return bytes.IndexByte(p.mask, 0) < 0 }

// part appends a number of size octets, or "*" for any.
func (p *itemPattern) part(text string, size int) error {
	var n uint32
	mask := byte(0xff)
	if text == "*" {
		mask = 0
	} else {
		var err error
		if n, err = number(text); err != nil || size == 2 && n > 0xffff {
			return fmt.Errorf("community %q: %q is no number of %d octets", p.text, text, size)
		}
	}
	octets := binary.BigEndian.AppendUint32(nil, n)[4-size:]
	for _, o := range octets {
		p.value, p.mask = append(p.value, o), append(p.mask, mask)
	}
	return nil
}

// readCommunity reads "65000:1", "65000:*" or the name of a well-known community.
func readCommunity(text string) (p itemPattern, err error) {
	p.text = text
	for c, word := range wire.WellKnown() {
		if word == text {
			p.value, p.mask = binary.BigEndian.AppendUint32(nil, uint32(c)), bytes.Repeat([]byte{0xff}, 4)
			return p, nil
		}
	}
	return p, p.parts(text, 2, 2)
}

func readLarge(text string) (p itemPattern, err error) {
	p.text = text
	return p, p.parts(text, 4, 4, 4)
}

// parts reads numbers that colons separate.
func (p *itemPattern) parts(text string, sizes ...int) error {
	list := strings.Split(text, ":")
	if len(list) != len(sizes) {
		return fmt.Errorf("community %q has %d parts, want %d", p.text, len(list), len(sizes))
	}
	for i, size := range sizes {
		if err := p.part(list[i], size); err != nil {
			return err
		}
	}
	return nil
}

// readExtended reads "rt:65000:1", "rt:192.0.2.1:1", "rt:4200000000:1" or "rt:65000:*".
func readExtended(text string) (p itemPattern, err error) {
	p.text = text
	kind, rest, _ := strings.Cut(text, ":")
	sub, ok := map[string]byte{"rt": 2, "ro": 3}[kind]
	if !ok {
		return p, fmt.Errorf("community %q begins with neither rt nor ro", text)
	}
	head := func(t byte) { p.value, p.mask = []byte{t, sub}, []byte{0xff, 0xff} }
	who, what, _ := strings.Cut(rest, ":")
	if a, err := netip.ParseAddr(who); err == nil && a.Is4() {
		head(1)
		p.value, p.mask = append(p.value, a.AsSlice()...), append(p.mask, 0xff, 0xff, 0xff, 0xff)
		return p, p.part(what, 2)
	}
	if n, err := number(who); err == nil && n > 0xffff {
		head(2)
		return p, p.parts(rest, 4, 2)
	}
	head(0)
	return p, p.parts(rest, 2, 4)
}

// readItems reads a list of communities of a kind.
func readItems(value any, read func(string) (itemPattern, error)) (patterns []itemPattern, list []string, err error) {
	if list, err = texts(value); err != nil {
		return nil, nil, err
	}
	for _, text := range list {
		p, err := read(text)
		if err != nil {
			return nil, nil, err
		}
		patterns = append(patterns, p)
	}
	return patterns, list, nil
}

// matchItems is a condition about communities of size octets: one of them is one of
// those.
func matchItems(value any, size int, what string, read func(string) (itemPattern, error), of func(*PolicyAttributes) []byte, words func(*PolicyAttributes) string) (policy.Condition, error) {
	patterns, list, err := readItems(value, read)
	if err != nil {
		return nil, err
	}
	return &condition{
		holds: func(a *PolicyAttributes) bool {
			for b := of(a); len(b) >= size; b = b[size:] {
				for i := range patterns {
					if patterns[i].match(b[:size]) {
						return true
					}
				}
			}
			return false
		},
		what: what, has: words, want: either(list),
	}, nil
}

func communityOctets(a *PolicyAttributes) []byte { return a.Communities }
func largeOctets(a *PolicyAttributes) []byte     { return a.Large }
func extendedOctets(a *PolicyAttributes) []byte  { return a.Extended }

func matchCommunity(value any) (policy.Condition, error) {
	return matchItems(value, 4, "its community", readCommunity, communityOctets, func(a *PolicyAttributes) string { return words(a.Communities.Len(), a.Communities.At) })
}

func matchLarge(value any) (policy.Condition, error) {
	return matchItems(value, 12, "its large community", readLarge, largeOctets, func(a *PolicyAttributes) string { return words(a.Large.Len(), a.Large.At) })
}

func matchExtended(value any) (policy.Condition, error) {
	return matchItems(value, 8, "its extended community", readExtended, extendedOctets, func(a *PolicyAttributes) string { return words(a.Extended.Len(), a.Extended.At) })
}

// words writes communities, with spaces between.
func words[T fmt.Stringer](n int, at func(int) T) string {
	list := make([]string, n)
	for i := range n {
		list[i] = at(i).String()
	}
	return strings.Join(list, " ")
}

// How a statement changes communities.
type communityVerb int

const (
	replaceCommunities communityVerb = iota
	addCommunities
	removeCommunities
)

// apply gives the communities of size octets after the change.
func (v communityVerb) apply(b []byte, size int, patterns []itemPattern) []byte {
	var out []byte
	if v != replaceCommunities {
		for item := range slices.Chunk(b, size) {
			if v == removeCommunities && slices.ContainsFunc(patterns, func(p itemPattern) bool { return p.match(item) }) {
				continue
			}
			out = append(out, item...)
		}
	}
	if v == removeCommunities {
		return out
	}
	for i := range patterns {
		have := false
		for item := range slices.Chunk(out, size) {
			have = have || bytes.Equal(item, patterns[i].value)
		}
		if !have {
			out = append(out, patterns[i].value...)
		}
	}
	return out
}

// setItems is a change of communities of size octets.
func setItems(value any, v communityVerb, size int, name string, read func(string) (itemPattern, error), code wire.Attribute, of func(*PolicyAttributes) []byte, put func(*PolicyAttributes, []byte)) (policy.Change, error) {
	patterns, list, err := readItems(value, read)
	if err != nil {
		return nil, err
	}
	for i := range patterns {
		if v != removeCommunities && !patterns[i].exact() {
			return nil, fmt.Errorf("community %q, which is not one but many", patterns[i].text)
		}
	}
	verb := [...]string{" = ", "-add ", "-remove "}[v]
	return &change{func(a *PolicyAttributes) {
		b := of(a)
		if !a.Has(code) {
			b = nil
		}
		if b = v.apply(b, size, patterns); len(b) == 0 {
			a.Clear(code)
			put(a, nil)
			return
		}
		put(a, b)
		a.Set(code)
	}, name + verb + strings.Join(list, " ")}, nil
}

func setCommunities(v communityVerb) func(any) (policy.Change, error) {
	return func(value any) (policy.Change, error) {
		return setItems(value, v, 4, "community", readCommunity, wire.AttrCommunities, communityOctets, func(a *PolicyAttributes, b []byte) { a.Communities = b })
	}
}

func setLarge(v communityVerb) func(any) (policy.Change, error) {
	return func(value any) (policy.Change, error) {
		return setItems(value, v, 12, "large-community", readLarge, wire.AttrLarge, largeOctets, func(a *PolicyAttributes, b []byte) { a.Large = b })
	}
}

func setExtended(v communityVerb) func(any) (policy.Change, error) {
	return func(value any) (policy.Change, error) {
		return setItems(value, v, 8, "extended-community", readExtended, wire.AttrExtended, extendedOctets, func(a *PolicyAttributes, b []byte) { a.Extended = b })
	}
}
