package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/internal/corpus"
)

// sessionOf makes a session of the bits of an octet, so that a fuzzer draws it.
func sessionOf(bits byte) *Session {
	s := &Session{
		External: bits&1 != 0, FourOctetAS: bits&2 != 0, ExtendedMessage: bits&4 != 0, KeepASSets: bits&8 != 0,
		Families: Of(IPv4Unicast), HoldTime: 90,
	}
	if bits&16 != 0 {
		s.Families |= Of(IPv6Unicast)
	}
	if bits&32 != 0 {
		s.ReceivePaths = Of(IPv4Unicast, IPv6Unicast)
		s.SendPaths = s.ReceivePaths
	}
	if bits&64 != 0 {
		s.ExtendedNextHop = Of(IPv4Unicast)
	}
	if bits&128 != 0 {
		s.FirstAS = 65001
	}
	return s
}

// walk reads all of an UPDATE; it must not panic.
func walk(u *Update) {
	for i := range u.Reach {
		for range u.Reach[i].All {
		}
		for range u.Withdrawn[i].All {
		}
	}
	a := &u.Attributes
	_ = a.ASPath.String()
	a.ASPath.Last()
	a.ASPath.AppendPrepended(nil, 1, 2)
	for i := range a.Communities.Len() {
		a.Communities.At(i)
	}
	for i := range a.Extended.Len() {
		_ = a.Extended.At(i).String()
	}
	for i := range a.Large.Len() {
		a.Large.At(i)
	}
	for i := range a.ClusterList.Len() {
		a.ClusterList.At(i)
	}
	for i := range u.Faults {
		_ = u.Faults[i].String()
		_ = u.Faults[i].Notification().String()
	}
}

// checkUpdate checks what must hold of any UPDATE: it has the approach of its
// strongest fault, and what it says is built again to the same.
func checkUpdate(t fatal, body []byte, s *Session) {
	before := bytes.Clone(body)
	var u, again Update
	DecodeUpdate(body, s, &u)
	r := u.Strongest()
	if r.Approach != u.Approach || (len(u.Faults) == 0) != (u.Approach == Accept) {
		t.Fatalf("approach %v, strongest fault %v of %d", u.Approach, r.Approach, len(u.Faults))
	}
	if u.Approach == SessionReset {
		return
	}
	walk(&u)
	if !bytes.Equal(body, before) {
		t.Fatalf("decoding changed the message")
	}
	if u.Approach == Accept {
		for i := range u.Reach {
			// What is built may be longer than what came, by a path of two octets that
			// becomes one of four.
			if len(u.Reach[i].Octets) > 0 && len(body) > 1500 {
				return
			}
		}
	}
	repack(t, &u, &again, s)
}

func FuzzUpdate(f *testing.F) {
	for _, g := range [][3]string{
		{"", base, prefix},
		{"00 10 0a01", base + "800404 00000064 c00808 fde80001 ffffff01 c01008 0002fde800000007 c0200c 0000fde8 00000001 00000002 c02304 0000fdeb", prefix},
		{"", reach6 + origin + path, ""},
		{"", origin + "400206 0202 fde9 5ba0" + nextHop + "c01106 0201 00010001 c00706 5ba0 0a000001 c01208 00010001 0a000002", prefix},
		{"", "800f0c 0002 01 40 20010db800010000", ""},
		{"", base + "c0fa00 80ee01ff e0f00101", prefix},
	} {
		for _, bits := range []byte{0x13, 0x12, 0x01, 0x1b, 0x53, 0x33} {
			f.Add(bits, body(f, g[0], g[1], g[2]))
		}
	}
	for _, raw := range corpus.Hex(f, "bgp") {
		if len(raw) > HeaderSize+4 && raw[typeAt] == byte(TypeUpdate) {
			f.Add(byte(0x1a), raw[HeaderSize:])
		}
	}
	f.Fuzz(func(t *testing.T, bits byte, body []byte) {
		if len(body) < 4 || len(body) > 4096-HeaderSize {
			return
		}
		checkUpdate(t, body, sessionOf(bits))
	})
}

func FuzzOpen(f *testing.F) {
	for _, g := range opens {
		f.Add(octets(f, g.body))
	}
	for _, raw := range corpus.Hex(f, "bgp") {
		if len(raw) > HeaderSize+10 && raw[typeAt] == byte(TypeOpen) {
			f.Add(raw[HeaderSize:])
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 10 || len(raw) > MaxMessage-HeaderSize {
			return
		}
		var o, again Open
		if r := DecodeOpen(raw, &o); !r.OK() {
			_ = r.String()
			return
		}
		back := o.Append(nil)
		if r := DecodeOpen(back[HeaderSize:], &again); !r.OK() {
			t.Fatalf("%+v, built again: %v", o, r.String())
		}
		// The AS number of two octets is lost where there is one of four.
		if d := cmp.Diff(o, again, same); d != "" {
			t.Fatalf("built and decoded again (-was +is):\n%s", d)
		}
		Negotiate(&o, &again, Expected{AS: o.AS})
	})
}

