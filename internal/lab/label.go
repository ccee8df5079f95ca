package lab

import (
	"bytes"
	"fmt"
	"math"
)

// box is a rectangle of a drawing.
type box struct{ left, top, right, bottom float64 }

func around(p point, wide, tall float64) box {
	return box{p.X - wide/2, p.Y - tall/2, p.X + wide/2, p.Y + tall/2}
}

func (b box) middle() point {
	return point{X: (b.left + b.right) / 2, Y: (b.top + b.bottom) / 2}
}

func (b box) moved(by point) box {
	return box{b.left + by.X, b.top + by.Y, b.right + by.X, b.bottom + by.Y}
}

func (b box) grown(by float64) box {
	return box{b.left - by, b.top - by, b.right + by, b.bottom + by}
}

func (b box) with(c box) box {
	return box{min(b.left, c.left), min(b.top, c.top), max(b.right, c.right), max(b.bottom, c.bottom)}
}

// common is the area that two boxes share.
func (b box) common(c box) float64 {
	return max(0, min(b.right, c.right)-max(b.left, c.left)) * max(0, min(b.bottom, c.bottom)-max(b.top, c.top))
}

// border gives the point at which a line from the box's middle, shifted aside,
// leaves the box.
func (b box) border(shift, way point) point {
	from := b.middle().Plus(shift)
	far := math.Inf(1)
	if way.X > 0 {
		far = min(far, (b.right-from.X)/way.X)
	} else if way.X < 0 {
		far = min(far, (b.left-from.X)/way.X)
	}
	if way.Y > 0 {
		far = min(far, (b.bottom-from.Y)/way.Y)
	} else if way.Y < 0 {
		far = min(far, (b.top-from.Y)/way.Y)
	}
	if math.IsInf(far, 0) {
		return from
	}
	return from.Plus(way.Times(max(far, 0)))
}

// through gives how long a line runs inside the box (Liang and Barsky, 1984).
func (b box) through(p, q point) float64 {
	way := q.Minus(p)
	enter, leave := 0.0, 1.0
	for _, side := range [4][2]float64{
		{-way.X, p.X - b.left}, {way.X, b.right - p.X}, {-way.Y, p.Y - b.top}, {way.Y, b.bottom - p.Y},
	} {
		switch slope, room := side[0], side[1]; {
		case slope == 0 && room < 0:
			return 0
		case slope < 0:
			enter = max(enter, room/slope)
		case slope > 0:
			leave = min(leave, room/slope)
		}
	}
	return max(0, leave-enter) * way.Length()
}

// label is text at an end of a link, or at its middle.
type label struct {
	name   string   // of an interface
	small  []string // below it
	line   int      // the link that it stands at
	from   int      // the end, 0 or 1
	middle bool
	box    box
}

const smallSize = 11.0

func (l *label) size() (wide, tall float64) {
	if l.name != "" {
		wide, tall = width(l.name, labelSize), lineSkip
	}
	for _, text := range l.small {
		wide, tall = max(wide, width(text, smallSize)), tall+lineSkip
	}
	return wide, tall
}

// candidates are the places for a label: on either side of its link, close to
// it, those near its node first.
func (l *label) candidates(at stroke) (boxes []box) {
	wide, tall := l.size()
	from, to := at.from, at.to
	if l.from == 1 {
		from, to = to, from
	}
	way := to.Minus(from)
	length := max(way.Length(), 1)
	along := way.Times(1 / length)
	side := point{X: along.Y, Y: -along.X}
	if side.Y > 0 || side.Y == 0 && side.X < 0 {
		side = side.Times(-1) // upwards first, or to the right
	}
	// Half of the label's extent along the link, and across it.
	half := math.Abs(along.X)*wide/2 + math.Abs(along.Y)*tall/2
	if math.Abs(along.X) > 0.4 && math.Abs(along.Y) > 0.4 {
		half = min(half, tall)
	}
	across := math.Abs(side.X)*wide/2 + math.Abs(side.Y)*tall/2 + 4
	steps := []float64{half + 4, half + 14, half + 26, half + 44, half + 64, half + 90, half * 0.6}
	if l.middle {
		steps = []float64{length / 2, length/2 - 18, length/2 + 18, length/2 - 40, length/2 + 40}
	}
	for _, step := range steps {
		if !l.middle && step > length*0.62 {
			continue
		}
		on := from.Plus(along.Times(step))
		for _, s := range []point{side, side.Times(-1)} {
			boxes = append(boxes, around(on.Plus(s.Times(across)), wide, tall))
		}
	}
	if len(boxes) == 0 {
		on := from.Plus(along.Times(length * 0.3))
		boxes = append(boxes, around(on.Plus(side.Times(across)), wide, tall), around(on.Minus(side.Times(across)), wide, tall))
	}
	return boxes
}

// settle places the labels: each where it overlaps least with nodes, links and
// other labels, again and again until none moves. It returns the overlap that
// is left, 0 for none.
func (s *sketch) settle() (clash float64) {
	for i := range s.labels {
		s.labels[i].box = s.labels[i].candidates(s.lines[s.labels[i].line])[0]
	}
	const rounds = 12
	for range rounds {
		moved := false
		for i := range s.labels {
			l := &s.labels[i]
			best, least := l.box, math.Inf(1)
			for rank, c := range l.candidates(s.lines[l.line]) {
				if cost := 1000*s.clash(i, c) + float64(rank); cost < least {
					best, least = c, cost
				}
			}
			moved = moved || best != l.box
			l.box = best
		}
		if !moved {
			break
		}
	}
	for i := range s.labels {
		clash += s.clash(i, s.labels[i].box)
	}
	for i := range s.nodes {
		for k := range i {
			clash += s.nodes[i].grown(8).common(s.nodes[k].grown(8))
		}
		for _, l := range s.lines {
			// A link should run through no other node.
			clash += s.nodes[i].grown(-1).through(l.from, l.to)
		}
	}
	return clash
}

// clash says by how much a label at a place would overlap others.
func (s *sketch) clash(i int, at box) (sum float64) {
	for k := range s.labels {
		if k != i {
			sum += s.labels[k].box.common(at.grown(1))
		}
	}
	for _, n := range s.nodes {
		sum += n.common(at.grown(1))
	}
	for _, l := range s.lines {
		sum += 4 * at.through(l.from, l.to)
		if l.state == LinkCut {
			sum += around(l.from.Toward(l.to, 0.5), 2*crossHalf+4, 2*crossHalf+4).common(at)
		}
	}
	return sum
}

func (l *label) render(b *bytes.Buffer) {
	m, y := l.box.middle(), l.box.top+labelSize-2
	if l.name != "" {
		fmt.Fprintf(b, `<text class="l" x="%.1f" y="%.1f" text-anchor="middle" font-weight="bold">%s</text>`+"\n", m.X, y, escaped(l.name))
		y += lineSkip
	}
	for _, text := range l.small {
		fmt.Fprintf(b, `<text class="l a" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", m.X, y, escaped(text))
		y += lineSkip
	}
}
