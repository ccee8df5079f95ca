package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/internal/corpus"
)

// fromMRT is the session of a message of an MRT file.
func fromMRT(m *corpus.BGPMessage) Session {
	s := Session{External: true, FourOctetAS: m.FourOctetAS, Families: Of(IPv4Unicast, IPv6Unicast), KeepASSets: true}
	// Old BIRDs wrote path identifiers without saying so in the subtype.
	if m.AddPath || strings.HasPrefix(m.File, "mrtparse-bird") {
		s.ReceivePaths = s.Families
	}
	s.SendPaths = s.ReceivePaths
	return s
}

// Real updates have no faults but those that are known, and are the same when they
// are packed again and decoded.
func TestCorpusUpdates(t *testing.T) {
	updates, prefixes := 0, 0
	faults := map[string]int{}
	var u, again Update
	for _, m := range corpus.BGPMessages(t) {
		s := fromMRT(&m)
		message, rest, r := Split(m.Octets, MaxMessage)
		if !r.OK() || len(rest) != 0 {
			t.Errorf("%s: %x: %v, %d octets left", m.File, m.Octets, r.String(), len(rest))
			continue
		}
		if message.Type == TypeOpen {
			var o Open
			if r := DecodeOpen(message.Body(), &o); !r.OK() {
				t.Errorf("%s: %x: %v", m.File, m.Octets, r.String())
			}
		}
		if message.Type != TypeUpdate {
			continue
		}
		updates++
		DecodeUpdate(message.Body(), &s, &u)
		for _, f := range u.Faults {
			faults[fmt.Sprintf("%v %v %v", f.Approach, f.Attribute, f.Reason)]++
		}
		if u.Approach == SessionReset {
			continue
		}
		prefixes += u.Reach[0].Len() + u.Reach[1].Len()
		repack(t, &u, &again, &s)
	}
	if updates < 10_000 || prefixes < 10_000 {
		t.Errorf("%d updates with %d prefixes, want at least 10000 of each", updates, prefixes)
	}
	// What the files have: routes of one's own AS, which fromMRT does not know, other
	// families, and one prefix that is cut.
	for text, n := range map[string]int{
		"attribute-discard local-pref not-external": -1, "attribute-discard originator-id not-external": -1,
		"attribute-discard cluster-list not-external": -1, "attribute-discard mp-reach-nlri family": -1,
		"attribute-discard mp-unreach-nlri family": -1, "session-reset attribute 0 nlri": 1,
	} {
		if n < 0 || faults[text] == n {
			delete(faults, text)
		}
	}
	for text, n := range faults {
		t.Errorf("%d times %s", n, text)
	}
}

// repack packs what an update announces and withdraws, and decodes that.
func repack(t fatal, u, again *Update, s *Session) {
	for i := range u.Reach {
		reach := &u.Reach[i]
		for _, withdraw := range []bool{false, true} {
			n := reach.NLRI
			if withdraw {
				n = u.Withdrawn[i]
			}
			if len(n.Octets) == 0 || !withdraw && u.Approach > AttributeDiscard {
				continue
			}
			var set Set
			var p Packer
			p.Begin(nil, s)
			if withdraw {
				p.Withdraw(n.Family)
			} else {
				set = u.AppendSet(nil, reach)
				var a Attributes
				set.Read(&a)
				if !p.Announce(n.Family, &a) {
					t.Fatalf("no room for %v", a)
				}
			}
			for path, prefix := range n.All {
				p.Add(path, prefix)
			}
			var list []string
			for b := p.Bytes(); len(b) > 0; {
				m, rest, r := Split(b, s.Longest())
				if !r.OK() {
					t.Fatalf("%x: %v", b, r.String())
				}
				b = rest
				DecodeUpdate(m.Body(), s, again)
				if again.Approach != Accept {
					r := again.Strongest()
					t.Fatalf("%x: %v: %v", m.Octets, again.Approach, r.String())
				}
				for k := range again.Reach {
					back := again.Reach[k].NLRI
					if withdraw {
						back = again.Withdrawn[k]
					} else if got := again.AppendSet(nil, &again.Reach[k]); len(back.Octets) > 0 && !bytes.Equal(got, set) {
						t.Fatalf("set\n%x, was\n%x", []byte(got), []byte(set))
					}
					list = each(list, back)
				}
			}
			if want := each(nil, n); !slices.Equal(list, want) {
				t.Fatalf("prefixes %v, want %v", list, want)
			}
		}
	}
}

