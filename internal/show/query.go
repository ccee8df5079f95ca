package show

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The tag query:"NAME,OPTION..." of a field of a query makes it a parameter of
// the URL and a flag of the command line. help:"..." is the help text of the
// flag, with the name of its value in <>. Fields of embedded structs count as
// the query's own. The options:
//
//	arg            an argument on the command line, not a flag
//	api            in the URL only
//	max=N          the maximum; the default is that of the type
//	alias=NAME     another name of the flag
//	complete=PATH  shell completion offers the keys of that noun's rows: the texts of
//	               their first column
//
// Fields are strings, numbers, bools, comma-separated lists of strings,
// addresses, prefixes, and types whose pointer is a Value. A zero field means
// that it was not given.
const queryTag = "query"

// Value is a field of a query that parses itself. The error of Set begins with
// "wanted"; String returns "" if it was not given.
type Value interface {
	fmt.Stringer
	Set(text string) error
}

// Offering is a Value with its own shell completion.
type Offering interface {
	Offered() []string
}

// Parameter is one parameter of a query.
type Parameter struct {
	Name     string
	Help     string
	Argument bool   // an argument on the command line
	API      bool   // in the URL only
	Alias    string // another name of the flag, "" for none
	Complete string // the path of the noun whose keys it may be; "" for none
	max      int64
	index    []int
}

var parameters sync.Map // of a reflect.Type

// Parameters returns the parameters of a query, a struct or a pointer to one,
// in order.
func Parameters(query any) []Parameter {
	t := reflect.Indirect(reflect.ValueOf(query)).Type()
	if known, ok := parameters.Load(t); ok {
		return known.([]Parameter)
	}
	var list []Parameter
	for _, f := range reflect.VisibleFields(t) {
		tag, given := tagOf(f, queryTag)
		if !given {
			continue
		}
		p := Parameter{
			Name: tag.name, Help: f.Tag.Get("help"), Argument: tag.has("arg"), API: tag.has("api"),
			Alias: tag.options["alias"], Complete: tag.options["complete"], index: f.Index, max: greatest(f.Type.Kind()),
		}
		if m, err := strconv.ParseInt(tag.options["max"], 10, 64); err == nil {
			p.max = m
		}
		list = append(list, p)
	}
	parameters.Store(t, list)
	return list
}

func greatest(k reflect.Kind) int64 {
	switch k {
	case reflect.Uint8:
		return math.MaxUint8
	case reflect.Uint16:
		return math.MaxUint16
	case reflect.Uint32:
		return math.MaxUint32
	}
	return math.MaxInt64
}

// readQuery parses the parameters of a URL into the query. A parameter that is
// unknown, repeated or invalid is a BadRequest; of several errors the first in
// the order of the query is reported.
func readQuery(values url.Values, query any, parameters []Parameter) error {
	var known []string
	for _, p := range parameters {
		known = append(known, p.Name)
		v := values[p.Name]
		if len(v) > 1 {
			return BadRequest("parameter %s is given %d times, wanted once", p.Name, len(v))
		}
		if len(v) == 0 || v[0] == "" {
			continue
		}
		if err := p.Set(query, v[0]); err != nil {
			return BadRequest("parameter %s is %q, %v", p.Name, v[0], err)
		}
	}
	for name := range values {
		switch {
		case slices.Contains(known, name):
		case known == nil:
			return BadRequest("unknown parameter %q: there are none here", name)
		default:
			return BadRequest("unknown parameter %q, wanted one of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// Values returns the given parameters of a query for a URL.
func Values(query any) url.Values {
	v := url.Values{}
	for _, p := range Parameters(query) {
		if text := p.Text(query); text != "" {
			v.Set(p.Name, text)
		}
	}
	return v
}

func (p *Parameter) field(query any) reflect.Value {
	return reflect.Indirect(reflect.ValueOf(query)).FieldByIndex(p.index)
}

// Text returns the parameter's value in the query, "" if not given.
func (p *Parameter) Text(query any) string {
	v := p.field(query)
	if v.IsZero() {
		return ""
	}
	if v.Kind() == reflect.Slice {
		return strings.Join(v.Interface().([]string), ",")
	}
	if t := reflect.PointerTo(v.Type()); t.Implements(stringer) {
		c := reflect.New(v.Type())
		c.Elem().Set(v)
		return c.Interface().(fmt.Stringer).String()
	}
	return fmt.Sprint(v.Interface())
}

// Set parses a text as the parameter of the query, to which query points. The
// error says what is valid.
func (p *Parameter) Set(query any, text string) error {
	f := p.field(query)
	switch at := f.Addr().Interface().(type) {
	case Value:
		return at.Set(text)
	case *netip.Addr:
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return errors.New("wanted an address such as 10.0.0.1")
		}
		*at = a.Unmap()
		return nil
	case *netip.Prefix:
		pfx, err := netip.ParsePrefix(text)
		if err != nil {
			return errors.New("wanted a prefix such as 10.0.0.0/8")
		}
		*at = pfx.Masked()
		return nil
	case *[]string:
		*at = nil
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*at = append(*at, name)
			}
		}
		return nil
	}
	switch {
	case f.Kind() == reflect.String:
		f.SetString(text)
	case f.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("wanted true or false")
		}
		f.SetBool(text == "true")
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > p.max {
			return fmt.Errorf("wanted a number from 0 to %d", p.max)
		}
		if f.CanUint() {
			f.SetUint(uint64(n))
		} else {
			f.SetInt(n)
		}
	}
	return nil
}

// Offered returns the parameter's shell completions that need no router.
func (p *Parameter) Offered(query any) []string {
	if o, ok := p.field(query).Addr().Interface().(Offering); ok {
		return o.Offered()
	}
	return nil
}

// Flag returns the parameter as a flag of the command line that sets the query.
func (p *Parameter) Flag(query any) *Flag { return &Flag{p, query} }

// Flag is a flag of a command line. It implements pflag's Value.
type Flag struct {
	parameter *Parameter
	query     any
}

// Set parses the flag.
func (f *Flag) Set(text string) error { return f.parameter.Set(f.query, text) }

// String returns the flag's value, "" if not given.
func (f *Flag) String() string {
	if f.parameter == nil {
		return ""
	}
	return f.parameter.Text(f.query)
}

// Type is the name of the value in help texts.
func (f *Flag) Type() string { return f.parameter.Name }

// Switch reports whether the flag has no value.
func (f *Flag) Switch() bool { return f.parameter.field(f.query).Kind() == reflect.Bool }

// Family is an address family in a query: 4, 6, or 0 for both.
type Family int

// Set implements Value.
func (f *Family) Set(text string) error {
	switch text {
	case "4", "6":
		*f = Family(text[0] - '0')
		return nil
	}
	return errors.New("wanted 4 or 6")
}

func (f *Family) String() string {
	if *f == 0 {
		return ""
	}
	return strconv.Itoa(int(*f))
}

// Has reports whether a is of the family.
func (f Family) Has(a netip.Addr) bool { return f == 0 || (f == 4) == a.Is4() }

// Subnet is a range of addresses in a query: a prefix, or one address.
type Subnet struct{ netip.Prefix }

// Set implements Value.
func (s *Subnet) Set(text string) error {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		s.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return errors.New("wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8")
	}
	s.Prefix = p.Masked()
	return nil
}

// Type returns the type of the parameter's value in the query, and the greatest
// number if it is one.
func (p *Parameter) Type(query any) (t reflect.Type, most int64) {
	return p.field(query).Type(), p.max
}
