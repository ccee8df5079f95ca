package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Extension is a key that a protocol adds to the match or the set of a
// statement, or to both, for the attributes that its own routes have. It is
// registered by the package that joins the protocol to the router.
type Extension struct {
	// Name is the key: "community".
	Name string
	// Want says in words what a value is, for who has written another one.
	Want string
	// Sets is the table of [policy] that has values of Match by name, and the key of a
	// statement's match that names them: "community-set"; "" for none.
	Sets string
	// Match makes a condition of a value in a statement's match, Set a change of
	// one in its set; nil where the key does not stand there. The value is a
	// string, int64, float64, bool, []any or map[string]any of these, and is not
	// changed later. An error says what is wrong with it.
	Match func(value any) (Condition, error)
	Set   func(value any) (Change, error)
	// Depends is what of a route Match and Set look at besides its Attributes.
	Depends Depends
}

// Condition is what a statement matches by. Any number of goroutines use one.
type Condition interface {
	// Holds reports whether it holds for r, and never where r has no Attributes
	// of its protocol. It allocates nothing.
	Holds(r *Route) bool
	// Miss says in words why it does not hold: "its community is 65000:1, not
	// 65000:2".
	Miss(r *Route) string
}

// Change is what a statement does to a route. Any number of goroutines use one.
type Change interface {
	// Apply makes it, and reports whether it is one for r, which it leaves alone
	// otherwise. Other routes may have the same Attributes: whoever changes some
	// gives r others, and sets AttributesSet.
	Apply(r *Route) bool
	// String says what it does: "community = 65000:2".
	String() string
}

// The keys that policies have without any protocol.
var (
	ownMatch = []string{"prefix-set", "protocol", "tag", "metric", "next-hop", "family"}
	ownSet   = []string{"metric", "metric-add", "tag", "next-hop"}
)

// extensions are those registered, by name.
var extensions = map[string]*Extension{}

// Register adds the keys to what statements may say. It is called while packages
// are initialized, and panics for a key that there is already or that nothing can
// be done with.
func Register(list ...Extension) {
	for _, e := range list {
		switch {
		case e.Name == "" || e.Want == "":
			panic(fmt.Sprintf("registering the policy key %q: it has no name, or does not say what a value is", e.Name))
		case e.Match == nil && e.Set == nil:
			panic(fmt.Sprintf("registering the policy key %q: it stands neither in match nor in set", e.Name))
		case e.Match == nil && e.Sets != "":
			panic(fmt.Sprintf("registering the policy key %q: it has sets and does not stand in match", e.Name))
		case extensions[e.Name] != nil:
			panic(fmt.Sprintf("registering the policy key %q: it is registered already", e.Name))
		case e.Match != nil && slices.Contains(ownMatch, e.Name), e.Set != nil && slices.Contains(ownSet, e.Name):
			panic(fmt.Sprintf("registering the policy key %q: policies have one of that name themselves", e.Name))
		}
		extensions[e.Name] = &e
	}
}

// Extensions gives what is registered, sorted by name.
func Extensions() []Extension {
	var list []Extension
	for _, e := range extensions {
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b Extension) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Registered is a registered key of a statement with its value.
type Registered struct {
	Name  string
	Value any // see Extension
}

// String is key and value, as people read it: "community 65000:1 65000:2".
func (v Registered) String() string {
	text := fmt.Sprint(v.Value)
	if _, list := v.Value.([]any); list {
		text = strings.Trim(text, "[]")
	}
	return v.Name + " " + text
}

// registered is a condition of a protocol's.
type registered struct {
	Condition
	on Depends
}

func (c registered) holds(r *Route) bool  { return c.Holds(r) }
func (c registered) miss(r *Route) string { return c.Miss(r) }
func (c registered) families() families   { return both }
func (c registered) depends() Depends     { return c.on }

// registeredChange is a change of a protocol's.
type registeredChange struct {
	Change
	on Depends
}

func (c registeredChange) apply(r *Route) bool { return c.Apply(r) }
func (c registeredChange) depends() Depends    { return c.on }

// registered compiles what a statement says by registered keys.
func (k *compiler) registered(s *statement, c *Statement) {
	for _, v := range c.Match.Registered {
		e := extensions[v.Name]
		if e == nil || e.Match == nil {
			k.wrong(s.origin, fmt.Sprintf("statement %s matches by %q, which no protocol knows", s.name, v.Name), "a key that there is")
			continue
		}
		cond, err := e.Match(v.Value)
		if err != nil {
			k.wrong(s.origin, fmt.Sprintf("statement %s matches by %s: %v", s.name, v, err), e.Want)
			continue
		}
		s.conditions = append(s.conditions, registered{cond, e.Depends | OnAttributes})
	}
	for _, v := range c.Set.Registered {
		e := extensions[v.Name]
		if e == nil || e.Set == nil {
			k.wrong(s.origin, fmt.Sprintf("statement %s sets %q, which no protocol knows", s.name, v.Name), "a key that there is")
			continue
		}
		change, err := e.Set(v.Value)
		if err != nil {
			k.wrong(s.origin, fmt.Sprintf("statement %s sets %s: %v", s.name, v, err), e.Want)
			continue
		}
		s.changes = append(s.changes, registeredChange{change, e.Depends | OnAttributes})
	}
}
