package lab

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bgpKnown is the best route of a prefix, as a speaker of any make has it.
type bgpKnown struct {
	Path, Hop, Origin            string
	MED                          int // 0 also if there is none
	Communities, Extended, Large string
}

// bgpTable is what a speaker has learned, by prefix; its own routes are left out.
type bgpTable map[string]bgpKnown

// table asks a speaker what it has learned.
func (b *bgpBench) table(name string) bgpTable {
	b.t.Helper()
	switch s := b.plan.seat(name); s.make {
	case makeBIRD:
		return parseBIRDBGP(b.run(name, "birdc show route all table master4; birdc show route all table master6"))
	case makeFRR:
		return b.frrTable(name)
	case makeGoBGP:
		t := bgpTable{}
		parseGoBGP(b.t, b.run(name, "gobgp -j global rib -a ipv4"), t)
		parseGoBGP(b.t, b.run(name, "gobgp -j global rib -a ipv6"), t)
		return t
	case makeOpenBGPD:
		return parseOpenBGPD(b.t, b.run(name, "bgpctl -s "+b.dirs[name]+"/bgpd.sock -j show rib detail"))
	case makeExaBGP:
		return parseExaBGP(b.t, b.run(name, "cat "+b.dirs[name]+"/heard"))
	}
	return parseRouterdBGP(b.t, b.run(name, "routerd show bgp route -o json"))
}

// sorted writes words in an order.
func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

// target is an extended community as the tests have it: RT:1:2.
func target(s string) string {
	return strings.ToUpper(strings.NewReplacer("target:", "RT:", "rt ", "RT:", " ", "").Replace(s))
}

var (
	birdBGP      = regexp.MustCompile(`(?m)^(\S*) .*\[(\S+) [^\]]*\]( \*)? \(\d+(?:/\S+)?\) \[(?:AS\d+)?[ie?]\]$`)
	birdAny      = regexp.MustCompile(`(?m)^\S* +(unicast|blackhole|unreachable) \[`)
	birdBGPWords = regexp.MustCompile(`(?m)^\s+BGP\.(\S+): (.*)$`)
	birdOne      = regexp.MustCompile(`\(([^)]*)\)`)
)

// parseBIRDBGP reads the routes of BGP that BIRD has chosen.
func parseBIRDBGP(text string) bgpTable {
	table := bgpTable{}
	for _, at := range birdBGP.FindAllStringSubmatchIndex(text, -1) {
		if at[2] == at[3] || at[6] < 0 {
			continue
		}
		part := text[at[1]:]
		if next := birdAny.FindStringIndex(part); next != nil {
			part = part[:next[0]]
		}
		var r bgpKnown
		for _, m := range birdBGPWords.FindAllStringSubmatch(part, -1) {
			switch value := m[2]; m[1] {
			case "as_path":
				r.Path = value
			case "next_hop":
				r.Hop = strings.Fields(value)[0]
			case "origin":
				r.Origin = strings.ToLower(value)
			case "med":
				r.MED, _ = strconv.Atoi(value)
			case "community":
				r.Communities = birdList(value)
			case "ext_community":
				r.Extended = target(birdList(value))
			case "large_community":
				r.Large = birdList(value)
			}
		}
		table[text[at[2]:at[3]]] = r
	}
	return table
}

// birdList makes "(1,2) (1,3)" the words 1:2 and 1:3.
func birdList(text string) string {
	var words []string
	for _, m := range birdOne.FindAllStringSubmatch(text, -1) {
		words = append(words, strings.NewReplacer(", ", ":", ",", ":").Replace(m[1]))
	}
	return sorted(words)
}

// frrTable asks FRR, which says communities only of one prefix at a time.
func (b *bgpBench) frrTable(name string) bgpTable {
	b.t.Helper()
	table := bgpTable{}
	for _, family := range []string{"ipv4", "ipv6"} {
		var all struct {
			Routes map[string][]struct{ PeerID string }
		}
		b.decode(name, "vtysh -c 'show bgp "+family+" unicast json'", &all)
		for prefix, paths := range all.Routes {
			if paths[0].PeerID == "(unspec)" {
				continue
			}
			var one frrPrefix
			b.decode(name, "vtysh -c 'show bgp "+family+" unicast "+prefix+" json'", &one)
			one.add(prefix, table)
		}
	}
	return table
}

// decode reads the JSON that a line of sh prints.
func (b *bgpBench) decode(name, line string, into any) {
	b.t.Helper()
	text := b.run(name, line)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		b.t.Fatalf("reading what %s says to %q: %v\n%s", name, line, err, text)
	}
}

