package show

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"routerd/internal/access"
)

// Noun is one thing that a router shows or does. H is what its answer is made
// from. A Noun without Ask is a heading for other nouns.
type Noun[H any] struct {
	Help
	// Path is its path in the API: "nat/session", "clear/rip". That of an
	// action begins with "clear/".
	Path string
	// Changes: it changes the router. It needs POST, and a role that may: see Role.
	Changes bool
	// Takes is the role that it takes if it is not the usual one: see Role.
	Takes access.Role
	// Usual is the default number of rows on the command line; 0 means all.
	Usual int

	// NewQuery returns a pointer to an empty query, NewAnswer one to an empty
	// answer.
	NewQuery, NewAnswer func() any
	// Ask returns the answer to a query that NewQuery made: a value of the type
	// that NewAnswer points to.
	Ask func(ctx context.Context, from H, query any) (any, error)
	// Arguments parses the arguments of a command line into the query. The
	// error says what is wrong with them.
	Arguments func(query any, args []string) error
	// Check returns an error if the parameters of a query, each valid by
	// itself, do not go together.
	Check func(query any) error
	// Nothing returns the error for a list without rows; nil if it may be
	// empty.
	Nothing func(query any) error
	// Draw draws the whole answer; nil if its rows are drawn. Drawn reports whether
	// it draws the answer to a query; nil: every one.
	Draw  func(s *Screen, query, answer any)
	Drawn func(query any) bool

	without []string
}

// Help is the help text of a noun.
type Help struct {
	// Command is its last word on the command line, "" for that of the path;
	// Aliases are alternatives.
	Command string
	Aliases []string
	Args    string // how its arguments are written: "[PREFIX]"
	Short   string // one line without a full stop; "" for a noun without a command
	Long    string // a longer text than Short; "" for none
	Example string // lines that begin with two spaces
}

// Spec describes a Noun: Q is its query, A its answer.
type Spec[H, Q, A any] struct {
	Help
	Path    string
	Changes bool
	Takes   access.Role // Nobody: the usual one
	Usual   int
	Without []string // parameters of Q that the noun does not take

	Ask       func(ctx context.Context, from H, query Q) (A, error)
	Arguments func(query *Q, args []string) error // nil: the parameter that is the argument
	Check     func(query *Q) error
	Nothing   func(query *Q) error
	Draw      func(s *Screen, query *Q, answer *A)
	Drawn     func(query *Q) bool // nil: all are, if there is a Draw
}

// Noun makes the noun.
func (s Spec[H, Q, A]) Noun() Noun[H] {
	n := Noun[H]{
		Help: s.Help, Path: s.Path, Changes: s.Changes, Takes: s.Takes, Usual: s.Usual, without: s.Without,
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
	if s.Drawn != nil {
		n.Drawn = func(q any) bool { return s.Drawn(q.(*Q)) }
	}
	return n
}

// Role returns the role that the noun takes: usually read to show something, operate for
// an action that makes the router forget what it has learned, admin for any other
// change.
func (n *Noun[H]) Role() access.Role {
	switch {
	case n.Takes != access.Nobody:
		return n.Takes
	case !n.Changes:
		return access.Read
	case strings.HasPrefix(n.Path, "clear/"):
		return access.Operate
	}
	return access.Admin
}

// Heading makes a heading for the nouns whose paths begin with path.
func Heading[H any](path string, help Help) Noun[H] { return Noun[H]{Path: path, Help: help} }

// On converts a noun answered from an H to one answered from a G.
func On[G, H any](n Noun[H], from func(context.Context, G) (H, error)) Noun[G] {
	g := Noun[G]{
		Help: n.Help, Path: n.Path, Changes: n.Changes, Takes: n.Takes, Usual: n.Usual, without: n.without, NewQuery: n.NewQuery, NewAnswer: n.NewAnswer,
		Arguments: n.Arguments, Check: n.Check, Nothing: n.Nothing, Draw: n.Draw, Drawn: n.Drawn,
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

// Parameters returns the noun's parameters.
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

// Read parses a URL's parameters as a query.
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

// oneArgument parses the single optional argument.
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
	next int // number of the field with the cursor of the next page; -1 without pages
}

// rowsOf finds the list in an answer's type, a struct; ok is false if there is
// none.
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

// RowsOf returns the rows of an answer, a struct or a pointer to one.
func RowsOf(answer any) (rows []any) {
	v := reflect.Indirect(reflect.ValueOf(answer))
	if l, ok := rowsOf(v.Type()); ok {
		for i := range v.Field(l.at).Len() {
			rows = append(rows, v.Field(l.at).Index(i).Interface())
		}
	}
	return rows
}

// Keys returns the texts of the first column of an answer's rows.
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
