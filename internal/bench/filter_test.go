package bench

import (
	"slices"
	"strings"
	"testing"
)

// Both filters get all the rules of a list, in its order, and the bench's traffic
// matches its last three alone.
func TestFiltersHaveTheSameRules(t *testing.T) {
	s := &Site{Options: DefaultOptions(), Hosts: [2]string{"a", "b"}, prefix: "x-", dir: "/nowhere"}
	for _, n := range []int{10, 100, 1000} {
		list := filterRules(n)
		if len(list) != n {
			t.Fatalf("%d rules, want %d", len(list), n)
		}
		matches := func(r filterRule) bool {
			return strings.HasPrefix(r.source, "10.77.1.") && strings.HasPrefix(r.destination, "10.77.2.") && r.last == 65535
		}
		if i := slices.IndexFunc(list, matches); i != n-3 {
			t.Errorf("rule %d of %d is the first that the bench's traffic matches, want %d", i, n, n-3)
		}
		nft, config := nftFilter(list), filterConfig(s, list)
		for _, r := range list {
			found := true
			for _, text := range []*string{&nft, &config} {
				for _, word := range []string{r.source, r.destination, r.ports()} {
					var here bool
					_, *text, here = strings.Cut(*text, word)
					found = found && here
				}
			}
			if !found {
				t.Fatalf("rule %+v of %d is missing in a list, or out of order", r, n)
			}
		}
	}
}
