package topology

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the style
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// CSS is the style of a drawing, for a page that has the drawing in it.
//
//go:embed topology.css
var CSS string

// StyleHash is the source expression by which a Content-Security-Policy allows the style
// in a drawing.
func StyleHash() string {
	sum := sha256.Sum256([]byte(CSS))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// SVG draws a map whose nodes have places. A bare drawing has no style of its own: it is
// for a page with CSS.
//
// Each node and each link is a group with the class of its kind and of its health, and
// with its ID as data-id. What names it has is escaped.
func (m *Map) SVG(bare bool) []byte {
	var b bytes.Buffer
	title := "The network around " + m.Router
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="topology" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-labelledby="topology-title topology-desc">`+"\n", m.Wide, m.Tall, m.Wide, m.Tall)
	fmt.Fprintf(&b, "<title id=\"topology-title\">%s</title>\n<desc id=\"topology-desc\">%s</desc>\n", escaped(title), escaped(m.summary()))
	if !bare {
		fmt.Fprintf(&b, "<style>%s</style>\n", CSS)
	}
	b.WriteString(`<rect class="ground" width="100%" height="100%"/>` + "\n")
	beside, room := m.beside(), m.labels()
	for i := range m.Links {
		m.drawLink(&b, &m.Links[i], beside[i], room)
	}
	for i := range m.Nodes {
		m.Nodes[i].draw(&b)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// summary says in a sentence what is to be seen.
func (m *Map) summary() string {
	routers, networks, down := 0, 0, 0
	for _, n := range m.Nodes {
		switch n.Kind {
		case KindRouter:
			routers++
		case KindNetwork:
			networks++
		}
	}
	for _, l := range m.Links {
		if l.Health == Down {
			down++
		}
	}
	text := fmt.Sprintf("%s, %s and %s; %s down.", count(routers, "other router"), count(networks, "network"), count(len(m.Links), "link"), fmt.Sprintf("%d of the links", down))
	if m.LeftOut > 0 {
		text += fmt.Sprintf(" %s had no room.", count(m.LeftOut, "node"))
	}
	if m.LinksLeftOut > 0 {
		text += fmt.Sprintf(" %s had no room.", count(m.LinksLeftOut, "link"))
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// beside says how far aside of the straight line each link is drawn, since several may
// run between two nodes.
func (m *Map) beside() []float64 {
	pair := func(l *Link) [2]string { return [2]string{min(l.From, l.To), max(l.From, l.To)} }
	all, drawn := map[[2]string]int{}, map[[2]string]int{}
	for i := range m.Links {
		all[pair(&m.Links[i])]++
	}
	list := make([]float64, len(m.Links))
	const apart = 26.0
	for i := range m.Links {
		p := pair(&m.Links[i])
		list[i] = (float64(drawn[p]) - float64(all[p]-1)/2) * apart
		if m.Links[i].From != p[0] {
			list[i] = -list[i] // aside is seen from the other end
		}
		drawn[p]++
	}
	return list
}

func (m *Map) drawLink(b *bytes.Buffer, l *Link, aside float64, room *labels) {
	from, to := m.Node(l.From), m.Node(l.To)
	if from == nil || to == nil {
		return
	}
	p, q := Point{from.X, from.Y}, Point{to.X, to.Y}
	way := q.Minus(p)
	long := max(way.Length(), 1)
	shift := Point{-way.Y, way.X}.Times(aside / long)
	p, q = p.Plus(shift), q.Plus(shift)
	fmt.Fprintf(b, `<g class="link %s %s" data-id="%s"><title>%s</title><line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`,
		l.Kind, l.Health, escaped(l.ID), escaped(m.linkTitle(l)), p.X, p.Y, q.X, q.Y)
	start, end := edge(way), 1-edge(way)
	between := func(parts ...float64) []float64 {
		for i := range parts {
			parts[i] = start + (end-start)*parts[i]
		}
		return parts
	}
	classes, lines := l.texts()
	if len(lines) > 0 {
		on := room.place(p, q, between(0.5, 0.4, 0.6, 0.3, 0.7), lines)
		fmt.Fprintf(b, `<rect class="plate" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, on.X-on.Wide/2, on.Y-on.Tall/2, on.Wide, on.Tall)
		for i, line := range lines {
			drawText(b, classes[i], on.X, on.Y-on.Tall/2+float64(i+1)*lineTall-3, line)
		}
	}
	for _, cost := range []struct {
		text string
		at   []float64
	}{
		{costText(l.CostFrom), between(0.15, 0.1, 0.22, 0.28)},
		{costText(l.CostTo), between(0.85, 0.9, 0.78, 0.72)},
	} {
		if cost.text != "" {
			on := room.place(p, q, cost.at, []string{cost.text})
			drawText(b, "cost", on.X, on.Y+4, cost.text)
		}
	}
	b.WriteString("</g>\n")
}

// texts are what is written on a link, line by line, each with its class.
func (l *Link) texts() (classes, lines []string) {
	if l.Kind != LinkInterface {
		return nil, nil
	}
	add := func(class, text string) {
		if text != "" {
			classes, lines = append(classes, class), append(lines, text)
		}
	}
	add("interface", l.Interface)
	switch r := l.Rates; {
	case l.Health == Down:
		add("interface", cmp.Or(l.State, "down"))
	case r != nil:
		add("rate", "in "+Rate(r.Received))
		add("rate", "out "+Rate(r.Sent))
	}
	return classes, lines
}

