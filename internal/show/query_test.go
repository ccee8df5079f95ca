package show

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type colour string

func (c *colour) Set(text string) error {
	if text != "red" && text != "blue" {
		return errors.New("wanted red or blue")
	}
	*c = colour(text)
	return nil
}

func (c *colour) String() string  { return string(*c) }
func (*colour) Offered() []string { return []string{"red", "blue"} }

type where struct {
	Interface string `query:"interface,complete=interface" help:"only on the interface <NAME>"`
}

type question struct {
	where
	Prefix netip.Prefix `query:"prefix,arg"`
	Addr   netip.Addr   `query:"address"`
	Sub    Subnet       `query:"subnet"`
	Family Family       `query:"family,api"`
	Colour colour       `query:"colour,alias=color"`
	All    bool         `query:"all"`
	Names  []string     `query:"names"`
	TTL    uint8        `query:"ttl"`
	Port   uint16       `query:"port"`
	Tag    uint32       `query:"tag"`
	Size   int          `query:"size,max=100"`
	After  uint32       `query:"after,api"`
	Limit  int          `query:"limit,api,max=10000"`
}

func asking(t *testing.T, text string) (question, error) {
	t.Helper()
	v, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	n := Spec[int, question, rowless]{Check: func(q *question) error {
		if q.All && q.Names != nil {
			return BadRequest("all and names")
		}
		return nil
	}}.Noun()
	q, err := n.Read(v)
	if err != nil {
		return question{}, err
	}
	return *q.(*question), nil
}

type rowless struct {
	N int `json:"n"`
}

var full = question{
	where: where{"lan0"}, Prefix: netip.MustParsePrefix("10.0.0.0/8"), Addr: netip.MustParseAddr("10.0.0.1"),
	Sub: Subnet{netip.MustParsePrefix("192.0.2.7/32")}, Family: 6, Colour: "red", Names: []string{"a", "b"},
	TTL: 255, Port: 65535, Tag: 4294967295, Size: 100, After: 7, Limit: 10000,
}

const fullText = "interface=lan0&prefix=10.0.0.9/8&address=::ffff:10.0.0.1&subnet=192.0.2.7&family=6&colour=red&names=a,+b&ttl=255&port=65535&tag=4294967295&size=100&after=7&limit=10000"

func TestReadQuery(t *testing.T) {
	equal := cmp.Options{cmp.AllowUnexported(question{}, where{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	for text, want := range map[string]question{
		"":                  {},
		"interface=&prefix": {},
		"all=true":          {All: true},
		"all=false":         {},
		fullText:            full,
	} {
		got, err := asking(t, text)
		if d := cmp.Diff(want, got, equal); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, d)
		}
		again, err := asking(t, Values(&want).Encode())
		if d := cmp.Diff(want, again, equal); err != nil || d != "" {
			t.Errorf("%s, written and read again: %v (-want +got):\n%s", text, err, d)
		}
	}
	for text, want := range map[string]string{
		"prefix=10.0.0.0":            `parameter prefix is "10.0.0.0", wanted a prefix such as 10.0.0.0/8`,
		"address=fe80::1%25eth0":     `parameter address is "fe80::1%eth0", wanted an address such as 10.0.0.1`,
		"subnet=lan0":                `parameter subnet is "lan0", wanted an address or a prefix: 10.0.0.1, 10.0.0.0/8`,
		"family=5":                   `parameter family is "5", wanted 4 or 6`,
		"colour=green":               `parameter colour is "green", wanted red or blue`,
		"all=yes":                    `parameter all is "yes", wanted true or false`,
		"ttl=256":                    `parameter ttl is "256", wanted a number from 0 to 255`,
		"port=65536":                 `parameter port is "65536", wanted a number from 0 to 65535`,
		"tag=4294967296":             `parameter tag is "4294967296", wanted a number from 0 to 4294967295`,
		"size=-1":                    `parameter size is "-1", wanted a number from 0 to 100`,
		"limit=x":                    `parameter limit is "x", wanted a number from 0 to 10000`,
		"interface=a&interface=b":    "parameter interface is given 2 times, wanted once",
		"inner=1":                    `unknown parameter "inner", wanted one of interface, prefix, address, subnet, family, colour, all, names, ttl, port, tag, size, after, limit`,
		"color=red":                  `unknown parameter "color", wanted one of `,
		"all=true&names=a":           "all and names",
		"prefix=x&family=5&nobody=1": `parameter prefix is "x"`,
	} {
		_, err := asking(t, text)
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A noun takes no more than its parameters, and one argument where it has one.
func TestNounParameters(t *testing.T) {
	spec := Spec[int, question, rowless]{
		Path: "x", Without: []string{"after", "limit"},
		Ask: func(_ context.Context, n int, _ question) (rowless, error) { return rowless{n}, nil },
	}
	n := On(spec.Noun(), func(_ context.Context, text string) (int, error) {
		if text == "" {
			return 0, NotFound("nothing")
		}
		return len(text), nil
	})
	if _, err := n.Read(url.Values{"limit": {"1"}}); err == nil || strings.Contains(err.Error(), "size, after") {
		t.Errorf("a parameter that the noun does not take: %v", err)
	}
	var q question
	if err := n.Arguments(&q, []string{"10.0.0.0/8"}); err != nil || q.Prefix != full.Prefix {
		t.Errorf("the argument: %v, %v", q.Prefix, err)
	}
	if err := n.Arguments(&q, []string{"lan0"}); err == nil || err.Error() != `"lan0": wanted a prefix such as 10.0.0.0/8` {
		t.Errorf("a wrong argument: %v", err)
	}
	if answer, err := n.Ask(t.Context(), "four", &q); err != nil || answer != (rowless{4}) {
		t.Errorf("asked: %v, %v", answer, err)
	}
	if _, err := n.Ask(t.Context(), "", &q); err == nil || err.Error() != "nothing" {
		t.Errorf("asked of what is not there: %v", err)
	}
	for _, p := range n.Parameters() {
		f := p.Flag(&q)
		if f.Switch() != (p.Name == "all") || f.Type() != p.Name {
			t.Errorf("the flag of %s: %t, %s", p.Name, f.Switch(), f.Type())
		}
		if offered := p.Offered(&q); (len(offered) == 2) != (p.Name == "colour") {
			t.Errorf("%s offers %q", p.Name, offered)
		}
	}
}

func FuzzReadQuery(f *testing.F) {
	f.Add(fullText)
	f.Add("all=true&names=,")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var q, again question
		if readQuery(v, &q, Parameters(&q)) != nil {
			return
		}
		if err := readQuery(Values(&q), &again, Parameters(&q)); err != nil {
			t.Fatalf("%q, written as %q: %v", text, Values(&q).Encode(), err)
		}
		if Values(&q).Encode() != Values(&again).Encode() {
			t.Errorf("%q became %q", Values(&q).Encode(), Values(&again).Encode())
		}
	})
}
