package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/internal/corpus"
)

var octets = corpus.Octets

var same = cmpopts.EquateEmpty()

// message gives a message of a type with the body that the hexadecimal says.
func message(tb testing.TB, t Type, body string) []byte {
	tb.Helper()
	return finish(append(appendHeader(nil, t), octets(tb, body)...), 0)
}

// Every OPEN is built again to the same octets.
var opens = []struct {
	name string
	body string
	want Open
}{
	{
		"without capabilities", `
		04 fde8 00b4 0a000001 // version 4, AS 65000, 180 s, 10.0.0.1
		00                    // no parameters`,
		Open{AS: 65000, HoldTime: 180, ID: 0x0a000001},
	},
	{
		"all capabilities", `
		04 5ba0 005a 0a000002 // AS_TRANS, 90 s, 10.0.0.2
		4d 02 4b              // 77 octets of parameters: capabilities in 75
		01 04 0001 00 01      // IPv4 unicast
		01 04 0002 00 01      // IPv6 unicast
		02 00                 // route refresh
		05 06 0001 0001 0002  // IPv4 unicast with IPv6 next hops
		06 00                 // extended messages
		09 01 03              // a customer
		40 0a c078            // restarted, with notifications, 120 s
		   0001 01 80         //   IPv4 unicast, forwarding
		   0002 01 00
		41 04 00010000        // AS 65536
		45 08 0001 01 03      // paths of IPv4 both ways
		      0002 01 01      //   of IPv6 to receive
		46 00                 // enhanced refresh
		47 07 0002 01 80 00a8c0 // stale for 12 hours
		4a 00                 // BFD first
		49 05 02 7231 01 78   // FQDN: r1.x`,
		Open{
			AS: 65536, HoldTime: 90, ID: 0x0a000002,
			Capabilities: Capabilities{
				Families: Of(IPv4Unicast, IPv6Unicast), RouteRefresh: true, EnhancedRefresh: true, ExtendedMessage: true,
				ExtendedNextHop: Of(IPv4Unicast), FourOctetAS: true,
				AddPath: [NumFamilies]AddPath{AddPathReceive | AddPathSend, AddPathReceive},
				HasRole: true, Role: RoleCustomer,
				Restart: GracefulRestart{
					Present: true, Restarting: true, Notification: true, Time: 120,
					Families: Of(IPv4Unicast, IPv6Unicast), Forwarding: Of(IPv4Unicast),
				},
				LongLived: LongLived{
					Present: true, Families: Of(IPv6Unicast), Forwarding: Of(IPv6Unicast), Stale: [NumFamilies]uint32{0, 43200},
				},
				BFDStrict: true,
				Unknown:   []Capability{{73, []byte{2, 'r', '1', 1, 'x'}}},
			},
		},
	},
	{
		"restart of no family, and another family", `
		04 fde8 00b4 0a000001 0c 02 0a
		40 02 0000
		01 04 0019 00 46      // EVPN, which is not spoken`,
		Open{AS: 65000, HoldTime: 180, ID: 0x0a000001, Capabilities: Capabilities{
			Restart: GracefulRestart{Present: true}, Unknown: []Capability{{1, []byte{0, 25, 0, 70}}},
		}},
	},
	{
		"extended parameters", `
		04 fde8 00b4 0a000001
		ff ff 0105            // 261 octets by RFC 9072
		02 0102               // capabilities of 258
		80 fe ` + strings.Repeat("aa", 254) + `
		81 00`,
		Open{AS: 65000, HoldTime: 180, ID: 0x0a000001, Capabilities: Capabilities{
			Unknown: []Capability{{128, bytes.Repeat([]byte{0xaa}, 254)}, {129, nil}},
		}},
	},
}

func TestOpen(t *testing.T) {
	for _, g := range opens {
		t.Run(g.name, func(t *testing.T) {
			raw := message(t, TypeOpen, g.body)
			m, rest, r := Split(append(bytes.Clone(raw), 0xff), MaxMessage)
			if !r.OK() || m.Type != TypeOpen || len(rest) != 1 {
				t.Fatalf("split: %v, %v, %d octets left", m.Type, r.String(), len(rest))
			}
			var o Open
			for range 2 { // into the same one again
				if r := DecodeOpen(m.Body(), &o); !r.OK() {
					t.Fatalf("refused: %v", r.String())
				}
				if d := cmp.Diff(g.want, o, same); d != "" {
					t.Fatalf("decoded (-want +got):\n%s", d)
				}
			}
			if back := o.Append(nil); !bytes.Equal(back, raw) {
				t.Errorf("built again:\n%x, want\n%x", back, raw)
			}
		})
	}
}

