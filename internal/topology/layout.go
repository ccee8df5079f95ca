package topology

import (
	"math"
	"slices"
)

// Point is a place in a drawing, y growing downwards.
type Point struct{ X, Y float64 }

// Plus is the sum of two vectors.
func (p Point) Plus(q Point) Point { return Point{p.X + q.X, p.Y + q.Y} }

// Minus is the vector from q to p.
func (p Point) Minus(q Point) Point { return Point{p.X - q.X, p.Y - q.Y} }

// Times is a vector f times as long.
func (p Point) Times(f float64) Point { return Point{p.X * f, p.Y * f} }

// Length is the length of a vector.
func (p Point) Length() float64 { return math.Hypot(p.X, p.Y) }

// Toward is a point on the way from p to q: p at 0, q at 1.
func (p Point) Toward(q Point, at float64) Point { return p.Plus(q.Minus(p).Times(at)) }

func onCircle(radius, a float64) Point { return Point{radius * math.Cos(a), radius * math.Sin(a)} }

// layout says where nodes go, in units of about the length of a link.
type layout struct {
	near [][]int // of each node its neighbours, once each, in the order of the links
	at   []Point
}

// Arrange places nodes, of which there are count, as people draw them: a chain is a
// line, a star has its centre in the middle, a ring is a ring, subtrees of a ring or
// mesh are outside of it, and a tree grows downwards. Parts without a link between
// them are side by side. Links are pairs of the numbers of nodes; the unit is about
// the length of one. The same graph is always placed the same way.
func Arrange(count int, links [][2]int) []Point {
	l := layout{near: make([][]int, count), at: make([]Point, count)}
	for _, link := range links {
		a, b := link[0], link[1]
		if a != b && !slices.Contains(l.near[a], b) {
			l.near[a], l.near[b] = append(l.near[a], b), append(l.near[b], a)
		}
	}
	right := 0.0
	for _, part := range l.parts() {
		l.place(part)
		left, end := math.Inf(1), math.Inf(-1)
		top, bottom := math.Inf(1), math.Inf(-1)
		for _, i := range part {
			left, end = min(left, l.at[i].X), max(end, l.at[i].X)
			top, bottom = min(top, l.at[i].Y), max(bottom, l.at[i].Y)
		}
		for _, i := range part {
			l.at[i] = l.at[i].Plus(Point{right - left, -(top + bottom) / 2})
		}
		right += end - left + 1
	}
	return l.at
}

// parts gives the connected parts of the topology, each in the file's order.
func (l *layout) parts() (parts [][]int) {
	seen := make([]bool, len(l.near))
	for i := range l.near {
		if seen[i] {
			continue
		}
		seen[i] = true
		part := []int{i}
		for k := 0; k < len(part); k++ {
			for _, j := range l.near[part[k]] {
				if !seen[j] {
					seen[j] = true
					part = append(part, j)
				}
			}
		}
		slices.Sort(part)
		parts = append(parts, part)
	}
	return parts
}

// place places one part.
func (l *layout) place(part []int) {
	core := l.core(part)
	if len(core) > 0 {
		l.round(core)
		l.hang(core)
		return
	}
	var inner []int // of a tree
	for _, i := range part {
		if len(l.near[i]) > 1 {
			inner = append(inner, i)
		}
	}
	switch spine := l.path(inner); {
	case len(part) <= 2:
		for k, i := range part {
			l.at[i] = Point{float64(k), 0}
		}
	case len(inner) == 1 && len(part) > 3:
		l.star(inner[0])
	case spine != nil:
		l.backbone(spine)
	default:
		l.tree(l.centre(part))
	}
}

