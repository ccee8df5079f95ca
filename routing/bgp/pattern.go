package bgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"routerd/routing/bgp/wire"
)

// PathPattern is a regular expression about AS paths. It is matched against the path
// as [wire.Path] writes it, anywhere in it, and an underscore stands for the
// beginning, the end and whatever separates AS numbers, as Cisco began and all others
// have it. Any number of goroutines may use one.
//
// It is compiled to a table of states, so that matching costs one step for each
// character of the path, and allocates nothing.
type PathPattern struct {
	text string
	// next is the state after each letter of each state.
	next []uint16
	// accepts says of each state whether a path that ends there matches.
	accepts []bool
}

// letters is what paths are written with.
const letters = "0123456789 ,{}()[]"

const numLetters = len(letters)

// separators is what an underscore stands for besides both ends, in a class.
const separators = ` ,{}()\[\]`

// Indices of letters.
const (
	letterSpace      = 10
	letterComma      = 11
	letterBrace      = 12
	letterEndBrace   = 13
	letterParen      = 14
	letterEndParen   = 15
	letterBracket    = 16
	letterEndBracket = 17
)

const (
	maxPatternStates = 4096
	stateMatched     = 0 // whatever follows
	stateStart       = 1 // nothing was read

	operators = `0123456789 ,{}()[]_.^$*+?|-\`
	escapable = `.^$*+?|-\{}()[] ,`
)

// CompilePath compiles a pattern. An error says what is wrong with it.
func CompilePath(text string) (*PathPattern, error) {
	translated, err := translate(text)
	if err != nil {
		return nil, fmt.Errorf("AS path pattern %q: %w", text, err)
	}
	parsed, err := syntax.Parse(translated, syntax.ClassNL|syntax.OneLine)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		// Of what it quotes, nobody has written the translation.
		return nil, fmt.Errorf("AS path pattern %q: %s", text, e.Code)
	}
	if err != nil {
		return nil, fmt.Errorf("AS path pattern %q: %w", text, err)
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("AS path pattern %q: %w", text, err)
	}
	p := &PathPattern{text: text}
	if !p.build(prog) {
		return nil, fmt.Errorf("AS path pattern %q: more than %d states; repetitions make it too large", text, maxPatternStates)
	}
	return p, nil
}

// translate replaces underscores, and refuses what no path is written with.
func translate(text string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.IndexByte(operators, c) < 0:
			return "", fmt.Errorf("%q at place %d: AS paths are written with digits, spaces, commas and brackets", c, i+1)
		case c == '\\':
			if i++; i == len(text) || strings.IndexByte(escapable, text[i]) < 0 {
				return "", fmt.Errorf("a backslash at place %d that stands before nothing that needs one", i)
			}
			b.WriteByte(c)
			b.WriteByte(text[i])
		case c == '(' && !class && i+1 < len(text) && text[i+1] == '?':
			return "", fmt.Errorf("a group that begins with a question mark at place %d", i+1)
		case c == '_' && class:
			b.WriteString(separators)
		case c == '_':
			b.WriteString(`(^|[` + separators + `]|$)`)
		default:
			if c == '[' && !class {
				class = true
				// A bracket that ends it does not if it is the first one.
				if strings.HasPrefix(text[i+1:], "^]") {
					b.WriteString(`[^\]`)
					i += 2
					continue
				} else if strings.HasPrefix(text[i+1:], "]") {
					b.WriteString(`[\]`)
					i++
					continue
				}
			} else if c == ']' {
				class = false
			}
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// String is the pattern as it was written.
func (p *PathPattern) String() string { return p.text }

// sets are the states while they are made: which instructions of the program a path may
// be at.
type sets struct {
	prog   *syntax.Prog
	number map[string]uint16
	list   [][]uint32
	marks  []bool
}

// build makes the table, and reports false if it would be too large.
func (p *PathPattern) build(prog *syntax.Prog) bool {
	s := &sets{prog: prog, number: map[string]uint16{}, marks: make([]bool, len(prog.Inst))}
	s.list = append(s.list, nil) // stateMatched
	s.state([]uint32{uint32(prog.Start)}, syntax.EmptyBeginText)
	for i := 0; i < len(s.list); i++ {
		if len(s.list) > maxPatternStates {
			return false
		}
		row := make([]uint16, numLetters)
		for l := range numLetters {
			if i == stateMatched {
				break
			}
			var to []uint32
			for _, pc := range s.list[i] {
				if inst := &prog.Inst[pc]; isRune(inst) && inst.MatchRune(rune(letters[l])) {
					to = append(to, inst.Out)
				}
			}
			// It may begin anywhere.
			row[l] = s.state(append(to, uint32(prog.Start)), 0)
		}
		p.next = append(p.next, row...)
		from, flags := s.list[i], syntax.EmptyEndText
		if i == stateStart {
			from, flags = []uint32{uint32(prog.Start)}, flags|syntax.EmptyBeginText
		}
		_, matched := s.closure(from, flags)
		p.accepts = append(p.accepts, i == stateMatched || matched)
	}
	if len(s.list) == 1 { // it matches whatever the path is
		p.next = append(p.next, make([]uint16, numLetters)...)
		p.accepts = append(p.accepts, true)
	}
	return true
}

func isRune(i *syntax.Inst) bool {
	switch i.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// state gives the number of the state of being at any of the instructions.
func (s *sets) state(at []uint32, flags syntax.EmptyOp) uint16 {
	set, matched := s.closure(at, flags)
	if matched {
		return stateMatched
	}
	var key []byte
	for _, pc := range set {
		key = binary.BigEndian.AppendUint32(key, pc)
	}
	n, ok := s.number[string(key)]
	if !ok {
		n = uint16(len(s.list))
		s.list = append(s.list, set)
		// The state before anything was read is its own: only there is a beginning.
		if flags&syntax.EmptyBeginText == 0 {
			s.number[string(key)] = n
		}
	}
	return n
}

// closure gives the instructions that wait for a letter or for the end and are reached
// without one, in order, and whether the program matches on the way.
func (s *sets) closure(at []uint32, flags syntax.EmptyOp) (set []uint32, matched bool) {
	clear(s.marks)
	stack := slices.Clone(at)
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.marks[pc] {
			continue
		}
		s.marks[pc] = true
		inst := &s.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, inst.Out)
		case syntax.InstEmptyWidth:
			need := syntax.EmptyOp(inst.Arg)
			if need&^flags == 0 {
				stack = append(stack, inst.Out)
			} else if need&^flags == syntax.EmptyEndText {
				set = append(set, pc)
			}
		case syntax.InstMatch:
			matched = true
		case syntax.InstFail:
		default:
			set = append(set, pc)
		}
	}
	slices.Sort(set)
	return set, matched
}

// Match reports whether a path matches.
func (p *PathPattern) Match(path wire.Path) bool {
	state, first := uint16(stateStart), true
	step := func(letter int) { state = p.next[int(state)*numLetters+letter] }
	for s := range path.Segments {
		if !first {
			step(letterSpace)
		}
		first = false
		begin, between, end := -1, letterSpace, -1
		switch s.Type {
		case wire.SegmentSet:
			begin, between, end = letterBrace, letterComma, letterEndBrace
		case wire.SegmentConfedSequence:
			begin, end = letterParen, letterEndParen
		case wire.SegmentConfedSet:
			begin, between, end = letterBracket, letterComma, letterEndBracket
		}
		if begin >= 0 {
			step(begin)
		}
		for i := range s.Len() {
			if i > 0 {
				step(between)
			}
			var digits [10]byte
			at := len(digits)
			for as := s.AS(i); ; as /= 10 {
				at--
				digits[at] = byte(as % 10)
				if as < 10 {
					break
				}
			}
			for _, d := range digits[at:] {
				step(int(d))
			}
			if state == stateMatched {
				return true
			}
		}
		if end >= 0 {
			step(end)
		}
	}
	return p.accepts[state]
}
