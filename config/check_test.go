package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the rows below build on: one point-to-point link at line 1.
const link = `interface.lan0 = { kind = "tun", addresses = ["10.0.0.1/24", "fe80::1/64"] }` + "\n"

// Each mistake is said once, at the value that is wrong.
func TestEachMistakeOnce(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string // line:column+width: message
	}{
		{"an interface whose name is a number", "[interface.7]\nkind = \"tun\"\nmtu = 3", []string{"3:7+1: interface.7.mtu is 3"}},
		{"a name in quotes", "[interface.\"a.b\"]\nkind = \"tun\"\nmtu = 3", []string{`3:7+1: interface."a.b".mtu is 3`}},
		{"a stack without a namespace", "[interface.lo0]\nkind = \"loopback\"\n[local-stack]\nrate = 5", []string{"3:2+11: local-stack has no netns"}},
		{"a stack in a namespace by its path", "[interface.lo0]\nkind = \"loopback\"\n[local-stack]\nnetns = \"/run/netns/a\"", []string{`4:9+14: local-stack.netns is "/run/netns/a"`}},
		{"a stack too slow and too narrow", "[interface.lo0]\nkind = \"loopback\"\n[local-stack]\nnetns = \"a\"\nrate = 0\nmtu = 576", []string{
			"5:8+1: local-stack.rate is 0", "6:7+3: local-stack.mtu is 576",
		}},
		{"an interface of the stack's name", "[interface.local-stack]\nkind = \"loopback\"\n[local-stack]\nnetns = \"a\"", []string{
			`1:12+11: an interface cannot be called "local-stack" beside a [local-stack], which stands on one of that name`,
		}},
		{"a number as the file has it", "[interface.a]\nkind = \"tun\"\nmtu = 1500.0", []string{"3:7+6: interface.a.mtu is 1500.0"}},
		{"a kind that there is not", `[interface.a]
kind = "tapp"
addresses = ["10.0.0.1/24", "2001:db8::1/64"]
mtu = 1400
mss = "clamp"
host = { netns = "h1", device = "x", bridge = "br0" }
neighbor = { timeout = "20m", static = { "10.0.0.9" = "02:00:00:00:00:09" } }
ra = { prefix = "2001:db8::/64" }
[[static.route]]
prefix = "10.1.0.0/16"
next-hop = { address = "10.0.0.2", interface = "a" }
[rip.interface.a]
neighbors = "10.0.0.3"
[[nat.source]]
name = "out"
outbound-interface = "a"
translation = "10.0.0.7"`, []string{`2:8+6: interface.a.kind is "tapp"`}},
		{"another kind that there is not", `[interface.a]
kind = "packt"
device = "eth1"
netns = "h1"
take-over = true
addresses = "10.0.0.1/24"
neighbor = { proxy-arp = true }`, []string{`2:8+7: interface.a.kind is "packt"`}},
		{"no kind", "[interface.a]\ndevice = \"eth1\"\naddresses = \"10.0.0.1/24\"", []string{"1:12+1: interface.a has no kind"}},
		{"a key of no table below a table", "[log]\nlevel = \"info\"\nstate-dir = \"/var/lib/routerd\"\n[interface.a]\nkind = \"loopback\"\nname = \"r2\"", []string{
			`3:1+9: unknown key "state-dir" in log: it belongs above the first [table]`,
			`6:1+4: unknown key "name" in interface.a: it belongs above the first [table]`,
		}},
		{"an interface that is no table", "interface.a = 3", []string{"1:15+1: interface.a is 3"}},
		{"a device that is in every namespace", "[interface.lo]\nkind = \"tun\"", []string{
			"1:12+2: the device of lo is lo, which every network namespace has already",
		}},
		{"one device by two names of its namespace", `[interface.a]
kind = "tun"
host = { netns = "h1", device = "x" }
[interface.b]
kind = "tun"
host = { netns = "/run/netns/h1", device = "x" }
[interface.c]
kind = "tun"
host = { netns = "/var/run/netns/h1", device = "x" }
[interface.d]
kind = "tun"
host = { netns = "/srv/netns/h1", device = "x" }`, []string{
			"6:44+3: the device x of b is that of a already",
			"9:48+3: the device x of c is that of b already",
		}},
		{"one route by two devices", `[interface.a]
kind = "tun"
host = { netns = "h1", routes = "0.0.0.0/0" }
[interface.b]
kind = "tun"
host = { netns = "h1", routes = ["::/0", "0.0.0.0/0"] }
[interface.c]
kind = "tun"
host = { netns = "h2", routes = "0.0.0.0/0" }`, []string{
			"6:42+11: interface.b.host.routes[2] is 0.0.0.0/0, which the host side of a has in the same network namespace",
		}},
		{"a host address twice", "[interface.a]\nkind = \"tun\"\nhost.addresses = [\"10.0.0.2/24\", \"10.0.0.2/24\"]", []string{
			"3:34+13: interface.a.host.addresses[2] is 10.0.0.2/24, which the list has already",
		}},
		{"a host route twice", "[interface.a]\nkind = \"tun\"\nhost.routes = [\"0.0.0.0/0\", \"0.0.0.0/0\"]", []string{
			"3:29+11: interface.a.host.routes[2] is 0.0.0.0/0, which the list has already",
		}},
		{"a socket twice", "api.listen = [\"unix:///run/a\", \"unix:///run/a\"]", []string{
			"1:32+15: api.listen[2] is unix:///run/a, which the list has already",
		}},
		{"addresses of the API that are none", "api.listen = [\"https://r1:8443\", \"https://192.0.2.1\", \"http://192.0.2.1:80\", \"ftp://127.0.0.1:1\", \"https://192.0.2.1:0\", \"http://[::1]:80\", \"unix://a\"]", []string{
			`1:15+17: api.listen[1] is "https://r1:8443"`, `1:34+19: api.listen[2] is "https://192.0.2.1"`,
			`1:55+21: api.listen[3] is "http://192.0.2.1:80", which others could read and change on its way`,
			`1:78+19: api.listen[4] is "ftp://127.0.0.1:1"`, `1:99+21: api.listen[5] is "https://192.0.2.1:0"`, `1:141+10: api.listen[7] is "unix://a"`,
		}},
		{"addresses of nobody's stack", link + "api.listen = [\"stack+https://10.0.9.1:8443\", \"stack+https://127.0.0.1:1\", \"stack+https://[fe80::1]:1\", \"stack+http://10.0.9.1:1\"]", []string{
			`2:15+29: api.listen[1] is "stack+https://10.0.9.1:8443", and no interface of the router has that address`,
			`2:46+27: api.listen[2] is "stack+https://127.0.0.1:1", which the router's own stack does not serve`,
			`2:75+27: api.listen[3] is "stack+https://[fe80::1]:1", which the router's own stack does not serve`,
			`2:104+25: api.listen[4] is "stack+http://10.0.9.1:1"`,
		}},
		{"half a certificate", "api.listen = \"https://[::]:1\"\n[api.tls]\nkey = \"k\"", []string{"3:1+3: api.tls has no certificate beside its key"}},
		{"a certificate for nobody", "[api.tls]\ncertificate = \"c\"\nkey = \"k\"", []string{"1:6+3: api.tls is there, and api.listen has no https address that would use it"}},
		{"certificates that say nothing", "api.listen = \"https://[::]:1\"\n[api.tls]\nclient-role = \"read\"\nclient-auth = \"never\"", []string{
			"3:1+11: api.tls has a client-role and no client-ca: no certificate has it", `4:15+7: api.tls.client-auth is "never"`,
		}},
		{"certificates that nobody can have", "api.listen = \"https://[::]:1\"\napi.tls.client-auth = \"require\"", []string{
			"2:9+11: api.tls demands a certificate, and no certificate has a role: every request would be refused",
		}},
		{"an authority without a role", "api.listen = \"https://[::]:1\"\napi.tls.client-ca = \"ca\"", []string{
			"2:21+4: api.tls has a client-ca, and no certificate that it signs has a role",
		}},
		{"clients that are none", "api.listen = \"https://[::]:1\"\n[api.tls.client]\na = { role = \"read\" }\nb = { dns = \"b\", role = \"root\" }\nc = { key = \"md5:00\" }\n\"d e\" = { role = \"read\", email = \"d\", uri = \"e\" }", []string{
			"3:1+1: api.tls.client.a names 0 fields of its certificate",
			"4:7+3: api.tls.client.b is known by a name, which any certificate may contain", `4:25+6: api.tls.client.b.role is "root"`,
			"5:1+1: api.tls.client.c has no role", `5:13+8: api.tls.client.c.key is "md5:00"`,
			`6:1+5: the name "d e" of a client`, `6:1+5: api.tls.client."d e" names 2 fields of its certificate`,
			`6:26+5: api.tls.client."d e" is known by a name, which any certificate may contain`, `6:34+3: api.tls.client."d e".email is "d"`,
			`6:39+3: api.tls.client."d e" is known by a name, which any certificate may contain`, `6:45+3: api.tls.client."d e".uri is "e"`,
		}},
		{"one certificate of two clients", "api.listen = \"https://[::]:1\"\napi.tls.client-ca = \"ca\"\n[api.tls.client]\na = { role = \"read\", dns = \"x.example\" }\nb = { role = \"read\", dns = \"x.example\" }", []string{
			"5:1+1: api.tls.client.b has the same certificate as a",
		}},
		{"a name of the API with a port", "api.hosts = [\"r1:8443\"]", []string{`1:14+9: api.hosts[1] is "r1:8443"`}},
		{"roles of nobody and of none", link + "[api.role]\nuid = { alice = \"read\", 1000 = \"root\", 01 = \"read\", 4294967295 = \"read\" }\ngid.4 = 7", []string{
			`3:9+5: "alice" is not the number of a user`, `3:32+6: api.role.uid.1000 is "root"`, `3:40+2: "01" is not the number of a user`,
			`3:53+10: "4294967295" is not the number of a user`, "4:9+1: api.role.gid.4 is 7",
		}},
		{"link-local on both ends", `interface.a = { kind = "tun", addresses = "fe80::1/64", host = { addresses = "fe80::2/64" } }
interface.b = { kind = "tun", addresses = "fe80::2/64", host = { addresses = "fe80::2/64" } }`, []string{
			"2:78+12: interface.b.host.addresses is fe80::2/64, which is the router's own on b",
		}},
		{"IPv6 on the host's side of a narrow link", "[interface.a]\nkind = \"tun\"\nmtu = 1279\nhost.addresses = \"2001:db8::2/64\"", []string{
			"3:7+4: interface.a.mtu is 1279 on an interface with an IPv6 address",
		}},
		{"one address on two interfaces", link + "[interface.b]\nkind = \"tun\"\naddresses = \"10.0.0.1/24\"", []string{
			"4:13+13: interface.b.addresses is 10.0.0.1/24, which lan0 has already (t:1)",
		}},
		{"a distance given and the same one meant", link + `static.route = [
  { prefix = "10.1.0.0/16", next-hop = "10.0.0.2" },
  { prefix = "10.1.0.0/16", next-hop = "10.0.0.3", distance = 1 },
]`, []string{"4:14+13: a second route to 10.1.0.0/16 of the same distance, 1 (the first: t:3)"}},
		{"the distance of static routes", link + `rib.distance.static = 7
static.route = [
  { prefix = "10.1.0.0/16", next-hop = "10.0.0.2", distance = 1 },
  { prefix = "10.1.0.0/16", next-hop = "10.0.0.3" },
  { prefix = "10.1.0.0/16", next-hop = "10.0.0.4", distance = 7 },
]`, []string{"6:14+13: a second route to 10.1.0.0/16 of the same distance, 7 (the first: t:5)"}},
		{"an action that there is not", "[[static.route]]\nprefix = \"10.1.0.0/16\"\naction = \"forward\"", []string{
			`3:10+9: static.route[1].action is "forward"`,
		}},
		{"next hops", link + `[[static.route]]
prefix = "10.1.0.0/16"
next-hop = ["10.0.0.2", "10.0.0.2", "10.0.0.1", { interface = "lan1" }]`, []string{
			"4:25+10: static.route[1].next-hop[2] is a next hop that the route to 10.1.0.0/16 has already",
			"4:37+10: next hop 10.0.0.1 of 10.1.0.0/16 is the router's own address on lan0",
			`4:63+6: the route to 10.1.0.0/16 leads by "lan1", and there is no such interface`,
		}},
		{"a neighbour's link-local address is the router's own elsewhere", `interface.lan1 = { kind = "tun", addresses = "fe80::2/64" }
` + link + `[[static.route]]
prefix = "2001:db8::/32"
next-hop = [{ address = "fe80::2", interface = "lan0" }, { address = "fe80::2", interface = "lan1" }]`, []string{
			"5:70+9: next hop fe80::2 of 2001:db8::/32 is the router's own address on lan1",
		}},
		{"hops that nothing reaches", link + "[[static.route]]\nprefix = \"10.1.0.0/16\"\nnext-hop = [\"203.0.113.1\", \"10.0.0.2\", { address = \"203.0.113.2\" }]", []string{
			"4:13+13: in the route to 10.1.0.0/16, next hop 203.0.113.1 is unreachable: no route covers it",
			"4:40+27: in the route to 10.1.0.0/16, next hop 203.0.113.2 is unreachable: no route covers it",
		}},
		{"a route that nothing reaches", link + "[[static.route]]\nprefix = \"10.1.0.0/16\"\nnext-hop = \"10.1.0.2\"", []string{
			"4:12+10: the route to 10.1.0.0/16 is not used: next hop 10.1.0.2 would be reached through the route that it serves",
		}},
		{"an inline table added to", "log = { level = \"info\" }\nlog.format = \"text\"", []string{
			"2:1+3: log is an inline table, which nothing is added to",
		}},
		{"a key given twice", "log.level = \"info\"\nlog.level = \"info\"\nnmae = 1", []string{"2:1+3: log.level is given twice"}},
		{"an inline table of several lines", "[interface.a]\nkind = \"tun\"\nhost = {\n  netns = \"h1\", # }\n  mtu = 3,\n}", []string{
			`5:3+3: unknown key "mtu" in interface.a.host`,
		}},
		{"lines that end as on Windows", "name = \"r1\"\r\n[interface.a]\r\nkind = \"tun\"\r\nmtu = 3\r\n", []string{"4:7+1: interface.a.mtu is 3"}},
		{"masquerade by what has no IPv4 address", link + `interface.six0 = { kind = "tun", addresses = "2001:db8::1/64" }
[[nat.source]]
name = "out"
outbound-interface = ["lan0", "six0"]
translation = "masquerade"`, []string{`5:31+6: the rule "out" masquerades by six0, which has no IPv4 address`}},
		{"masquerade by anything, and nothing has an address", "interface.a = { kind = \"tun\" }\n[[nat.source]]\nname = \"out\"\ntranslation = \"masquerade\"", []string{
			`4:15+12: the rule "out" masquerades, and no interface has an IPv4 address`,
		}},
		{"an outside port that nobody answers for", `interface.wan0 = { kind = "packet", addresses = "203.0.113.1/24" }
[[nat.destination]]
name = "web"
protocol = "tcp"
destination = "203.0.113.9:80"
translation = "203.0.113.20"`, []string{`5:15+16: the rule "web" is for 203.0.113.9, which on wan0 nobody answers for`}},
		{"the outside address of a static rule taken by another", link + `[[nat.static]]
name = "net"
outside = "203.0.113.0/28"
inside = "10.0.0.16/28"
[[nat.static]]
name = "host"
outside = "203.0.113.5"
inside = "10.0.0.3"
[[nat.source]]
name = "fixed"
translation = "203.0.113.6"`, []string{
			`8:11+13: the outside 203.0.113.5 of the rule "host" has addresses of the rule "net" (t:4)`,
			`12:15+13: the rule "fixed" translates to 203.0.113.6, which the static rule "net" has to itself`,
		}},
		{"a list of one interface that does not exist", link + "[[nat.source]]\nname = \"out\"\noutbound-interface = \"lan1\"\ntranslation = \"masquerade\"", []string{
			`4:22+6: the rule "out" names the interface "lan1", and there is no such interface`,
		}},
		{"an empty list of routes", link + "static.route = []", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantProblems(t, tt.text, tt.want)
		})
	}
}

// wantProblems checks what is said of a text, each as "line:column+width:
// message".
func wantProblems(t *testing.T, text string, want []string) {
	t.Helper()
	_, problems := Parse("t", []byte(text))
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d+%d: %s", p.Place.Line, p.Place.Column, p.Width, p.Message))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems (-want +got):\n%s\nof\n%s", d, text)
	}
}

// BenchmarkParse reads many routes, whose time must grow as their number does.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		var text strings.Builder
		text.WriteString(link)
		for i := range n {
			fmt.Fprintf(&text, "[[static.route]]\nprefix = \"10.%d.%d.0/24\"\nnext-hop = \"10.0.0.2\"\n", 1+i>>8, i&0xff)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, problems := Parse("t", []byte(text.String())); len(problems) > 0 {
					b.Fatal(problems[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/route")
		})
	}
}