// core gives what is left of a part when leaves are removed again and again:
// its rings and what joins them.
func (l *layout) core(part []int) (core []int) {
	degree := make([]int, len(l.near))
	var ends []int
	for _, i := range part {
		if degree[i] = len(l.near[i]); degree[i] <= 1 {
			ends = append(ends, i)
		}
	}
	for k := 0; k < len(ends); k++ {
		for _, j := range l.near[ends[k]] {
			if degree[j]--; degree[j] == 1 {
				ends = append(ends, j)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(part), func(i int) bool { return slices.Contains(ends, i) })
}

// path gives the nodes in order if their links form a single row, beginning
// with the end that the file has first.
func (l *layout) path(nodes []int) []int {
	if len(nodes) == 0 {
		return nil
	}
	among := func(i int) []int {
		return slices.DeleteFunc(slices.Clone(l.near[i]), func(j int) bool { return !slices.Contains(nodes, j) })
	}
	row := []int{}
	for _, i := range nodes {
		if n := len(among(i)); n > 2 {
			return nil
		} else if n < 2 && len(row) == 0 {
			row = append(row, i)
		}
	}
	for len(row) < len(nodes) {
		next := slices.IndexFunc(among(row[len(row)-1]), func(j int) bool { return !slices.Contains(row, j) })
		row = append(row, among(row[len(row)-1])[next])
	}
	return row
}

// star puts a node in the middle of all others.
func (l *layout) star(middle int) {
	around := l.near[middle]
	radius := max(1, float64(len(around))/7)
	// Preferably none is straight above: there is more room to the sides.
	begin := -math.Pi
	if len(around)%4 == 0 {
		begin += math.Pi / float64(len(around))
	}
	for k, i := range around {
		l.at[i] = onCircle(radius, begin+2*math.Pi*float64(k)/float64(len(around)))
	}
	l.at[middle] = Point{}
}

// backbone draws a row of nodes as a line, with the neighbours of its ends in
// columns and other neighbours below and above, in turns.
func (l *layout) backbone(row []int) {
	x := 0.0
	for k, i := range row {
		hanging := slices.DeleteFunc(slices.Clone(l.near[i]), func(j int) bool { return slices.Contains(row, j) })
		first, last := k == 0, k == len(row)-1
		switch half := len(hanging) / 2; {
		case first && last && half > 0: // a row of one
			l.column(hanging[:half], Point{x - 1, 0})
			l.at[i] = Point{x, 0}
			l.column(hanging[half:], Point{x + 1, 0})
		case first || last:
			side := 1.0
			if first {
				side = -1
			}
			l.at[i] = Point{x, 0}
			l.column(hanging, Point{x + side, 0})
		default:
			below := (len(hanging) + 1) / 2
			wide := max(0, float64(below-1)*0.8/2-0.2)
			x += wide
			l.at[i] = Point{x, 0}
			l.file(hanging[:below], Point{x, 0.8})
			l.file(hanging[below:], Point{x, -0.8})
			x += wide
		}
		x++
	}
}

// column places nodes below each other, around a place.
func (l *layout) column(nodes []int, around Point) {
	for k, i := range nodes {
		l.at[i] = around.Plus(Point{0, (float64(k) - float64(len(nodes)-1)/2) * 0.7})
	}
}

// file places nodes beside each other, around a place.
func (l *layout) file(nodes []int, around Point) {
	for k, i := range nodes {
		l.at[i] = around.Plus(Point{(float64(k) - float64(len(nodes)-1)/2) * 0.8, 0})
	}
}

// centre gives the centre of a tree: the node whose farthest node is nearest.
func (l *layout) centre(part []int) int {
	best, far := part[0], len(part)+1
	for _, i := range part {
		depth := l.distances(i)
		if most := slices.Max(depth); most < far {
			best, far = i, most
		}
	}
	return best
}

// distances gives how many links lead from a node to each other one, 0 if it
// cannot be reached.
func (l *layout) distances(from int) []int {
	steps := make([]int, len(l.near))
	queue, seen := []int{from}, map[int]bool{from: true}
	for k := 0; k < len(queue); k++ {
		for _, j := range l.near[queue[k]] {
			if !seen[j] {
				seen[j] = true
				steps[j] = steps[queue[k]] + 1
				queue = append(queue, j)
			}
		}
	}
	return steps
}

// tree draws a tree downwards from its root: every node above the middle of its
// children, leaves in the file's order.
func (l *layout) tree(root int) {
	leaf := 0.0
	var grow func(i, parent, depth int) float64
	grow = func(i, parent, depth int) float64 {
		var below []float64
		for _, j := range l.near[i] {
			if j != parent {
				below = append(below, grow(j, i, depth+1))
			}
		}
		x := leaf
		if len(below) == 0 {
			leaf++
		} else {
			x = (below[0] + below[len(below)-1]) / 2
		}
		l.at[i] = Point{x, float64(depth)}
		return x
	}
	grow(root, -1, 0)
}

// round puts nodes on a circle, in the order with the fewest crossings of links
// and, of these, the shortest links.
func (l *layout) round(core []int) {
	order := l.circular(core)
	if len(order) == 3 {
		// A triangle stands on its base, with the first node to the left.
		order = []int{order[2], order[1], order[0]}
	}
	radius := max(0.75, 0.5/math.Sin(math.Pi/float64(len(order))))
	for k, i := range order {
		// With three nodes one is on top, with more a side is.
		turn := float64(k)/float64(len(order)) - 0.25
		if len(order)%2 == 0 {
			turn -= 0.5 / float64(len(order))
		}
		l.at[i] = onCircle(radius, 2*math.Pi*turn)
	}
}

// circular finds the order: starting from a walk along the links, it swaps
// nodes while that improves the order. For many nodes it takes the walk alone.
func (l *layout) circular(core []int) []int {
	order, seen := []int{}, map[int]bool{}
	var walk func(i int)
	walk = func(i int) {
		seen[i] = true
		order = append(order, i)
		for _, j := range l.near[i] {
			if !seen[j] && slices.Contains(core, j) {
				walk(j)
			}
		}
	}
	walk(core[0])
	cost := func() [2]int { return l.crossings(order) }
	const rounds, many = 50, 24
	for range rounds {
		if len(order) > many {
			break
		}
		best := cost()
		better := false
		for a := range order {
			for b := range a {
				order[a], order[b] = order[b], order[a]
				if now := cost(); slices.Compare(now[:], best[:]) < 0 {
					best, better = now, true
				} else {
					order[a], order[b] = order[b], order[a]
				}
			}
		}
		if !better {
			break
		}
	}
	return order
}

// crossings counts the crossings of links between nodes on a circle, and sums
// the lengths of the links.
func (l *layout) crossings(order []int) (cost [2]int) {
	place := map[int]int{}
	for k, i := range order {
		place[i] = k
	}
	var chords [][2]int
	for k, i := range order {
		for _, j := range l.near[i] {
			if to, there := place[j]; there && to > k {
				chords = append(chords, [2]int{k, to})
				cost[1] += min(to-k, len(order)-to+k)
			}
		}
	}
	for n, a := range chords {
		for _, b := range chords[:n] {
			if a[0] < b[0] && b[0] < a[1] && a[1] < b[1] || b[0] < a[0] && a[0] < b[1] && b[1] < a[1] {
				cost[0]++
			}
		}
	}
	return cost
}

// hang places the trees at nodes of the core, away from its middle, each in a
// sector of its own.
func (l *layout) hang(core []int) {
	placed := map[int]bool{}
	for _, i := range core {
		placed[i] = true
	}
	sector := 2 * math.Pi / float64(len(core))
	var spread func(from int, angle, sector float64)
	spread = func(from int, angle, sector float64) {
		below := slices.DeleteFunc(slices.Clone(l.near[from]), func(j int) bool { return placed[j] })
		for k, j := range below {
			placed[j] = true
			share := min(sector, math.Pi/1.5) / float64(len(below))
			a := angle + (float64(k)-float64(len(below)-1)/2)*share
			l.at[j] = l.at[from].Plus(onCircle(0.9, a))
			spread(j, a, share)
		}
	}
	for _, i := range core {
		spread(i, math.Atan2(l.at[i].Y, l.at[i].X), sector*1.4)
	}
}