// frrPrefix is what FRR says of a prefix.
type frrPrefix struct {
	Paths []struct {
		ASPath                                       struct{ String string }
		Origin                                       string
		Metric                                       int
		BestPath                                     struct{ Overall bool }
		Community, ExtendedCommunity, LargeCommunity struct{ String string }
		NextHops                                     []struct{ IP string }
	}
}

func (p *frrPrefix) add(prefix string, table bgpTable) {
	for _, r := range p.Paths {
		if r.BestPath.Overall && len(r.NextHops) > 0 {
			words := func(s string) string { return sorted(strings.Fields(s)) }
			table[prefix] = bgpKnown{
				Path: strings.Replace(r.ASPath.String, "Local", "", 1), Hop: r.NextHops[0].IP, Origin: strings.ToLower(r.Origin), MED: r.Metric,
				Communities: words(r.Community.String), Extended: words(r.ExtendedCommunity.String), Large: words(r.LargeCommunity.String),
			}
		}
	}
}

// gobgpAttribute is one attribute; which of its fields count, its type says.
type gobgpAttribute struct {
	Type    int
	Value   json.RawMessage
	ASPaths []struct{ ASNs []int } `json:"as_paths"`
	NextHop string
	Metric  int
	// Communities are numbers.
	Communities []uint32
}

func parseGoBGP(t *testing.T, text string, table bgpTable) {
	t.Helper()
	var all map[string][]struct {
		Best     bool
		Attrs    []gobgpAttribute
		Neighbor string `json:"neighbor-ip"`
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("reading what GoBGP says: %v\n%s", err, text)
	}
	for prefix, paths := range all {
		for _, p := range paths {
			if !p.Best || p.Neighbor == "" {
				continue
			}
			var r bgpKnown
			for _, a := range p.Attrs {
				a.into(t, &r)
			}
			table[prefix] = r
		}
	}
}

func (a *gobgpAttribute) into(t *testing.T, r *bgpKnown) {
	t.Helper()
	value := func(into any) {
		if err := json.Unmarshal(a.Value, into); err != nil {
			t.Fatalf("reading an attribute of GoBGP's: %v\n%s", err, a.Value)
		}
	}
	switch a.Type {
	case 1:
		var n int
		value(&n)
		r.Origin = []string{"igp", "egp", "incomplete"}[n]
	case 2:
		for _, s := range a.ASPaths {
			r.Path = strings.TrimSpace(r.Path + " " + strings.Trim(fmt.Sprint(s.ASNs), "[]"))
		}
	case 3, 14:
		r.Hop = a.NextHop
	case 4:
		r.MED = a.Metric
	case 8:
		var words []string
		for _, c := range a.Communities {
			words = append(words, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
		r.Communities = sorted(words)
	case 16:
		var list []struct {
			Subtype int
			Value   string
		}
		value(&list)
		var words []string
		for _, e := range list {
			kind := "other"
			if e.Subtype == 2 {
				kind = "RT"
			}
			words = append(words, kind+":"+e.Value)
		}
		r.Extended = sorted(words)
	case 32:
		var list []struct{ ASN, LocalData1, LocalData2 int }
		value(&list)
		var words []string
		for _, l := range list {
			words = append(words, fmt.Sprintf("%d:%d:%d", l.ASN, l.LocalData1, l.LocalData2))
		}
		r.Large = sorted(words)
	}
}

func parseOpenBGPD(t *testing.T, text string) bgpTable {
	t.Helper()
	var all struct {
		RIB []struct {
			Prefix, ASPath, Origin string
			Hop                    string `json:"exit_nexthop"`
			Best                   bool
			Neighbor               struct {
				Remote string `json:"remote_addr"`
			}
			Metric      int
			Communities []string
			Extended    []string `json:"extended_communities"`
			Large       []string `json:"large_communities"`
		}
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("reading what OpenBGPD says: %v\n%s", err, text)
	}
	table := bgpTable{}
	for _, r := range all.RIB {
		if r.Best && r.Neighbor.Remote != "???" {
			var extended []string
			for _, e := range r.Extended {
				extended = append(extended, target(e))
			}
			table[r.Prefix] = bgpKnown{r.ASPath, r.Hop, strings.ToLower(r.Origin), r.Metric, sorted(r.Communities), sorted(extended), sorted(r.Large)}
		}
	}
	return table
}
