package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	birdOSPF       = regexp.MustCompile(`(?m)^(\S*) +\S+ +\[o .*\]( \*)? (I|IA|E1|E2|E) `)
	birdOSPFMetric = regexp.MustCompile(`OSPF\.metric([12]): (\d+)`)
	birdOSPFTag    = regexp.MustCompile(`OSPF\.tag: 0x([0-9a-f]+)`)
)

// parseBIRDOSPF reads the routes of a protocol that BIRD has chosen, those of its
// own subnets left out.
func parseBIRDOSPF(text string) learned {
	table := learned{}
	begins := birdOSPF.FindAllStringSubmatchIndex(text, -1)
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
		if len(addresses) == 0 {
			continue
		}
		var r known
		for _, m := range birdOSPFMetric.FindAllStringSubmatch(part, -1) { // of type 2, the second one counts
			if m[1] == "1" || text[at[6]:at[7]] == "E2" {
				r.Metric, _ = strconv.Atoi(m[2])
			}
		}
		if m := birdOSPFTag.FindStringSubmatch(part); m != nil {
			tag, _ := strconv.ParseInt(m[1], 16, 64)
			r.Tag = int(tag)
		}
		r.Via = hops(addresses, interfaces)
		table[text[at[2]:at[3]]] = r
	}
	return table
}

// ospfTable asks a router of any kind what it goes by.
func (b *bench) ospfTable(node string) learned {
	b.t.Helper()
	switch b.Topology.kind(node) {
	case KindBIRD:
		return parseBIRDOSPF(b.run(node, "birdc show route all protocol o"))
	case KindFRR:
		return parseFRR(b.t, b.run(node, "vtysh -c 'show ip route ospf json'"))
	}
	return parseRouterd(b.t, b.run(node, "routerd show route -o json --protocol ospf"))
}

// settleOSPF waits until every seat goes by what it shall, and nothing else.
func (b *bench) settleOSPF(limit time.Duration, want map[string]learned) {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for node, table := range want {
		for {
			diff := cmp.Diff(table, b.ospfTable(node))
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				b.t.Fatalf("within %v %s, a %s, goes by (-want +got)\n%s\n%s", limit, node, b.Topology.kind(node), diff, b.ospfState())
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// ospfState is what every router says of its neighbours and its database, for a
// test that failed.
func (b *bench) ospfState() string {
	var out strings.Builder
	for _, n := range b.Topology.Nodes {
		var line string
		switch n.Kind {
		case KindBIRD:
			line = "birdc show ospf neighbors; birdc show ospf state all; birdc show ospf lsadb; cat /dev/null"
		case KindFRR:
			line = "vtysh -c 'show ip ospf neighbor' -c 'show ip ospf database' -c 'show ip ospf route'"
		case KindRouter:
			line = "routerd show ospf neighbor; routerd show ospf interface; routerd show ospf database; routerd show route"
		default:
			continue
		}
		text, _ := b.Run(b.t.Context(), n.Name, line)
		out.WriteString("== " + n.Name + "\n" + string(text) + b.log(n.Name))
	}
	return out.String()
}

// seatings has routerd in every seat of three, beside BIRD and FRR, and alone.
func seatings(seats ...string) (list []map[string]Kind) {
	three := []Kind{KindRouter, KindBIRD, KindFRR}
	for turn := range three {
		m := map[string]Kind{}
		for n, s := range seats {
			m[s] = three[(n+turn)%len(three)]
		}
		list = append(list, m)
	}
	return list
}

// describe names a seating: "routerd-bird-frr".
func describe(p *ospfPlan, kinds map[string]Kind) string {
	var words []string
	for _, s := range p.seats {
		words = append(words, string(kinds[s.name]))
	}
	return strings.Join(words, "-")
}

// secretFile writes the secret for routerd, and gives the file's path.
func secretFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ospf")
	if err := os.WriteFile(path, []byte(ospfSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newOSPFBench brings a plan up with these kinds in its seats.
func newOSPFBench(t *testing.T, p *ospfPlan, kinds map[string]Kind) *bench {
	t.Helper()
	keys := ""
	for _, x := range p.nets {
		if x.auth != "" && keys == "" {
			keys = secretFile(t)
		}
	}
	b := newRIPBench(t, p.topology(kinds, keys))
	var peers []string
	for seat, kind := range kinds {
		if kind.foreign() {
			peers = append(peers, seat)
		}
	}
	b.needsPeers(peers...)
	b.up()
	return b
}