func FuzzStream(f *testing.F) {
	f.Add(AppendKeepalive(AppendEndOfRIB(nil, IPv6Unicast)))
	for _, raw := range corpus.Hex(f, "bgp") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for b := raw; ; {
			m, rest, r := Split(b, MaxExtendedMessage)
			if !r.OK() || m.Octets == nil {
				if len(rest) != len(b) {
					t.Fatalf("%d of %d octets are left of no message", len(rest), len(b))
				}
				_ = r.String()
				return
			}
			if len(m.Octets)+len(rest) != len(b) {
				t.Fatalf("a message of %d octets, %d are left of %d", len(m.Octets), len(rest), len(b))
			}
			switch m.Type {
			case TypeNotification:
				n := DecodeNotification(m.Body())
				_ = n.String()
				if back := n.Append(nil); !bytes.Equal(back, m.Octets) {
					t.Fatalf("built again %x, was %x", back, m.Octets)
				}
			case TypeRouteRefresh:
				DecodeRefresh(m, true)
			}
			b = rest
		}
	})
}

// Cut short anywhere, a message is waited for; with the length of what is left it is
// refused or whole.
func TestTruncation(t *testing.T) {
	var messages [][]byte
	for _, g := range opens {
		messages = append(messages, message(t, TypeOpen, g.body))
	}
	for _, g := range [][3]string{
		{"00 10 0a01", base + "800404 00000064 c00808 fde80001 ffffff01 c01008 0002fde800000007 c0200c 0000fde8 00000001 00000002 c02304 0000fdeb", prefix},
		{"", reach6 + origin + path, ""},
		{"", "800f0c 0002 01 40 20010db800010000", ""},
	} {
		messages = append(messages, finish(append(appendHeader(nil, TypeUpdate), body(t, g[0], g[1], g[2])...), 0))
	}
	messages = append(messages, Shutdown(CeaseAdminShutdown, "back soon").Append(nil), Refresh{}.Append(nil), AppendKeepalive(nil))
	for _, raw := range messages {
		if m, rest, r := Split(raw, MaxMessage); !r.OK() || len(m.Octets) != len(raw) || len(rest) != 0 {
			t.Fatalf("%x: %v", raw, r.String())
		}
		for n := range raw {
			m, rest, r := Split(raw[:n:n], MaxMessage)
			if !r.OK() || m.Octets != nil || len(rest) != n {
				t.Fatalf("%d octets of %x: %v, %v", n, raw, m, r.String())
			}
			if n < HeaderSize {
				continue
			}
			cut := finish(bytes.Clone(raw[:n]), 0)
			m, _, r = Split(cut, MaxMessage)
			switch {
			case !r.OK():
				if r.Reason != MessageLength {
					t.Errorf("%x: %v", cut, r.String())
				}
			case m.Type == TypeOpen:
				var o Open
				if r := DecodeOpen(m.Body(), &o); r.OK() {
					t.Errorf("%x, %d octets of an OPEN, is decoded", cut, n)
				}
			case m.Type == TypeUpdate:
				for bits := range 256 {
					checkUpdate(t, m.Body(), sessionOf(byte(bits)))
				}
				var u Update
				DecodeUpdate(m.Body(), &external, &u)
				if prefixless := len(u.Reach[0].Octets)+len(u.Reach[1].Octets)+len(u.Withdrawn[0].Octets)+len(u.Withdrawn[1].Octets) == 0; u.Approach == Accept && !prefixless && n < len(raw)-4 {
					t.Errorf("%x, %d of %d octets, is accepted", cut, n, len(raw))
				}
			}
		}
		// Cut within the attributes: each octet less of them.
		if raw[typeAt] != byte(TypeUpdate) {
			continue
		}
		withdrawn, attrs, _, _ := split(raw[HeaderSize:])
		for n := range attrs {
			b := append([]byte{0, byte(len(withdrawn))}, withdrawn...)
			b = append(append(b, 0, byte(n)), attrs[:n]...)
			for bits := range 256 {
				checkUpdate(t, b, sessionOf(byte(bits)))
			}
		}
	}
}

// Messages are decoded, interned and built into buffers without an allocation.
func TestAllocations(t *testing.T) {
	attrs := base + "800404 00000064 c00808 ffffff01 fde80001 c0fa0101"
	narrow := origin + "400206 0202 fde9 5ba0" + nextHop + "c01106 0201 00010001 c0fa0101"
	var u Update
	var a Attributes
	var p Packer
	var set Set
	var buf []byte
	var o Open
	open := message(t, TypeOpen, opens[1].body)
	for _, test := range []struct {
		session *Session
		raw     []byte
	}{
		{&external, body(t, "00 10 0a01", attrs, prefix+prefix)},
		{&external, body(t, "", reach6+origin+path, "")},
		{&old, body(t, "", narrow, prefix)},
		{&external, body(t, "", "400101 03"+path, prefix)}, // with faults
	} {
		if n := testing.AllocsPerRun(100, func() {
			DecodeUpdate(test.raw, test.session, &u)
			p.Begin(buf[:0], test.session)
			for i := range u.Reach {
				r := &u.Reach[i]
				if len(r.Octets) == 0 || u.Approach != Accept {
					continue
				}
				set = u.AppendSet(set[:0], r)
				set.Read(&a)
				p.Announce(r.Family, &a)
				for path, prefix := range r.All {
					p.Add(path, prefix)
				}
			}
			buf = p.Bytes()
		}); n != 0 {
			t.Errorf("%x: %v allocations, want none", test.raw, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if r := DecodeOpen(open[HeaderSize:], &o); !r.OK() {
			t.Fatal(r.String())
		}
		buf = o.Append(buf[:0])
	}); n != 0 {
		t.Errorf("OPEN: %v allocations, want none", n)
	}
}
