package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"routerd/internal/show"
	"routerd/internal/verdict"
)

// DropQuery selects dropped packets. The zero query returns the counts of all.
type DropQuery struct {
	Last      int         `query:"last,max=1000" help:"show the latest <N> dropped packets, too"`
	Interface string      `query:"in,complete=interface" help:"only packets that came in by this <interface>"`
	Verdict   DropVerdict `query:"verdict" help:"only packets that were dropped for this reason, by its <name>"`
	// Src and Dst contain the addresses of the packets. They select among the
	// latest packets only, since the counters have no addresses.
	Src show.Subnet `query:"src" help:"of the latest, only those from this <address> or prefix"`
	Dst show.Subnet `query:"dst" help:"of the latest, only those to this <address> or prefix"`
}

// Drops is the answer about dropped packets.
type Drops struct {
	// Verdicts has every verdict that is a drop, in the order of the stages,
	// including those that never occurred.
	Verdicts []VerdictCount `json:"verdicts"`
	// Rules has what in the packet filter has dropped packets, the most frequent
	// first. It is empty for the packets of one interface: rules do not count by it.
	Rules []DropRule `json:"rules,omitempty"`
	// Last has the latest dropped packets, newest first. They are a sample: a
	// few of each batch.
	Last []Drop `json:"last"`
}

// VerdictCount is the number of packets with a verdict.
type VerdictCount struct {
	Verdict  string `json:"verdict" show:"verdict,after=packets"`
	Sentence string `json:"sentence" show:"meaning,after=verdict"`
	Packets  uint64 `json:"packets" show:"packets,amount"`
}

// DropRule is the number of packets that one rule of the filter has dropped, or the
// default action of a list, or the lack of a policy between two zones.
type DropRule struct {
	Packets uint64 `json:"packets" show:"packets,amount"`
	Verdict string `json:"verdict" show:"verdict"`
	List    string `json:"list" show:"list"` // "(zones)" = there is no policy
	Rule    string `json:"rule" show:"rule,none=(default)"`
	Origin  string `json:"origin" show:"place"`
}

// Drop is one dropped packet.
type Drop struct {
	Time      time.Time `json:"time"`
	Interface string    `json:"interface"` // it came in by; "" for one that the router made
	Header    string    `json:"header"`    // as Describe words it
	Length    int       `json:"length"`    // bytes of the packet
	Verdict   string    `json:"verdict"`
	Sentence  string    `json:"sentence"`
}

// DropVerdict is the label of a verdict that is a drop, "" for any.
type DropVerdict string

// Set implements show.Value.
func (v *DropVerdict) Set(text string) error {
	if !slices.Contains(DropVerdicts(), text) {
		return errors.New("wanted a name that show drops -o wide lists, such as no_route")
	}
	*v = DropVerdict(text)
	return nil
}

func (v *DropVerdict) String() string { return string(*v) }

// Offered implements show.Offering.
func (*DropVerdict) Offered() []string { return DropVerdicts() }

// DropVerdicts are the labels of the verdicts that are drops.
func DropVerdicts() (labels []string) {
	for v := range verdict.All {
		if v.Class() == verdict.Dropped {
			labels = append(labels, v.Label())
		}
	}
	return labels
}

// usualDrops is how many packets are shown if there is a filter but no number.
const usualDrops = 20

var dropsNoun = show.Spec[Router, DropQuery, Drops]{
	Path: "drops",
	Help: show.Help{
		Short: "How many packets went no further, and why",
		Long: `How many packets were dropped for each reason, the most frequent first, and by
which rules of the packet filter; with --last, also the latest of them. Of a
flood these are a sample.

--in and --verdict choose what is counted and shown; rules do not count by
interface, so --in leaves them out. --src and --dst choose among
the latest packets, since no address is kept of those that are only counted; with
one of them the latest 20 are shown unless --last says how many.`,
		Example: `  routerd show drops
  routerd show drops --last 20
  routerd show drops --last 5 -w 1s
  routerd show drops --in lan0 --verdict no_route
  routerd show drops --src 10.0.1.0/24 --dst 192.0.2.1`,
	},
	Ask: func(ctx context.Context, r Router, q DropQuery) (Drops, error) { return r.Drops(ctx, q) },
	Arguments: func(q *DropQuery, _ []string) error {
		if (q.Src.IsValid() || q.Dst.IsValid()) && q.Last == 0 {
			q.Last = usualDrops
		}
		return nil
	},
	Draw: func(s *show.Screen, q *DropQuery, d *Drops) { d.draw(s, q) },
}.Noun()

func (d *Drops) draw(s *show.Screen, q *DropQuery) {
	counts := slices.Clone(d.Verdicts)
	if !s.Wide { // a wide screen shows all, in the order of the stages
		counts = slices.DeleteFunc(counts, func(c VerdictCount) bool { return c.Packets == 0 })
		slices.SortStableFunc(counts, func(a, b VerdictCount) int { return cmp.Compare(b.Packets, a.Packets) })
	}
	nothing := "no packet was dropped"
	if q.Interface != "" {
		nothing = "no packet that came in by " + q.Interface + " was dropped"
	}
	if q.Verdict != "" {
		nothing += " with verdict " + string(q.Verdict)
	}
	if len(counts) == 0 {
		fmt.Fprintln(s, nothing)
		return
	}
	show.Rows(s, counts)
	if len(d.Rules) > 0 {
		fmt.Fprintln(s)
		show.Rows(s, d.Rules)
	}
	if q.Last > 0 {
		fmt.Fprintln(s)
		show.Rows(s, d.Last)
	}
}

// dropRow is a dropped packet in a table.
type dropRow struct {
	Time    string `show:"time"`
	In      string `show:"in,none=(own)"`
	Packet  string `show:"packet"`
	Verdict string `show:"verdict,bad"`
	Meaning string `show:"meaning,wide"`
}

// Drawn implements show.Drawn.
func (d *Drop) Drawn(s *show.Screen) any {
	at := d.Time.Local().Format("15:04:05.000")
	if s.Wide {
		at = d.Time.UTC().Format(time.RFC3339Nano)
	}
	return &dropRow{at, d.Interface, d.Header, d.Verdict, d.Sentence}
}
