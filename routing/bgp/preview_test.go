package bgp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
)

// foretold are the consequences of a configuration in words, by the number of the neighbour's
// AS.
func foretold(list []Consequence) (words []string) {
	for _, x := range list {
		w := fmt.Sprint(x.Neighbor.AS)
		for _, p := range []struct {
			is   bool
			word string
		}{
			{x.Ends, "ends"},
			{x.Begins, "begins"},
			{x.Asked != 0, fmt.Sprint("asked ", x.Asked == wire.Of(wire.IPv4Unicast))},
			{x.Judged != 0, fmt.Sprint("judged ", x.Judged == wire.Of(wire.IPv4Unicast))},
			{x.SentAgain, fmt.Sprint("sent ", x.Sent)},
		} {
			if p.is {
				w += " " + p.word
			}
		}
		words = append(words, w)
	}
	return words
}

// What is said beforehand of a configuration is what happens then, and saying it changes
// nothing.
func TestPreview(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		want   []string
		downs  int // of sessions
		asks   bool
	}{
		{"nothing", func(*Config) {}, nil, 0, false},
		{"a text", func(c *Config) { c.Neighbors[0].Description = "x" }, nil, 0, false},
		{"a hold time", func(c *Config) { c.Neighbors[0].HoldTime = 30 }, []string{"65002 ends begins"}, 1, false},
		{"the AS", func(c *Config) { c.AS = 65009 }, []string{"65002 ends begins", "65003 ends begins"}, 2, false},
		{"the router ID", func(c *Config) { c.RouterID = 99 }, []string{"65002 ends begins", "65003 ends begins"}, 2, false},
		{"a router ID of its own choice", func(c *Config) { c.RouterID, c.RouterIDChosen = 99, true }, []string{"65002 ends begins", "65003 ends begins"}, 2, false},
		{"one less", func(c *Config) { c.Neighbors = c.Neighbors[1:] }, []string{"65002 ends"}, 1, false},
		{"shut down", func(c *Config) { c.Neighbors[1].Shutdown = true }, []string{"65003 ends"}, 1, false},
		{"one more", func(c *Config) {
			n := c.Neighbors[0]
			n.Address, n.AS = loopback(9), 65010
			n.Multihop = 2
			c.Neighbors = append(c.Neighbors, n)
		}, []string{"65010 begins"}, 0, false},
		{"an import policy", func(c *Config) { c.Neighbors[0].Families[wire.IPv4Unicast].Import = Policy{} }, []string{"65002 asked true"}, 0, true},
		{"an export policy", func(c *Config) { c.Neighbors[0].Families[wire.IPv4Unicast].Export = Policy{} }, []string{"65002 sent 2"}, 0, false},
		{"networks", func(c *Config) { c.Networks = nil }, nil, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newNetwork(t, 1)
			a, b, c := w.router(65001), w.router(65002), w.router(65003)
			w.peer(a, b, nil)
			w.peer(a, c, nil)
			w.start()
			w.run(time.Minute)
			w.established()
			before, came := a.downs(), a.machine.Neighbors()[0].Counts.Announcements
			a.config.Neighbors = slices.Clone(a.config.Neighbors)
			tt.change(&a.config)
			for range 2 { // the second answer shows that the first has changed nothing
				if got := foretold(a.machine.Preview(a.config)); !slices.Equal(got, tt.want) {
					t.Errorf("%q is said, want %q", got, tt.want)
				}
			}
			w.run(time.Minute)
			if a.downs() != before || a.machine.Neighbors()[0].Counts.Announcements != came {
				t.Error("it was only said, and something has happened")
			}
			w.configure(a)
			if got := foretold(a.machine.Preview(a.config)); len(got) > 0 {
				t.Errorf("after it was configured %q is said", got)
			}
			w.run(time.Minute)
			if a.downs()-before != tt.downs {
				t.Errorf("%d sessions have ended, want %d", a.downs()-before, tt.downs)
			}
			if asks := a.machine.Neighbors()[0].Counts.Announcements > came; tt.downs == 0 && asks != tt.asks {
				t.Errorf("other routes came: %v, want %v", asks, tt.asks)
			}
		})
	}
}
