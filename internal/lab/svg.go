package lab

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"

	"routerd/internal/topology"
)

// Drawing says what a drawing of a lab shows. The zero Drawing is of the
// topology alone, without addresses.
type Drawing struct {
	Addresses bool
	Status    *Status // of a lab that is up; nil draws the topology alone
}

type point = topology.Point

// arrange places the nodes, in the topology's order.
func (t *Topology) arrange() []point {
	number := map[string]int{}
	for i, n := range t.Nodes {
		number[n.Name] = i
	}
	var links [][2]int
	for _, l := range t.Links {
		links = append(links, [2]int{number[l.Ends[0].Node], number[l.Ends[1].Node]})
	}
	return topology.Arrange(len(t.Nodes), links)
}

// Sizes of a drawing, in pixels before it is scaled.
const (
	margin    = 36.0
	titleSize = 26.0
	nameSize  = 16.0
	kindSize  = 11.0
	labelSize = 12.0
	lineSkip  = 14.0
	nodeTall  = 46.0
	ringRatio = 1.7  // how much wider than tall a ring may become
	letter    = 0.61 // the width of a letter at size 1, in DejaVu Sans, which is wider than most
)

// SVG draws the topology for a slide or a page, as a self-contained image:
// nodes by kind, and at each end of a link the interface and its addresses.
func (t *Topology) SVG(d Drawing) []byte {
	s := sketch{topology: t, drawing: d}
	s.compose()
	return s.render()
}

// sketch is a drawing in the making.
type sketch struct {
	topology *Topology
	drawing  Drawing
	nodes    []box // in the topology's order
	lines    []stroke
	labels   []label
	wide     float64
	tall     float64
}

// stroke is a link between the borders of two nodes. It is drawn below the
// nodes.
type stroke struct {
	from, to point
	hidden   [2]point // its ends below the nodes
	state    LinkState
	ethernet bool
}

func width(text string, size float64) float64 { return float64(len([]rune(text))) * size * letter }

// compose finds a size at which the labels have room beside links and nodes,
// with as little overlap as possible.
func (s *sketch) compose() {
	places := s.topology.arrange()
	x, y := s.scale(places)
	var best sketch
	least := math.Inf(1)
	const sizes = 9
	for range sizes {
		try := *s
		try.put(places, x, y)
		try.draw()
		clash := try.settle()
		if clash < least {
			best, least = try, clash
		}
		if clash == 0 {
			break
		}
		x, y = x*1.12, y*1.15
	}
	*s = best
	s.frame()
}

// scale gives the least number of pixels for a unit of the layout.
func (s *sketch) scale(places []point) (x, y float64) {
	x, y = 190, 150
	at := map[string]point{}
	for i, n := range s.topology.Nodes {
		at[n.Name] = places[i]
	}
	for _, l := range s.topology.Links {
		way := at[l.Ends[1].Node].Minus(at[l.Ends[0].Node])
		long, tall := 24.0, 40.0
		for _, e := range l.Ends {
			text := s.end(e)
			w, h := text.size()
			long += w + 8 + nodeWide(e.Node)/2
			tall += h + 6 + nodeTall/2
		}
		switch level, steep := math.Abs(way.X), math.Abs(way.Y); {
		case steep < 0.4*level:
			x = max(x, long/level)
		case level < steep:
			y = max(y, tall/steep)
		default: // beside a slope, labels are above each other
			x, y = max(x, 0.62*long/level), max(y, 0.8*tall/steep)
		}
	}
	// A ring stays a ring.
	return x, max(y, x/ringRatio)
}

func nodeWide(name string) float64 { return max(92, width(name, nameSize)+34) }

// put makes the nodes' boxes.
func (s *sketch) put(places []point, x, y float64) {
	s.nodes = nil
	for i, n := range s.topology.Nodes {
		s.nodes = append(s.nodes, around(point{X: places[i].X * x, Y: places[i].Y * y}, nodeWide(n.Name), nodeTall))
	}
}

