package show

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Noun is one thing that a router can be asked for, or to do. H is what its
// answer is made from. A Noun without Ask is a heading: the words above others.
type Noun[H any] struct {
	Help
	// Path is its place in the API: "nat/session", "clear/rip". An action has
	// "clear/" before it.
	Path string
	// Changes: it changes the router. It is asked for by POST, by those who may.
	Changes bool
	// Usual is how many rows the command line shows unless it is asked for more;
	// 0 is all of them.
	Usual int

	// NewQuery makes a query without anything in it, NewAnswer an answer; both
	// are pointers.
	NewQuery, NewAnswer func() any
	// Ask gives the answer to a query, which is what NewQuery made: a value of the
	// type that NewAnswer points to.
	Ask func(ctx context.Context, from H, query any) (any, error)
	// Arguments reads the arguments of a command line into the query. The error
	// says what is wrong with them.
	Arguments func(query any, args []string) error
	// Check says what is wrong with a query that no parameter alone is wrong in.
	Check func(query any) error
	// Nothing is the error for a list without rows; nil where it may be empty.
	Nothing func(query any) error
	// Draw draws the whole answer; nil where it is drawn by its rows.
	Draw func(s *Screen, query, answer any)

	without []string
}

// Help is what people are told of a noun.
type Help struct {
	// Command is the last of its words on the command line, "" for that of the
	// path; Aliases are others for the same.
	Command string
	Aliases []string
	Args    string // how its arguments are written: "[PREFIX]"
	Short   string // a line without a full stop; "" for a noun without a command
	Long    string // more than Short says; "" for nothing
	Example string // lines that begin with two blanks
}

// Spec is what a Noun is made from: Q is its query, A its answer.
type Spec[H, Q, A any] struct {
	Help
	Path    string
	Changes bool
	Usual   int
	Without []string // parameters of Q that the noun does not take

	Ask       func(ctx context.Context, from H, query Q) (A, error)
	Arguments func(query *Q, args []string) error // nil: by the parameter that is the argument
	Check     func(query *Q) error
	Nothing   func(query *Q) error
	Draw      func(s *Screen, query *Q, answer *A)
}

// Noun makes the noun.
func (s Spec[H, Q, A]) Noun() Noun[H] {
	n := Noun[H]{
		Help: s.Help, Path: s.Path, Changes: s.Changes, Usual: s.Usual, without: s.Without,
		NewQuery: func() any { return new(Q) }, NewAnswer: func() any { return new(A) },
		Ask: func(ctx context.Context, from H, q any) (any, error) { return s.Ask(ctx, from, *q.(*Q)) },
	}
	if s.Arguments != nil {
		n.Arguments = func(q any, args []string) error { return s.Arguments(q.(*Q), args) }
	} else {
		n.Arguments = n.oneArgument
	}
	if s.Check != nil {
		n.Check = func(q any) error { return s.Check(q.(*Q)) }
	}
	if s.Nothing != nil {
		n.Nothing = func(q any) error { return s.Nothing(q.(*Q)) }
	}
	if s.Draw != nil {
		n.Draw = func(screen *Screen, q, a any) { s.Draw(screen, q.(*Q), a.(*A)) }
	}
	return n
}

// Heading makes the words above those nouns whose paths begin with path.
func Heading[H any](path string, help Help) Noun[H] { return Noun[H]{Path: path, Help: help} }

// On makes a noun that is answered from a G of one that is answered from an H.
func On[G, H any](n Noun[H], from func(context.Context, G) (H, error)) Noun[G] {
	g := Noun[G]{
		Help: n.Help, Path: n.Path, Changes: n.Changes, Usual: n.Usual, without: n.without, NewQuery: n.NewQuery, NewAnswer: n.NewAnswer,
		Arguments: n.Arguments, Check: n.Check, Nothing: n.Nothing, Draw: n.Draw,
	}
	if n.Ask != nil {
		g.Ask = func(ctx context.Context, host G, query any) (any, error) {
			h, err := from(ctx, host)
			if err != nil {
				return nil, err
			}
			return n.Ask(ctx, h, query)
		}
	}
	return g
}

// Parameters are those that the noun takes.
func (n *Noun[H]) Parameters() (list []Parameter) {
	if n.NewQuery == nil {
		return nil
	}
	for _, p := range Parameters(n.NewQuery()) {
		if !slices.Contains(n.without, p.Name) {
			list = append(list, p)
		}
	}
	return list
}

// Read makes a query of a URL's parameters.
func (n *Noun[H]) Read(values url.Values) (query any, err error) {
	query = n.NewQuery()
	if err := readQuery(values, query, n.Parameters()); err != nil {
		return nil, err
	}
	if n.Check != nil {
		if err := n.Check(query); err != nil {
			return nil, err
		}
	}
	return query, nil
}

// oneArgument reads the one argument that there may be.
func (n *Noun[H]) oneArgument(query any, args []string) error {
	for _, p := range n.Parameters() {
		if !p.Argument || len(args) == 0 {
			continue
		}
		if err := p.Set(query, args[0]); err != nil {
			return fmt.Errorf("%q: %w", args[0], err)
		}
	}
	return nil
}

// list is a list of rows in an answer.
type list struct {
	at   int // the field's number
	next int // that of the cursor of the page behind; -1 if it comes in one
}

// rowsOf finds the list of an answer's type, a struct; ok is false where there
// is none.
func rowsOf(t reflect.Type) (l list, ok bool) {
	l.next = -1
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _ := tagOf(f, tagName); tag.has("rows") {
			l.at, ok = i, true
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == "next" {
			l.next = i
		}
	}
	return l, ok
}

// Keys are the texts of the first column of an answer's rows.
func Keys(answer any) (keys []string) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	l, ok := rowsOf(v.Type())
	if !ok {
		return nil
	}
	t := newRowsTable(v.Field(l.at).Type().Elem(), &Screen{})
	t.add(&Screen{}, v.Field(l.at))
	for _, row := range t.rows {
		if row[0].Text != "" {
			keys = append(keys, row[0].Text)
		}
	}
	return keys
}