// Extended parameters are read whatever their length, and several parameters with
// capabilities.
func TestOpenForms(t *testing.T) {
	for name, body := range map[string]string{
		"extended though short":       "04 fde8 00b4 0a000001 ff ff 0005 02 0002 0200",
		"extended, of another length": "04 fde8 00b4 0a000001 05 ff 0005 02 0002 0200",
		"a parameter each":            "04 fde8 00b4 0a000001 08 02 02 0200 02 02 0200",
		"empty parameters":            "04 fde8 00b4 0a000001 08 02 00 02 00 02 02 0200",
	} {
		var o Open
		if r := DecodeOpen(octets(t, body), &o); !r.OK() || !o.Capabilities.RouteRefresh {
			t.Errorf("%s: %v, %+v", name, r.String(), o)
		}
	}
	// RFC 4724 §3: the last one counts. RFC 9234 §4.2: equal roles are one.
	var o Open
	r := DecodeOpen(octets(t, "04 fde8 00b4 0a000001 14 02 12 4006 0078 00010180 4002 003c 0901 02 0901 02"), &o)
	if c := o.Capabilities; !r.OK() || c.Restart != (GracefulRestart{Present: true, Time: 60}) || c.Role != RoleRSClient {
		t.Errorf("repeated capabilities: %v, %+v", r.String(), c)
	}
	// RFC 7911 §4: a direction that there is not.
	r = DecodeOpen(octets(t, "04 fde8 00b4 0a000001 0c 02 0a 4508 00010104 00020102"), &o)
	if !r.OK() || o.Capabilities.AddPath != [NumFamilies]AddPath{0, AddPathSend} {
		t.Errorf("directions: %v, %+v", r.String(), o.Capabilities.AddPath)
	}
}

func TestOpenRefusals(t *testing.T) {
	const head = "04 fde8 00b4 0a000001"
	for _, test := range []struct {
		name, body string
		want       Reason
		code       Code
		subcode    uint8
		data       string
	}{
		{"version 3", "03 fde8 00b4 0a000001 00", OpenVersion, CodeOpen, OpenUnsupportedVersion, "0004"},
		{"version 5", "05 fde8 00b4 0a000001 00", OpenVersion, CodeOpen, OpenUnsupportedVersion, "0004"},
		{"parameters shorter than said", head + "05 02 02 0200", OpenBody, CodeOpen, Unspecific, ""},
		{"parameters longer than said", head + "03 02 02 0200", OpenBody, CodeOpen, Unspecific, ""},
		{"half a parameter", head + "01 02", OpenBody, CodeOpen, Unspecific, ""},
		{"a parameter beyond the end", head + "04 02 03 0200", OpenBody, CodeOpen, Unspecific, ""},
		{"an extended length cut", head + "ff ff 00", OpenBody, CodeOpen, Unspecific, ""},
		{"an extended parameter cut", head + "ff ff 0002 02 00", OpenBody, CodeOpen, Unspecific, ""},
		{"authentication", head + "03 01 01 00", OpenParameter, CodeOpen, OpenUnsupportedParameter, ""},
		{"type 255 in another place", head + "06 02 02 0200 ff 00", OpenParameter, CodeOpen, OpenUnsupportedParameter, ""},
		{"a capability beyond its parameter", head + "04 02 02 0201", OpenCapability, CodeOpen, Unspecific, ""},
		{"half a capability", head + "03 02 01 02", OpenCapability, CodeOpen, Unspecific, ""},
		{"AS number of two octets", head + "06 02 04 4102 fde8", OpenCapability, CodeOpen, Unspecific, ""},
		{"refresh with a value", head + "05 02 03 0201 00", OpenCapability, CodeOpen, Unspecific, ""},
		{"half a family", head + "07 02 05 0103 000100", OpenCapability, CodeOpen, Unspecific, ""},
		{"restart without a time", head + "05 02 03 4001 00", OpenCapability, CodeOpen, Unspecific, ""},
		{"two roles", head + "08 02 06 090100 090103", OpenRole, CodeOpen, OpenRoleMismatch, ""},
	} {
		var o Open
		r := DecodeOpen(octets(t, test.body), &o)
		if r.Reason != test.want || r.Approach != SessionReset {
			t.Errorf("%s: %v, want %v", test.name, r.Reason, test.want)
		}
		if n := r.Notification(); n.Code != test.code || n.Subcode != test.subcode || !bytes.Equal(n.Data, octets(t, test.data)) {
			t.Errorf("%s: notification %v with %x, want %d/%d with %s", test.name, n, n.Data, test.code, test.subcode, test.data)
		}
	}
}