// draw makes links and labels; several links between two nodes run beside each
// other.
func (s *sketch) draw() {
	s.lines, s.labels = nil, nil
	nodes := map[string]box{}
	for i, n := range s.topology.Nodes {
		nodes[n.Name] = s.nodes[i]
	}
	pair := func(l Link) [2]string {
		names := [2]string{l.Ends[0].Node, l.Ends[1].Node}
		slices.Sort(names[:])
		return names
	}
	count, drawn := map[[2]string]int{}, map[[2]string]int{}
	for _, l := range s.topology.Links {
		count[pair(l)]++
	}
	for i, l := range s.topology.Links {
		p := pair(l)
		a, b := nodes[p[0]], nodes[p[1]]
		aside := (float64(drawn[p]) - float64(count[p]-1)/2) * 30
		drawn[p]++
		way := b.middle().Minus(a.middle())
		shift := point{X: -way.Y, Y: way.X}.Times(aside / max(way.Length(), 1))
		line := stroke{from: a.border(shift, way), to: b.border(shift, way.Times(-1)), ethernet: l.ethernet()}
		line.hidden = [2]point{a.middle().Plus(shift), b.middle().Plus(shift)}
		if l.Ends[0].Node != p[0] {
			line.from, line.to = line.to, line.from
		}
		if s.drawing.Status != nil {
			line.state = s.drawing.Status.Links[i].State
		}
		s.lines = append(s.lines, line)
		for k, e := range l.Ends {
			text := s.end(e)
			text.line, text.from = i, k
			s.labels = append(s.labels, text)
		}
		if l.MTU != 0 {
			s.labels = append(s.labels, label{line: i, middle: true, small: []string{fmt.Sprintf("mtu %d", l.MTU)}})
		}
	}
}

// end is the label of an end of a link.
func (s *sketch) end(e End) label {
	text := label{name: e.Interface}
	if s.drawing.Addresses {
		text.small = texts(e.Addresses)
	}
	return text
}

// frame moves everything into the image, below its title.
func (s *sketch) frame() {
	all := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, n := range s.nodes {
		all = all.with(n)
	}
	for _, l := range s.labels {
		all = all.with(l.box)
	}
	head := margin + titleSize + 22
	move := point{X: margin - all.left, Y: head - all.top}
	s.wide = max(all.right+move.X+margin, width(s.title(), titleSize)+2*margin)
	s.tall = all.bottom + move.Y + margin
	if s.drawing.Status != nil {
		s.wide, s.tall = max(s.wide, 560), s.tall+26
	}
	move.X += (s.wide - (all.right + move.X + margin)) / 2
	for i := range s.nodes {
		s.nodes[i] = s.nodes[i].moved(move)
	}
	for i := range s.lines {
		l := &s.lines[i]
		for _, p := range []*point{&l.from, &l.to, &l.hidden[0], &l.hidden[1]} {
			*p = p.Plus(move)
		}
	}
	for i := range s.labels {
		s.labels[i].box = s.labels[i].box.moved(move)
	}
}

func (s *sketch) title() string { return "Lab " + s.topology.Name }

// colours of what is drawn: each kind's filling and border.
var fillings = map[Kind][2]string{
	KindHost:   {"#f8fafc", "#475569"},
	KindRouter: {"#dbeafe", "#1d4ed8"},
	KindSwitch: {"#dcfce7", "#15803d"},
	KindBIRD:   {"#fef3c7", "#b45309"},
	KindFRR:    {"#f3e8ff", "#7e22ce"},
}

const (
	ink, pale     = "#0f172a", "#475569"
	alive, lost   = "#16a34a", "#dc2626"
	style         = `text{font-family:"DejaVu Sans",Verdana,Arial,sans-serif;fill:` + ink + `}.l{font-size:12px;stroke:#fff;stroke-width:3px;paint-order:stroke;stroke-linejoin:round}.a{fill:` + pale + `;font-size:11px}`
	crossHalf     = 7.0
	statusRadius  = 5.5
	wordOfRouterd = "routerd"
)

