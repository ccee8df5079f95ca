package lab

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// The file as TOML has it, before anything is checked.
type (
	rawTopology struct {
		Name string             `toml:"name"`
		Node map[string]rawNode `toml:"node"`
		Link []rawLink          `toml:"link"`
		Test []rawTest          `toml:"test"`
	}
	rawNode struct {
		Kind   string         `toml:"kind"`
		Config map[string]any `toml:"config"`
	}
	rawLink struct {
		Endpoints []string            `toml:"endpoints"`
		Addresses map[string][]string `toml:"addresses"`
		Routes    map[string][]string `toml:"routes"`
		MTU       *int                `toml:"mtu"`
	}
	rawTest struct {
		Name    string    `toml:"name"`
		Node    string    `toml:"node"`
		Run     string    `toml:"run"`
		Exit    int       `toml:"exit"`
		Expect  list      `toml:"expect"`
		Reject  list      `toml:"reject"`
		Tool    list      `toml:"tool"`
		Timeout string    `toml:"timeout"`
		Within  string    `toml:"within"`
		Show    bool      `toml:"show"`
		Serve   *rawServe `toml:"serve"`
	}
	rawServe struct {
		Node string `toml:"node"`
		Run  string `toml:"run"`
		Port int    `toml:"port"`
	}
)

// list takes one string or an array of them.
type list []string

// UnmarshalTOML implements toml.Unmarshaler.
func (l *list) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		*l = list{v}
		return nil
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("want a string or a list of strings, found %v in the list", e)
			}
			*l = append(*l, s)
		}
		return nil
	}
	return fmt.Errorf("want a string or a list of strings, not %v", v)
}

// schema lists every key there is: * stands for a name or an index, and **
// for whatever follows.
var schema = []string{
	"name",
	"node.*.kind", "node.*.config.**",
	"link.*.endpoints.*", "link.*.addresses.*.*", "link.*.routes.*.*", "link.*.mtu",
	"test.*.name", "test.*.node", "test.*.run", "test.*.exit",
	"test.*.expect.*", "test.*.reject.*", "test.*.tool.*",
	"test.*.timeout", "test.*.within", "test.*.show",
	"test.*.serve.node", "test.*.serve.run", "test.*.serve.port",
}

// Pattern is a regular expression in which ^ and $ match at every line.
type Pattern struct{ *regexp.Regexp }

// Decode reads a topology. Its error is a Problems: every mistake that the
// file makes, except that a syntax error or a value of the wrong type ends
// the reading.
func Decode(file string, data []byte) (*Topology, error) {
	p := newPlaces(file, data)
	var raw rawTopology
	meta, err := toml.Decode(string(data), &raw)
	if err != nil {
		return nil, Problems{p.syntax(err)}
	}
	c := checker{places: p}
	c.unknown()
	t := c.topology(&raw, order(meta))
	if len(c.problems) > 0 {
		c.problems.sort()
		return nil, c.problems
	}
	return t, nil
}

// order lists the names of the nodes as they come in the file.
func order(meta toml.MetaData) []string {
	var names []string
	seen := map[string]bool{}
	for _, key := range meta.Keys() {
		if len(key) > 1 && key[0] == "node" && !seen[key[1]] {
			seen[key[1]] = true
			names = append(names, key[1])
		}
	}
	return names
}

// syntax turns what the TOML library says into a Problem.
func (p *places) syntax(err error) Problem {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return p.mistyped(err)
	}
	message := parse.Message
	if parse.LastKey != "" && !strings.Contains(message, parse.LastKey) {
		message += " (at or after " + parse.LastKey + ")"
	}
	return p.problem(place{parse.Position.Line, max(1, parse.Position.Col)}, message)
}

// The library puts the place of a wrong type into the text of its error only.
var wrongType = regexp.MustCompile(`^toml: line (\d+) \(last key "(.*?)"\): incompatible types: TOML value has type (.*); destination has type (.*)$`)

func (p *places) mistyped(err error) Problem {
	found := wrongType.FindStringSubmatch(err.Error())
	if found == nil {
		return Problem{File: p.file, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	line, _ := strconv.Atoi(found[1])
	key := found[2][strings.LastIndex(found[2], ".")+1:]
	at := place{line, 1}
	if line > 0 && line <= len(p.lines) {
		at.column = 1 + max(0, strings.Index(p.lines[line-1], key))
	}
	return p.problem(at, fmt.Sprintf("%s has type %s: want %s", key, found[3], found[4]))
}