// What ExaBGP's tests say of a message is what is decoded.
func TestCorpusExaBGP(t *testing.T) {
	compared := 0
	for _, m := range corpus.ExaBGPMessages(t) {
		if len(m.Announce)+len(m.Withdraw) == 0 {
			continue
		}
		message, _, r := Split(m.Octets, MaxMessage)
		if !r.OK() || message.Type != TypeUpdate {
			t.Errorf("%s: %v %v", m.Source, message.Type, r.String())
			continue
		}
		s := internal
		s.KeepASSets = true
		if strings.Contains(m.Source, "path-information") {
			s.ReceivePaths = s.Families
		}
		var u Update
		DecodeUpdate(message.Body(), &s, &u)
		if u.Approach != Accept {
			r := u.Strongest()
			if strings.Contains(m.Source, "generic-attribute") && r.Reason == UnknownWellKnown {
				continue // attribute 153 with the flags of a well-known one
			}
			t.Errorf("%s: %x: %v: %v", m.Source, m.Octets, u.Approach, r.String())
			continue
		}
		var got, want []string
		for i := range u.Reach {
			for path, p := range u.Reach[i].All {
				got = append(got, fmt.Sprintf("%v %d %v by %v", p, path, u.Reach[i].Family, u.Reach[i].NextHop.Address))
			}
			for path, p := range u.Withdrawn[i].All {
				got = append(got, fmt.Sprintf("%v %d %v withdrawn", p, path, u.Withdrawn[i].Family))
			}
		}
		for family, hops := range m.Announce {
			for hop, list := range hops {
				for _, p := range list {
					want = append(want, fmt.Sprintf("%s %d %s by %s", p.NLRI, pathID(p.PathID), strings.ReplaceAll(family, " ", "-"), hop))
				}
			}
		}
		for family, list := range m.Withdraw {
			for _, p := range list {
				want = append(want, fmt.Sprintf("%s %d %s withdrawn", p.NLRI, pathID(p.PathID), strings.ReplaceAll(family, " ", "-")))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", m.Source, got, want)
		}
		sayExaBGP(t, &m, &u.Attributes)
		compared++
	}
	if compared < 20 {
		t.Errorf("%d messages compared, want at least 20", compared)
	}
}

func pathID(text string) uint32 {
	if text == "" {
		return 0
	}
	a := netip.MustParseAddr(text).As4()
	return binary.BigEndian.Uint32(a[:])
}

// sayExaBGP compares the attributes that are known.
func sayExaBGP(t *testing.T, m *corpus.ExaBGPMessage, a *Attributes) {
	t.Helper()
	if len(m.Announce) == 0 {
		return
	}
	want := m.Attributes
	if a.Origin.String() != want.Origin {
		t.Errorf("%s: origin %v, want %s", m.Source, a.Origin, want.Origin)
	}
	if (want.LocalPref != nil) != a.Has(AttrLocalPref) || want.LocalPref != nil && *want.LocalPref != a.LocalPref {
		t.Errorf("%s: local preference %d", m.Source, a.LocalPref)
	}
	if (want.MED != nil) != a.Has(AttrMED) || want.MED != nil && *want.MED != a.MED {
		t.Errorf("%s: MED %d", m.Source, a.MED)
	}
	var path []uint32
	for i := range len(want.ASPath) {
		path = append(path, want.ASPath[fmt.Sprint(i)].Value...)
	}
	if got := slices.Collect(a.ASPath.Numbers); !slices.Equal(got, path) {
		t.Errorf("%s: path %v, want %v", m.Source, got, path)
	}
	if a.Communities.Len() != len(want.Communities) {
		t.Errorf("%s: %d communities, want %d", m.Source, a.Communities.Len(), len(want.Communities))
		return
	}
	for i, c := range want.Communities {
		if a.Communities.At(i) != Community(uint32(c[0])<<16|uint32(c[1])) {
			t.Errorf("%s: community %v, want %v", m.Source, a.Communities.At(i), c)
		}
	}
}

// Captured messages of all kinds are read or refused for a reason, and what is read
// is built again.
func TestCorpusPackets(t *testing.T) {
	read := map[Type]int{}
	for _, raw := range corpus.Hex(t, "bgp") {
		m, _, r := Split(raw, MaxMessage)
		if m.Octets == nil {
			t.Logf("%x: %v", raw[:min(len(raw), 40)], r.String())
			continue
		}
		read[m.Type]++
		switch m.Type {
		case TypeOpen:
			var o Open
			if r := DecodeOpen(m.Body(), &o); !r.OK() {
				t.Logf("%x: %v", raw, r.String())
				continue
			}
			var again Open
			back := o.Append(nil)
			if r := DecodeOpen(back[HeaderSize:], &again); !r.OK() || fmt.Sprint(o) != fmt.Sprint(again) {
				t.Errorf("%x: %v,\n%+v and\n%+v", raw, r.String(), o, again)
			}
		case TypeNotification:
			if back := DecodeNotification(m.Body()).Append(nil); !bytes.Equal(back, m.Octets) {
				t.Errorf("%x built again: %x", m.Octets, back)
			}
		case TypeUpdate:
			for _, s := range []Session{external, internal, old} {
				s.KeepASSets = true
				var u, again Update
				DecodeUpdate(m.Body(), &s, &u)
				if u.Approach != SessionReset {
					repack(t, &u, &again, &s)
				}
			}
		}
	}
	if read[TypeOpen] < 5 || read[TypeUpdate] < 5 || read[TypeNotification] < 5 || read[TypeKeepalive] < 1 || read[TypeRouteRefresh] < 1 {
		t.Errorf("messages by type: %v", read)
	}
}

// holo's vectors of whole messages.
func TestCorpusVectors(t *testing.T) {
	for _, kind := range []Type{TypeOpen, TypeUpdate, TypeNotification, TypeKeepalive} {
		vectors := corpus.Vectors(t, "bgp-"+kind.String())
		if len(vectors) == 0 {
			t.Errorf("no vectors of %v", kind)
		}
		for name, raw := range vectors {
			m, _, r := Split(raw, MaxMessage)
			if !r.OK() || m.Type != kind {
				t.Errorf("%s: %v %v", name, m.Type, r.String())
				continue
			}
			var o Open
			if r := (Refusal{}); kind == TypeOpen {
				if r = DecodeOpen(m.Body(), &o); !r.OK() {
					t.Errorf("%s: %v", name, r.String())
				}
			}
			if kind == TypeUpdate {
				var u Update
				s := Session{External: true, FourOctetAS: true, Families: external.Families, KeepASSets: true}
				DecodeUpdate(m.Body(), &s, &u)
				for _, f := range u.Faults {
					t.Logf("%s: %v: %v", name, f.Approach, f.String())
				}
			}
		}
	}
}
