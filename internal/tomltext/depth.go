package tomltext

import "strings"

// maxDepth is how many levels of tables and lists may stand in each other. No
// text that routerd reads needs ten; one that nests without end would take the
// decoder memory by the square of its depth, and its stack.
const maxDepth = 64

// depthScan follows how deep the keys and values of a text nest, without
// knowing whether it is valid: it counts, and nothing it meets can stop it.
type depthScan struct {
	text   string
	at     int
	header int   // keys in the latest [header]
	dots   int   // of the key that is being read
	value  bool  // behind the equals sign, where a dot is no level
	open   []int // the dots of the key before each bracket that is open
	below  int   // levels that these brackets and their keys make
}

// tooDeep gives the first place that is more than maxDepth levels deep.
func tooDeep(text string) (s span, deep bool) {
	d := depthScan{text: text, open: make([]int, 0, maxDepth+1)}
	lineStart := true // nothing but blanks so far
	for d.at < len(text) {
		c := text[d.at]
		first := lineStart && len(d.open) == 0
		lineStart = c == '\n' || lineStart && (c == ' ' || c == '\t')
		switch c {
		case '#':
			d.skipTo('\n')
			continue
		case '"', '\'':
			d.skipString(c)
			continue
		case '\n':
			if len(d.open) == 0 {
				d.dots, d.value = 0, false
			}
		case '[':
			if first {
				d.readHeader()
				break
			}
			d.push(true)
		case '{':
			d.push(false)
		case ']', '}':
			d.pop()
		case ',':
			d.dots, d.value = 0, d.listOpen()
		case '=':
			d.value = true
		case '.':
			if !d.value {
				d.dots++
			}
		}
		if d.header+d.below+d.dots+1 > maxDepth {
			return span{d.at, d.at + 1}, true
		}
		d.at++
	}
	return span{}, false
}

// readHeader takes the levels of a [header], which begins here, and stays
// before its end.
func (d *depthScan) readHeader() {
	d.header, d.dots = 1, 0
	for d.at++; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case '"', '\'':
			d.skipString(c)
			d.at--
		case '.':
			if d.header++; d.header > maxDepth {
				return
			}
		case ']', '\n', '#':
			d.at--
			return
		}
	}
}

func (d *depthScan) push(list bool) {
	// A list is marked by a negative number, of which -1 is no dot.
	dots := d.dots
	if list {
		dots = -1 - dots
	}
	d.open = append(d.open, dots)
	d.below += d.dots + 1
	d.dots, d.value = 0, list
}

func (d *depthScan) pop() {
	if len(d.open) == 0 {
		return
	}
	last := d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
	if last < 0 {
		last = -1 - last
	}
	d.below -= last + 1
	d.dots, d.value = last, true
}

func (d *depthScan) listOpen() bool { return len(d.open) > 0 && d.open[len(d.open)-1] < 0 }

func (d *depthScan) skipTo(c byte) {
	if n := strings.IndexByte(d.text[d.at:], c); n >= 0 {
		d.at += n
		return
	}
	d.at = len(d.text)
}

// skipString goes behind a string of any of the four kinds; one on a single
// line ends at the latest with the line.
func (d *depthScan) skipString(quote byte) {
	long := strings.Repeat(string(quote), 3)
	several := strings.HasPrefix(d.text[d.at:], long)
	if d.at++; several {
		d.at += 2
	}
	for d.at < len(d.text) {
		switch c := d.text[d.at]; {
		case c == '\\' && quote == '"':
			d.at++
		case c == '\n' && !several:
			return
		case c == quote && !several:
			d.at++
			return
		case c == quote && strings.HasPrefix(d.text[d.at:], long):
			for d.at < len(d.text) && d.text[d.at] == quote { // up to two more belong to the string
				d.at++
			}
			return
		}
		d.at++
	}
}
