package bgp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"routerd/internal/protocols/running"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// previewing is a machine that says what it would do.
type previewing interface {
	Preview(c bgp.Config) []bgp.Consequence
}

// Effects says what the machine that runs would do with another configuration: which
// sessions end and begin, which neighbours are asked for routes again, and which are
// sent theirs again.
func Effects(ctx context.Context, p running.Protocol, config any) ([]string, error) {
	c, ok := config.(bgp.Config)
	if !ok {
		return nil, fmt.Errorf("previewing a configuration of %s: it is a %T", name, config)
	}
	list, err := running.Ask(ctx, p, name, func(m previewing, _ time.Time) []bgp.Consequence { return m.Preview(c) })
	var lines []string
	for i := range list {
		lines = append(lines, consequenceText(&list[i])...)
	}
	return lines, err
}

func consequenceText(x *bgp.Consequence) (lines []string) {
	who := zoned(x.Neighbor.Address, x.Neighbor.Interface).String()
	if x.Neighbor.Description != "" {
		who += " (" + x.Neighbor.Description + ")"
	}
	say := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	switch {
	case x.Begins && x.Ends:
		say("the session with %s ends and begins again", who)
	case x.Begins:
		say("a session with %s begins", who)
	case x.Ends:
		say("the session with %s ends", who)
	}
	if x.Asked != 0 {
		say("%s is asked for its routes again: %s", who, familyNames(x.Asked))
	}
	if x.Judged != 0 {
		say("the routes that %s has sent are decided about again: %s", who, familyNames(x.Judged))
	}
	if x.SentAgain {
		say("%s is sent all routes again, as far as the policies let them pass; it has %s prefixes now", who, thousands(uint64(x.Sent)))
	}
	return lines
}

func familyNames(s wire.Families) string {
	var names []string
	for f := range wire.Family(wire.NumFamilies) {
		if s.Has(f) {
			names = append(names, families[f])
		}
	}
	return strings.Join(names, ", ")
}
