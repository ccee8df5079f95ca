package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// known is what a router has learned of a prefix.
type known struct {
	Metric, Tag int
	Via         string // its interfaces, and for IPv4 the next hops' addresses
}

// learned is a table of what was learned by RIP and RIPng, by prefix.
type learned map[string]known

// hops has link-local addresses, which are made of random MAC addresses here,
// without what is random.
func hops(addresses, interfaces []string) string {
	var list []string
	for n, a := range addresses {
		if strings.HasPrefix(a, "fe80:") {
			a = "fe80::"
		}
		list = append(list, a+" "+interfaces[n])
	}
	slices.Sort(list) // by equal costs, in no order; FRR may have one twice, by a virtual link
	return strings.Join(slices.Compact(list), ", ")
}

// tables asks a router of any kind what it has learned.
func (b *bench) tables(node string) learned {
	b.t.Helper()
	switch b.Topology.kind(node) {
	case KindBIRD:
		return parseBIRD(b.run(node, "birdc show route all protocol r4; birdc show route all protocol r6"))
	case KindFRR:
		all := parseFRR(b.t, b.run(node, "vtysh -c 'show ip route rip json'"))
		for prefix, r := range parseFRR(b.t, b.run(node, "vtysh -c 'show ipv6 route ripng json'")) {
			all[prefix] = r
		}
		return all
	}
	return parseRouterd(b.t, b.run(node, "routerd show route -o json --protocol rip"))
}