func drawText(b *bytes.Buffer, class string, x, y float64, words string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, escaped(words))
}

// edge says which part of the way between two middles a node covers.
func edge(way Point) float64 {
	across := math.Inf(1)
	if way.X != 0 {
		across = min(across, nodeWide/2/math.Abs(way.X))
	}
	if way.Y != 0 {
		across = min(across, nodeTall/2/math.Abs(way.Y))
	}
	return min(across, 0.4)
}

func costText(c *uint32) string {
	if c == nil {
		return ""
	}
	return fmt.Sprint(*c)
}

// Rate is a number of bits a second in words: "912 Mbit/s".
func Rate(bits float64) string {
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}
	unit := 0
	for bits >= 999.5 && unit < len(units)-1 {
		bits /= 1000
		unit++
	}
	digits := 0
	if unit > 0 && bits < 9.995 {
		digits = 2
	} else if unit > 0 && bits < 99.95 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, bits, units[unit])
}

// linkTitle says all of a link.
func (m *Map) linkTitle(l *Link) string {
	parts := []string{m.Node(l.From).Name + " to " + m.Node(l.To).Name}
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add("interface %s", l.Interface)
	add("%s", l.Prefix)
	add("%s", cmp.Or(l.State, string(l.Health)))
	add("%s", l.Why)
	add("cost %s", strings.Trim(costText(l.CostFrom)+" there, "+costText(l.CostTo)+" back", " "))
	if l.CostFrom == nil || l.CostTo == nil {
		parts = parts[:len(parts)-1]
		add("cost %s", costText(l.CostFrom)+costText(l.CostTo))
	}
	if l.Stations > 0 {
		parts = append(parts, count(l.Stations, "station"))
	}
	return strings.Join(parts, ", ")
}

func (n *Node) draw(b *bytes.Buffer) {
	round := 8.0
	if n.Kind == KindNetwork {
		round = nodeTall / 2
	}
	fmt.Fprintf(b, `<g class="node %s %s" data-id="%s"><title>%s</title><rect x="%.1f" y="%.1f" width="%.0f" height="%.0f" rx="%.0f"/>`,
		n.Kind, n.Health, escaped(n.ID), escaped(n.title()), n.X-nodeWide/2, n.Y-nodeTall/2, nodeWide, nodeTall, round)
	detail := n.detail()
	name := n.Y - 3
	if detail == "" {
		name = n.Y + 4
	}
	fmt.Fprintf(b, `<text class="name" x="%.1f" y="%.1f">%s</text>`, n.X, name, escaped(short(n.Name, 20)))
	if detail != "" {
		fmt.Fprintf(b, `<text class="detail" x="%.1f" y="%.1f">%s</text>`, n.X, n.Y+14, escaped(short(detail, 25)))
	}
	if n.Health != "" {
		fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="5.5"/>`, n.Health, n.X+nodeWide/2-8, n.Y-nodeTall/2+2)
	}
	b.WriteString("</g>\n")
}

// detail is the second line of a node.
func (n *Node) detail() string {
	switch {
	case n.Kind == KindSelf && n.RouterID.IsValid():
		return n.RouterID.String()
	case n.Kind == KindNetwork && n.Stations > 0:
		prefix := ""
		if n.Prefix.IsValid() && n.Name != n.Prefix.String() {
			prefix = n.Prefix.String() + ", "
		}
		return prefix + count(n.Stations, "station")
	case n.Kind == KindNetwork && n.Prefix.IsValid() && n.Name != n.Prefix.String():
		return n.Prefix.String()
	case n.Kind != KindRouter:
		return ""
	}
	var parts, protocols []string
	if n.AS != 0 {
		parts = append(parts, fmt.Sprintf("AS %d", n.AS))
	}
	for _, s := range n.Sessions {
		if word := strings.ToUpper(s.Protocol); !strings.Contains(strings.Join(protocols, " ")+" ", word+" ") {
			protocols = append(protocols, word)
		}
	}
	if len(protocols) > 0 {
		parts = append(parts, strings.Join(protocols, " "))
	}
	if len(parts) == 0 && len(n.Areas) > 0 {
		parts = append(parts, "area "+strings.Join(n.Areas, " "))
	}
	return strings.Join(parts, ", ")
}

// title says all of a node.
func (n *Node) title() string {
	parts := []string{n.Name}
	if d := n.detail(); d != "" {
		parts = append(parts, d)
	}
	if len(n.Roles) > 0 {
		parts = append(parts, strings.ToUpper(strings.Join(n.Roles, " ")))
	}
	for _, s := range n.Sessions {
		parts = append(parts, strings.TrimSpace(strings.ToUpper(s.Protocol)+" with "+s.Address.String()+" "+cmp.Or(s.State, string(s.Health))))
	}
	return strings.Join(parts, ", ")
}

// short is a text of at most so many letters.
func short(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // writing to a Buffer never fails
	return b.String()
}
