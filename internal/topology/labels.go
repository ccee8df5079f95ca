package topology

import "math"

// Texts of links are about so large, at 11 px.
const (
	letterWide = 6.4
	lineTall   = 13.0
)

// box is a rectangle that a node or a text covers, by its middle.
type box struct{ X, Y, Wide, Tall float64 }

// common is the area that two boxes share.
func (a box) common(b box) float64 {
	wide := min(a.X+a.Wide/2, b.X+b.Wide/2) - max(a.X-a.Wide/2, b.X-b.Wide/2)
	tall := min(a.Y+a.Tall/2, b.Y+b.Tall/2) - max(a.Y-a.Tall/2, b.Y-b.Tall/2)
	return max(wide, 0) * max(tall, 0)
}

// labels are the boxes that texts of links keep clear of: those of nodes, and of the
// texts that have a place already.
type labels struct{ taken []box }

func (m *Map) labels() *labels {
	l := &labels{}
	for i := range m.Nodes {
		l.taken = append(l.taken, box{m.Nodes[i].X, m.Nodes[i].Y, nodeWide + 6, nodeTall + 6})
	}
	return l
}

// place finds room for a text on the line from p to q, at one of the parts of it that
// are given, the best one first, or beside it. Where there is no room it takes the
// place that covers least. It returns the middle of the text's box.
func (l *labels) place(p, q Point, at []float64, lines []string) box {
	b := box{Tall: float64(len(lines)) * lineTall}
	for _, line := range lines {
		b.Wide = max(b.Wide, float64(len([]rune(line)))*letterWide)
	}
	way := q.Minus(p)
	across := Point{-way.Y, way.X}.Times(1 / max(way.Length(), 1))
	// So far aside the text no longer touches the line.
	aside := (math.Abs(across.X)*b.Wide+math.Abs(across.Y)*b.Tall)/2 + 3
	best, least := b, math.Inf(1)
	for _, far := range []float64{0, aside, -aside, 2 * aside, -2 * aside} {
		for _, part := range at {
			on := p.Toward(q, part).Plus(across.Times(far))
			b.X, b.Y = on.X, on.Y
			covered := 0.0
			for _, other := range l.taken {
				covered += b.common(other)
			}
			if covered < least {
				best, least = b, covered
			}
		}
	}
	l.taken = append(l.taken, best)
	return best
}