// run runs a line of sh on a node and gives what it printed.
func (b *bench) run(node, line string) string {
	b.t.Helper()
	out, err := b.Run(b.t.Context(), node, line)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func parseRouterd(t *testing.T, text string) learned {
	t.Helper()
	return readRouterd(t, text, hops)
}

// readRouterd has next hops written as the function does.
func readRouterd(t *testing.T, text string, hops func(addresses, interfaces []string) string) learned {
	t.Helper()
	var doc struct {
		Routes []struct {
			Prefix      string
			Metric, Tag int
			Installed   bool
			NextHops    []struct{ Address, Interface string } `json:"next_hops"`
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("reading what routerd says: %v\n%s", err, text)
	}
	table := learned{}
	for _, r := range doc.Routes {
		var addresses, interfaces []string
		for _, h := range r.NextHops {
			addresses, interfaces = append(addresses, h.Address), append(interfaces, h.Interface)
		}
		if r.Installed {
			table[r.Prefix] = known{r.Metric, r.Tag, hops(addresses, interfaces)}
		}
	}
	return table
}

func parseFRR(t *testing.T, text string) learned {
	t.Helper()
	var doc map[string][]struct {
		Metric, Tag int
		Installed   bool
		NextHops    []struct {
			IP, InterfaceName string
			FIB, Duplicate    bool
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("reading what FRR says: %v\n%s", err, text)
	}
	table := learned{}
	for prefix, routes := range doc {
		for _, r := range routes {
			var addresses, interfaces []string
			for _, h := range r.NextHops {
				if h.FIB && !h.Duplicate { // what it forwards by
					addresses, interfaces = append(addresses, h.IP), append(interfaces, h.InterfaceName)
				}
			}
			if r.Installed {
				table[prefix] = known{r.Metric, r.Tag, hops(addresses, interfaces)}
			}
		}
	}
	return table
}

var (
	// One that is not chosen has no star, and a second one no prefix.
	birdRoute  = regexp.MustCompile(`(?m)^(\S*) .*\[r[46] .*\]( \*)? \(`)
	birdHop    = regexp.MustCompile(`(?m)^\s+via (\S+) on (\S+)`)
	birdMetric = regexp.MustCompile(`RIP\.metric: (\d+)`)
	birdTag    = regexp.MustCompile(`RIP\.tag: ([0-9a-f]+)`)
)

func parseBIRD(text string) learned {
	table := learned{}
	begins := birdRoute.FindAllStringSubmatchIndex(text, -1)
	for n, at := range begins {
		end := len(text)
		if n+1 < len(begins) {
			end = begins[n+1][0]
		}
		if at[2] == at[3] || at[4] < 0 {
			continue
		}
		part := text[at[0]:end]
		var addresses, interfaces []string
		for _, m := range birdHop.FindAllStringSubmatch(part, -1) {
			addresses, interfaces = append(addresses, m[1]), append(interfaces, m[2])
		}
		var r known
		if m := birdMetric.FindStringSubmatch(part); m != nil {
			r.Metric, _ = strconv.Atoi(m[1])
		}
		if m := birdTag.FindStringSubmatch(part); m != nil {
			tag, _ := strconv.ParseInt(m[1], 16, 32)
			r.Tag = int(tag)
		}
		r.Via = hops(addresses, interfaces)
		table[text[at[2]:at[3]]] = r
	}
	return table
}

// settle waits until every node has learned what it shall, and nothing else.
func (b *bench) settle(within time.Duration, want map[string]learned) {
	b.t.Helper()
	deadline := time.Now().Add(within)
	for node, table := range want {
		for {
			diff := cmp.Diff(table, b.tables(node))
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				b.t.Fatalf("within %v %s has learned (-want +got)\n%s", within, node, diff)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// needsPeers skips where the daemons of a node are not installed.
func (b *bench) needsPeers(nodes ...string) {
	b.t.Helper()
	for _, node := range nodes {
		if lacks := b.lacking(node); lacks != "" {
			b.t.Skipf("%s is not installed", lacks)
		}
	}
}

// newRIPBench loads a lab that needs routerd itself.
func newRIPBench(t *testing.T, text string) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes seconds, and -short was asked for")
	}
	needsRoot(t)
	binary := realRouterd(t)
	b := newBench(t, text)
	b.options.Binary = binary
	return b
}

// shippedRIP is the lab of deploy/labs, under another name.
func shippedRIP(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/labs/rip.toml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), `name = "rip"`, `name = "NAME"`, 1)
}

// ripTables is what each router of the shipped lab shall learn of both
// families: a metric is that at the origin, and one for each link.
var ripTables = map[string]learned{
	"r1": {
		"10.2.0.0/24":     {2, 0, "10.0.12.2 core0"},
		"10.3.0.0/24":     {2, 0, "10.0.13.3 core1"},
		"2001:db8:2::/64": {2, 0, "fe80:: core0"},
		"2001:db8:3::/64": {2, 0, "fe80:: core1"},
	},
	"b1": {
		"10.1.0.0/24":       {2, 0, "10.0.12.1 eth0"},
		"10.0.13.0/24":      {2, 0, "10.0.12.1 eth0"},
		"10.3.0.0/24":       {3, 0, "10.0.12.1 eth0"},
		"203.0.113.0/24":    {4, 7, "10.0.12.1 eth0"},
		"2001:db8:1::/64":   {2, 0, "fe80:: eth0"},
		"2001:db8:13::/64":  {2, 0, "fe80:: eth0"},
		"2001:db8:3::/64":   {3, 0, "fe80:: eth0"},
		"2001:db8:bad::/48": {4, 7, "fe80:: eth0"},
	},
	"f1": {
		"10.1.0.0/24":       {2, 0, "10.0.13.1 eth0"},
		"10.0.12.0/24":      {2, 0, "10.0.13.1 eth0"},
		"10.2.0.0/24":       {3, 0, "10.0.13.1 eth0"},
		"203.0.113.0/24":    {4, 7, "10.0.13.1 eth0"},
		"2001:db8:1::/64":   {2, 0, "fe80:: eth0"},
		"2001:db8:12::/64":  {2, 0, "fe80:: eth0"},
		"2001:db8:2::/64":   {3, 0, "fe80:: eth0"},
		"2001:db8:bad::/48": {4, 7, "fe80:: eth0"},
	},
}

// routerd, BIRD and FRR have the same tables, without authentication and with
// each kind that both ends of a link have.
func TestRIPTables(t *testing.T) {
	t.Parallel()
	const (
		birdPlain = `authentication plaintext; password "corekey1";`
		birdCrypt = `authentication cryptographic; password "corekey1" { id 5; algorithm %s; };`
		frrPlain  = " ip rip authentication mode text\n ip rip authentication string corekey1\n"
		frrMD5    = " ip rip authentication mode md5%s\n ip rip authentication key-chain core\n"
	)
	for _, c := range []struct{ bird, birdSays, frr, frrSays string }{
		{},
		{"plain-text", birdPlain, "plain-text", frrPlain},
		{"md5", fmt.Sprintf(birdCrypt, "keyed md5"), "md5", fmt.Sprintf(frrMD5, "")},
		// With the length of the digest as the RFCs have it.
		{"hmac-sha1", fmt.Sprintf(birdCrypt, "hmac sha1"), "md5", fmt.Sprintf(frrMD5, " auth-length rfc")},
		{"hmac-sha256", fmt.Sprintf(birdCrypt, "hmac sha256"), "", ""},
		{"hmac-sha512", fmt.Sprintf(birdCrypt, "hmac sha512"), "", ""},
	} {
		name := "none"
		if c.bird != "" {
			name = strings.TrimSuffix(c.bird+" "+c.frr, " ")
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			key := filepath.Join(t.TempDir(), "core")
			if err := os.WriteFile(key, []byte("corekey1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			text := shippedRIP(t)
			change := func(from, to string) {
				if !strings.Contains(text, from) {
					t.Fatalf("the lab has no %q", from)
				}
				text = strings.Replace(text, from, to, 1)
			}
			// What FRR says and hears before it has its keys is lost: the next
			// update of either side shall come soon.
			change("router rip\n", "router rip\n timers basic 5 180 120\n")
			change("[node.r1.config.rip.redistribute.static]", `[node.r1.config.rip]
				update-interval = "5s"
				invalid-interval = "180s"
				[node.r1.config.rip.redistribute.static]`)
			if c.bird != "" {
				change("[node.b1]", fmt.Sprintf("[[node.r1.config.keys.core]]\nid = 5\nfile = %q\n[node.b1]", key))
				change("rip.interface.core0]", fmt.Sprintf("rip.interface.core0]\nauth = { type = %q, keys = \"core\" }", c.bird))
				change(`interface "eth0" { };`, `interface "eth0" { `+c.birdSays+` };`)
			}
			if c.frr != "" {
				change("rip.interface.core1]", fmt.Sprintf("rip.interface.core1]\nauth = { type = %q, keys = \"core\" }", c.frr))
				change("router rip\n", "key chain core\n key 5\n  key-string corekey1\ninterface eth0\n"+c.frrSays+"router rip\n")
			}
			b := newRIPBench(t, text)
			b.needsPeers("b1", "f1")
			b.up()
			b.settle(40*time.Second, ripTables)
		})
	}
}