func TestHeader(t *testing.T) {
	const ones = "ffffffffffffffffffffffffffffffff"
	for _, test := range []struct {
		name, raw string
		longest   int
		want      Reason
		data      string
	}{
		{"keepalive", ones + "0013 04", MaxMessage, Accepted, ""},
		{"marker", "fffffffffffffffffffffffffffffffe 0013 04", MaxMessage, Marker, ""},
		{"marker of the first octet", "00", MaxMessage, Marker, ""},
		{"shorter than a header", ones + "0012 04", MaxMessage, MessageLength, "0012"},
		{"longer than 4096", ones + "1001 02", MaxMessage, MessageLength, "1001"},
		{"keepalive with a body", ones + "0014 04 00", MaxMessage, MessageLength, "0014"},
		{"short open", ones + "001c 01", MaxMessage, MessageLength, "001c"},
		{"short update", ones + "0016 02", MaxMessage, MessageLength, "0016"},
		{"short notification", ones + "0014 03", MaxMessage, MessageLength, "0014"},
		{"short refresh", ones + "0016 05", MaxMessage, MessageLength, "0016"},
		{"long open by RFC 8654", ones + "1001 01", MaxExtendedMessage, MessageLength, "1001"},
		{"type 0", ones + "0013 00", MaxMessage, MessageType, "00"},
		{"type 6", ones + "0013 06", MaxMessage, MessageType, "06"},
	} {
		_, _, r := Split(octets(t, test.raw), test.longest)
		if r.Reason != test.want || !bytes.Equal(r.Data, octets(t, test.data)) {
			t.Errorf("%s: %v with %x, want %v with %s", test.name, r.Reason, r.Data, test.want, test.data)
		}
	}
	// A long update is waited for where it may come.
	if m, rest, r := Split(octets(t, ones+"ffff 02 0000 0000"), MaxExtendedMessage); !r.OK() || m.Octets != nil || len(rest) != 23 {
		t.Errorf("the beginning of a long update: %v, %v, %d octets left", m, r.String(), len(rest))
	}
	keepalive := AppendKeepalive(nil)
	if want := octets(t, ones+"0013 04"); !bytes.Equal(keepalive, want) {
		t.Errorf("keepalive %x, want %x", keepalive, want)
	}
}

func TestRefresh(t *testing.T) {
	for _, test := range []struct {
		name, body string
		enhanced   bool
		want       Refresh
		reason     Reason
	}{
		{"request", "0001 00 01", false, Refresh{Family: IPv4Unicast}, Accepted},
		{"begin", "0002 01 01", true, Refresh{Family: IPv6Unicast, Subtype: RefreshBegin}, Accepted},
		{"end", "0002 02 01", true, Refresh{Family: IPv6Unicast, Subtype: RefreshEnd}, Accepted},
		{"request with filters", "0001 00 01 01 80 0000", true, Refresh{Family: IPv4Unicast}, Accepted},
		{"another family", "0001 00 80", true, Refresh{Family: numFamilies, Ignore: true}, Accepted},
		{"another subtype", "0001 ff 01", true, Refresh{Family: IPv4Unicast, Subtype: 255, Ignore: true}, Accepted},
		{"begin, too long", "0001 01 01 00", true, Refresh{Family: IPv4Unicast, Subtype: RefreshBegin}, RefreshLength},
		{"begin, too long, not agreed on", "0001 01 01 00", false, Refresh{Family: IPv4Unicast, Subtype: RefreshBegin}, Accepted},
	} {
		raw := message(t, TypeRouteRefresh, test.body)
		m, _, r := Split(raw, MaxMessage)
		if !r.OK() {
			t.Fatalf("%s: %v", test.name, r.String())
		}
		got, r := DecodeRefresh(m, test.enhanced)
		if got != test.want || r.Reason != test.reason || r.Reason != Accepted && !bytes.Equal(r.Data, raw) {
			t.Errorf("%s: %+v, %v, want %+v, %v", test.name, got, r.String(), test.want, test.reason)
		}
		if len(raw) == HeaderSize+4 && !got.Ignore {
			if back := got.Append(nil); !bytes.Equal(back, raw) {
				t.Errorf("%s: built again %x, want %x", test.name, back, raw)
			}
		}
	}
}