// word is the name of a node's kind in a drawing.
func (k Kind) word() string {
	switch k {
	case KindRouter:
		return wordOfRouterd
	case KindBIRD:
		return "BIRD"
	case KindFRR:
		return "FRR"
	}
	return string(k)
}

func (s *sketch) render() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`+"\n", s.wide, s.tall, s.wide, s.tall)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escaped(s.title()), style)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" font-size="%.0f" font-weight="bold">%s</text>`+"\n", margin, margin+titleSize-6, titleSize, escaped(s.title()))
	for _, l := range s.lines {
		l.render(&b)
	}
	for i := range s.labels {
		s.labels[i].render(&b)
	}
	for i, n := range s.topology.Nodes {
		s.node(&b, n, s.nodes[i], i)
	}
	if s.drawing.Status != nil {
		s.legend(&b)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (l stroke) render(b *bytes.Buffer) {
	colour, dashes, thick := pale, "", 2.0
	if l.ethernet {
		thick = 3
	}
	if l.state == LinkCut || l.state == LinkMissing {
		colour, dashes = lost, ` stroke-dasharray="7 6"`
	}
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.0f"%s/>`+"\n", l.hidden[0].X, l.hidden[0].Y, l.hidden[1].X, l.hidden[1].Y, colour, thick, dashes)
	if l.state == LinkCut {
		m := l.from.Toward(l.to, 0.5)
		cross(b, m)
	}
}

// cross marks a link that is cut.
func cross(b *bytes.Buffer, at point) {
	const c = crossHalf
	fmt.Fprintf(b, `<path d="M%.1f %.1fl%.0f %.0fm0 -%.0fl-%.0f %.0f" stroke="%s" stroke-width="3.5" stroke-linecap="round"/>`+"\n", at.X-c, at.Y-c, 2*c, 2*c, 2*c, 2*c, 2*c, lost)
}

func (s *sketch) node(b *bytes.Buffer, n Node, at box, i int) {
	round := 6.0
	if n.Kind.routes() {
		round = nodeTall / 2
	}
	fill := fillings[n.Kind]
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.0f" fill="%s" stroke="%s" stroke-width="2"/>`+"\n",
		at.left, at.top, at.right-at.left, at.bottom-at.top, round, fill[0], fill[1])
	m := at.middle()
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="%.0f" font-weight="bold" text-anchor="middle">%s</text>`+"\n", m.X, m.Y, nameSize, escaped(n.Name))
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="%.0f" text-anchor="middle" style="fill:%s">%s</text>`+"\n", m.X, m.Y+15, kindSize, fill[1], n.Kind.word())
	if s.drawing.Status != nil {
		dot(b, point{X: at.right - 10, Y: at.top + 4}, s.drawing.Status.Nodes[i].Up)
	}
}

func dot(b *bytes.Buffer, at point, up bool) {
	colour := lost
	if up {
		colour = alive
	}
	fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s" stroke="#fff" stroke-width="1.5"/>`+"\n", at.X, at.Y, statusRadius, colour)
}

// legend explains the marks of the lab's state.
func (s *sketch) legend(b *bytes.Buffer) {
	y := s.tall - margin/2 - 4
	x := margin
	write := func(text string) {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="%.0f" style="fill:%s">%s</text>`+"\n", x, y, labelSize, pale, text)
		x += width(text, labelSize) + 26
	}
	for _, up := range []bool{true, false} {
		dot(b, point{X: x, Y: y - 4}, up)
		x += 12
		write(map[bool]string{true: "runs", false: "does not run"}[up])
	}
	cross(b, point{X: x, Y: y - 4})
	x += 14
	write("link cut by routerd lab link")
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // writing to a Buffer never fails
	return b.String()
}
