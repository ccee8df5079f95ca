package ospf

import (
	"testing"
	"time"
)

// Networks of several areas: after every change, and when all is quiet, the table of
// each router is the one that follows from how the network is built, and packets get
// to where they are sent.
func TestTablesFollowFromTheNetwork(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 12
	}
	for seed := range seeds {
		c := newCampus(t, seed)
		for round := range 4 {
			if round > 0 {
				c.change()
			}
			c.w.want(10*time.Minute, "settled", c.settled)
			c.w.run(time.Minute, nil)
			c.w.want(time.Minute, "settled still", c.settled)
			for _, x := range c.routers {
				if text := c.compare(x); text != "" {
					t.Fatalf("seed %d, round %d: %s\n%s", seed, round, text, c)
				}
				for r := range x.m.table.All {
					if r.Prefix().Bits() == 0 || r.Prefix().Bits() == 16 && r.Type == InterArea {
						continue // who has it is not said
					}
					if text := c.follow(x, r.Prefix(), map[*building]bool{}); text != "" {
						t.Fatalf("seed %d, round %d: a packet of router %d to %v %s\n%s", seed, round, x.id, r.Prefix(), text, c)
					}
				}
			}
		}
	}
}