func TestNotification(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, test := range []struct {
		name, body, want string
	}{
		{"hold timer", "04 00", "hold timer expired"},
		{"collision", "06 07", "cease: connection collision resolution"},
		{"unknown subcode", "06 63", "cease: subcode 99"},
		{"unknown code", "63 01 ff", "code 99: subcode 1"},
		{"shutdown", "06 02 05 68656c6c6f", `cease: administrative shutdown: "hello"`},
		{"shutdown, longer than it came", "06 02 06 68656c6c6f", "cease: administrative shutdown"},
		{"shutdown with what a terminal obeys", "06 04 04 1b5b326a", `cease: administrative reset: "�[2j"`},
		{"shutdown, not UTF-8", "06 02 02 c3ff", `cease: administrative shutdown: "��"`},
		{"hard reset", "06 09 06 01", "cease: hard reset: cease: maximum number of prefixes reached"},
		{"hard reset of nothing", "06 09", "cease: hard reset"},
		{"hard reset of a hard reset", "06 09 06 09 06 09 06 01", "cease: hard reset"},
		{"unexpected", "05 03", "finite state machine error: unexpected message in established"},
		{"send hold timer", "08 00", "send hold timer expired"},
		{"refresh", "07 01 00", "route refresh message error: invalid message length"},
		{"role", "02 0b", "open message error: role mismatch"},
		{"BFD", "06 0a", "cease: BFD down"},
	} {
		raw := message(t, TypeNotification, test.body)
		n := DecodeNotification(raw[HeaderSize:])
		if got := n.String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if back := n.Append(nil); !bytes.Equal(back, raw) {
			t.Errorf("%s: built again %x, want %x", test.name, back, raw)
		}
	}
	for text, want := range map[string]string{"": "", "back at 9": "back at 9", long: strings.Repeat("é", 127)} {
		n := Shutdown(CeaseAdminShutdown, text)
		if got := n.Message(); got != want {
			t.Errorf("shutdown message %q, want %q", got, want)
		}
		hard := n.Hard()
		if inner, ok := hard.Inner(); !ok || !cmp.Equal(inner, n, same) || hard.Message() != "" {
			t.Errorf("within a hard reset %v, want %v", inner, n)
		}
	}
	if v := (Notification{Code: CodeOpen, Subcode: OpenUnsupportedVersion}); !v.VersionError() {
		t.Errorf("%v is no version error", v)
	}
}

// Each word is there, and is there once.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	add := func(word string, want bool) {
		if strings.Contains(word, "unknown ") && !want || want && (seen[word] || strings.HasSuffix(word, " ") || strings.HasSuffix(word, "unknown")) {
			t.Errorf("word %q", word)
		}
		seen[word] = true
	}
	for r := range numReasons {
		add("reason "+r.String(), true)
		full := Refusal{Reason: r, Attribute: AttrMED}
		add("text "+full.String(), true)
	}
	for a := Accept; a <= SessionReset; a++ {
		add("approach "+a.String(), true)
	}
	for f := range numFamilies {
		add("family "+f.String(), true)
	}
	for r := range numRoles {
		add("role "+r.String(), true)
		if other := roles[r].other; !r.Fits(other) || !other.Fits(r) || r.Fits(numRoles) {
			t.Errorf("role %v and %v", r, other)
		}
	}
	for o := range numOrigins {
		add("origin "+o.String(), true)
	}
	for a := range Attribute(255) {
		add("attribute "+a.String(), true)
	}
	for ty := TypeOpen; ty <= TypeRouteRefresh+1; ty++ {
		add("type "+ty.String(), true)
	}
	for s := RefreshRequest; s <= RefreshEnd; s++ {
		add("subtype "+s.String(), true)
	}
}
