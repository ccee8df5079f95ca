package lab

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// exaEvent is one line of what ExaBGP has heard.
type exaEvent struct {
	Type     string
	Neighbor struct {
		Address struct{ Peer string }
		State   string
		Message struct {
			Update struct {
				Attribute struct {
					Origin      string
					Path        []int `json:"as-path"`
					MED         int
					Communities [][]int                   `json:"community"`
					Extended    []struct{ String string } `json:"extended-community"`
					Large       [][]int                   `json:"large-community"`
				}
				Announce map[string]map[string][]struct{ NLRI string }
				Withdraw map[string][]struct{ NLRI string }
			}
		}
	}
}

// parseExaBGP applies what ExaBGP has heard, one after the other: it keeps no table.
func parseExaBGP(t *testing.T, text string) bgpTable {
	t.Helper()
	table, from := bgpTable{}, map[string]string{}
	for l := range strings.Lines(text) {
		if !strings.HasSuffix(l, "\n") {
			break // it is being written
		}
		var e exaEvent
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatalf("reading what ExaBGP says: %v\n%s", err, l)
		}
		peer := e.Neighbor.Address.Peer
		if e.Type == "state" && e.Neighbor.State == "down" {
			for prefix, p := range from {
				if p == peer {
					delete(table, prefix)
				}
			}
		}
		for _, list := range e.Neighbor.Message.Update.Withdraw {
			for _, w := range list {
				delete(table, w.NLRI)
			}
		}
		for _, hops := range e.Neighbor.Message.Update.Announce {
			for hop, list := range hops {
				for _, a := range list {
					if strings.HasPrefix(hop, "fe80:") && len(hops) > 1 {
						continue // a next hop's other address
					}
					table[a.NLRI], from[a.NLRI] = e.known(hop), peer
				}
			}
		}
	}
	return table
}

func (e *exaEvent) known(hop string) bgpKnown {
	a := &e.Neighbor.Message.Update.Attribute
	joined := func(lists [][]int) string {
		var words []string
		for _, l := range lists {
			words = append(words, strings.ReplaceAll(strings.Trim(fmt.Sprint(l), "[]"), " ", ":"))
		}
		return sorted(words)
	}
	var extended []string
	for _, x := range a.Extended {
		extended = append(extended, target(x.String))
	}
	return bgpKnown{
		Path: strings.Trim(fmt.Sprint(a.Path), "[]"), Hop: hop, Origin: a.Origin, MED: a.MED,
		Communities: joined(a.Communities), Extended: sorted(extended), Large: joined(a.Large),
	}
}
