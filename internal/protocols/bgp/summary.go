package bgp

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// Summary is the router as BGP sees it, with its neighbours.
type Summary struct {
	AS        uint32       `json:"as"`
	RouterID  netip.Addr   `json:"router_id"`
	ClusterID netip.Addr   `json:"cluster_id"`
	Listening []string     `json:"listening"` // addresses and port
	Strangers uint64       `json:"strangers"` // connections of those who are no neighbours, closed
	Crowded   uint64       `json:"crowded"`   // neighbours of ranges that had to go for others before they had a session
	Tables    []Table      `json:"tables"`
	Sets      AttributeUse `json:"attribute_sets"`
	Neighbors []Neighbor   `json:"neighbors"`
}

// Table is the routes of one family.
type Table struct {
	Family   string `json:"family" show:"family"`
	Prefixes int    `json:"prefixes" show:"prefixes,amount"`
	Routes   int    `json:"routes" show:"routes,amount"` // of all neighbours, and the router's own
	Octets   int    `json:"octets" show:"memory,bytes"`  // of memory, without attributes
	// Kept are routes as they came, before policies, with soft-reconfiguration; they have
	// KeptOctets of memory.
	Kept       int `json:"kept" show:"kept,amount"`
	KeptOctets int `json:"kept_octets" show:"memory,bytes"`
}

// AttributeUse is what the attributes of all routes take.
type AttributeUse struct {
	Sets   int `json:"sets"`   // that differ
	Octets int `json:"octets"` // that these take
}

func summaryNoun(path string) running.Noun {
	return show.Spec[running.Protocol, nothing, Summary]{
		Path: path,
		Help: show.Help{
			Short: "The router as BGP sees it: its tables, and its neighbors with how many routes come and go",
			Long: `The router as BGP sees it: its tables, and its neighbors with how many routes
come and go.

ACCEPTED are the routes of a neighbor that the import policies let pass, SENT the
prefixes that it has been sent. Without a policy nothing is accepted from and sent
to a neighbor of another AS (RFC 8212), which REMARK says.`,
		},
		Ask:   running.Answered(name, func(c core, q *running.Question[nothing]) Summary { return summary(c, q) }),
		Drawn: func(*nothing) bool { return true },
		Draw:  func(s *show.Screen, _ *nothing, x *Summary) { x.draw(s) },
	}.Noun()
}

func summary(c core, q *running.Question[nothing]) Summary {
	s := c.Status()
	x := Summary{
		AS: s.AS, RouterID: addressOf(s.RouterID), ClusterID: addressOf(s.ClusterID), Listening: []string{}, Strangers: s.Strangers, Crowded: s.Crowded,
		Sets: AttributeUse{s.Sets, s.SetOctets}, Neighbors: []Neighbor{},
	}
	for f, at := range s.Listening {
		if at.IsValid() {
			x.Listening = append(x.Listening, at.String())
		}
		t := s.Families[f]
		x.Tables = append(x.Tables, Table{families[f], t.Prefixes, t.Routes, t.Octets, t.Kept, t.KeptOctets})
	}
	for _, n := range c.Neighbors() {
		x.Neighbors = append(x.Neighbors, neighborOf(&n, q.Protocol, q.Now))
	}
	return x
}

// addressOf is a router ID as it is written, the zero Addr for 0, which is none.
func addressOf(id wire.RouterID) netip.Addr {
	if id == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
}

func (x *Summary) draw(s *show.Screen) {
	fmt.Fprintf(s, "router ID %s, AS %d\n", x.RouterID, x.AS)
	at := "nowhere"
	if len(x.Listening) > 0 {
		at = strings.Join(x.Listening, " and ")
	}
	line(s, "listening", "%s, %s refused", at, show.Plural(int(x.Strangers), "stranger", "strangers"))
	for _, t := range x.Tables {
		kept := ""
		if t.Kept > 0 {
			kept = fmt.Sprintf("; %s kept before policies, %s", s.Amount(uint64(t.Kept)), memory(s, t.KeptOctets))
		}
		line(s, t.Family, "%s, %s, %s%s", amount(s, t.Prefixes, "prefix", "prefixes"), amount(s, t.Routes, "route", "routes"), memory(s, t.Octets), kept)
	}
	line(s, "attributes", "%s, %s", amount(s, x.Sets.Sets, "set", "sets"), memory(s, x.Sets.Octets))
	fmt.Fprintln(s)
	show.Rows(s, x.Neighbors)
}

// amount is a number of things in words.
func amount(s *show.Screen, n int, one, many string) string {
	if n != 1 {
		one = many
	}
	return s.Amount(uint64(n)) + " " + one
}

// remark is what is to be said of a neighbour in its row: why it has no session, or that
// no policy lets routes pass.
func remark(n *bgp.NeighborStatus) string {
	switch {
	case n.Shutdown:
		return "shut down"
	case n.Held:
		return "it had too many prefixes"
	case n.AwaitsBFD:
		return "BFD has not found it yet"
	case n.State != bgp.Established:
		return endingText(&n.Last)
	}
	var no []string
	for f := range n.Families {
		x := &n.Families[f]
		if x.OverLimit || x.NearLimit {
			no = append(no, fmt.Sprintf("%d prefixes, of at most %d", x.Counted, x.Maximum))
		}
		if x.Spoken && x.NoImport {
			no = append(no, fmt.Sprintf("%d of %s accepted: no import policy", x.Accepted, thousands(x.Announced)))
		}
		if x.Spoken && x.NoExport {
			no = append(no, "none sent: no export policy")
		}
	}
	return strings.Join(distinct(no), "; ")
}

func distinct(words []string) (list []string) {
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w] {
			list = append(list, w)
		}
		seen[w] = true
	}
	return list
}

// thousands writes a number with commas between groups of three digits.
func thousands(n uint64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// memory is a number of octets with its unit, also on a wide screen.
func memory(s *show.Screen, octets int) string {
	if s.Wide {
		return fmt.Sprintf("%d bytes", octets)
	}
	return s.Bytes(uint64(octets))
}
