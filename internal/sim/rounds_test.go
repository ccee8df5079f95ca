package sim

import (
	"fmt"
	"strings"
	"time"
)

// settleDown runs until no link has changed for the time links and no table for the time
// tables, and then, with nothing lost, until all has been said once more, which takes the
// time again. It gives up after limit.
func (n *Network) settleDown(links, tables, again, limit time.Duration) error {
	if err := n.Quiet(links, tables, limit); err != nil {
		return err
	}
	for _, l := range n.Links {
		defer func(loss float64) { l.Faults.Loss = loss }(l.Faults.Loss)
		l.Faults.Loss = 0
	}
	if err := n.Run(again); err != nil {
		return err
	}
	return n.Quiet(0, again, limit)
}

// playRounds lets a network come to rest, and again after each of so many rounds of
// trouble that last for d, and holds it to its promises every time.
func (n *Network) playRounds(rounds int, d time.Duration, trouble func(time.Duration), rest func() error, checks ...func() ([]string, error)) error {
	for round := range 1 + rounds {
		if round > 0 {
			trouble(d)
			if err := n.Run(d); err != nil {
				return fmt.Errorf("%w\n%s", err, n.Report())
			}
		}
		if err := rest(); err != nil {
			return fmt.Errorf("round %d: %w\n%s", round, err, n.Report())
		}
		for _, check := range checks {
			wrong, err := check()
			if err != nil {
				return fmt.Errorf("round %d: %w\n%s", round, err, n.Report())
			}
			if len(wrong) > 0 {
				return fmt.Errorf("round %d: %d promises broken, such as\n  %s\n%s", round, len(wrong), strings.Join(wrong[:min(len(wrong), 4)], "\n  "), n.Report())
			}
		}
	}
	return nil
}

// sure is a check that can always be made.
func sure(check func() []string) func() ([]string, error) {
	return func() ([]string, error) { return check(), nil }
}
