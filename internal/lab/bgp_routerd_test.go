package lab

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// routerd is a speaker in routerd's words. secret is the file with its password.
func (p *bgpPlan) routerd(s *bgpSeat, secret string) string {
	var b strings.Builder
	line := line(&b)
	at := "node." + s.name + ".config"
	var networks, rich []string
	for _, r := range s.routes {
		networks = append(networks, fmt.Sprintf("{ prefix = %q, always = true }", r.prefix))
		if r.rich {
			rich = append(rich, fmt.Sprintf("{ ip-prefix = %q }", r.prefix))
		}
	}
	export := "[]"
	if len(rich) > 0 {
		line("[%s.policy.prefix-set]\nrich = [%s]", at, strings.Join(rich, ", "))
		line("[[%s.policy.definition.announced.statement]]\nmatch = { prefix-set = \"rich\" }", at)
		line(`set = { origin = "egp", med = %[2]d, as-path-prepend = "%[1]d", community-add = ["%[1]d:1", "%[1]d:2"], extended-community-add = ["rt:%[1]d:7"], large-community-add = ["%[1]d:1:2"] }`, s.as, bgpMED)
		line("action = \"accept\"\n[[%s.policy.definition.announced.statement]]\naction = \"accept\"", at)
		export = "[\"announced\"]"
	}
	if s.needsBFD(p) {
		line("[%s.bfd.profile.fast]\ninterval = \"50ms\"\nmultiplier = 5", at)
	}
	line("[%s.bgp]\nas = %d\nrouter-id = %q\nnetworks = [%s]", at, s.as, p.id(s.name), strings.Join(networks, ", "))
	line("[%s.bgp.peer-group.all]\nhold-time = \"%ds\"\nconnect-retry = \"%ds\"\nimport-policy = []\nexport-policy = %s", at, bgpHold, bgpRetry, export)
	for _, x := range p.sessions(s.name) {
		line("[%s.bgp.neighbor.%q]\npeer-group = \"all\"\npeer-as = %d\nlocal-address = %q", at, x.peer, x.peerAS, x.local)
		if x.passive {
			line("passive = true")
		}
		if x.password != "" {
			line("auth-password-file = %q", secret)
		}
		if x.security {
			line("ttl-security = true")
		}
		if x.bfd {
			line("bfd = { profile = \"fast\" }")
		}
		if x.client == x.to.name {
			line("route-reflector-client = true")
		}
		if x.extended {
			line("extended-next-hop = true\nafi-safis = [\"ipv4-unicast\", \"ipv6-unicast\"]")
		}
		if x.paths {
			line("add-path = { receive = true, send = \"all\" }")
		}
		b.WriteString(x.words)
	}
	b.WriteString(strings.ReplaceAll(s.more, "AT", at))
	return b.String()
}

// bgpNeighbor is what routerd says of a neighbour.
type bgpNeighbor struct {
	Address, State, Remark string
	AS                     int
	Since                  time.Time
	Accepted, Sent         int
	Counts                 map[string]int
	Families               []struct {
		Family          string
		Accepted, Stale int
	}
	Last *struct{ Text string } `json:"last_ending"`
}

// neighbors asks routerd for its neighbours, by address.
func (b *bgpBench) neighbors(name string) map[string]bgpNeighbor {
	b.t.Helper()
	var doc struct{ Neighbors []bgpNeighbor }
	b.decode(name, "routerd show bgp neighbor -o json", &doc)
	all := map[string]bgpNeighbor{}
	for _, n := range doc.Neighbors {
		all[n.Address] = n
	}
	return all
}

// routerdPath is a route as routerd says it.
type routerdPath struct {
	Neighbor, Origin string
	Best             bool
	Hop              string `json:"next_hop"`
	Path             string `json:"as_path"`
	MED              int
	Communities      []string
	Extended         []string `json:"extended_communities"`
	Large            []string `json:"large_communities"`
}

// parseRouterdBGP reads the best routes that came from neighbours.
func parseRouterdBGP(t *testing.T, text string) bgpTable {
	t.Helper()
	var doc struct {
		Routes []struct {
			Prefix string
			Paths  []routerdPath
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("reading what routerd says: %v\n%s", err, text)
	}
	table := bgpTable{}
	for _, route := range doc.Routes {
		for _, r := range route.Paths {
			if !r.Best || r.Neighbor == "" {
				continue
			}
			for i, e := range r.Extended {
				r.Extended[i] = strings.Replace(e, "rt:", "RT:", 1)
			}
			table[route.Prefix] = bgpKnown{r.Path, r.Hop, r.Origin, r.MED, sorted(r.Communities), sorted(r.Extended), sorted(r.Large)}
		}
	}
	return table
}
