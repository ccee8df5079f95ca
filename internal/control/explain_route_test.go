package control

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
)

// deriving is a router with other protocols than those of the fake.
type deriving struct {
	*fake
	err error // of asking for a protocol
}

func (d *deriving) Protocol(ctx context.Context, name string) (running.Protocol, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.fake.Protocol(ctx, name)
}

// Of the routes that play a part, those are derived whose protocol can say it, each
// once; what is resolved through one is among them.
func TestDerived(t *testing.T) {
	x := RouteExplanation{
		Prefixes: []PrefixDecision{
			{Prefix: pfx("203.0.113.0/24"), Routes: []Route{{Source: "ospf"}, {Source: "rip"}}},
			{Prefix: pfx("203.0.0.0/16"), Routes: []Route{{Source: "ibgp"}}},
			{Prefix: pfx("198.18.0.0/15"), Routes: []Route{{Source: "ibgp"}}},
			{Prefix: pfx("192.0.2.0/24"), Routes: []Route{{Source: "ebgp"}}},
		},
		Resolution: []ResolutionStep{{Via: pfx("10.0.2.0/24"), Source: "ospf"}, {Via: pfx("10.0.2.0/24"), Source: "ospf"}, {Via: pfx("10.9.0.0/16"), Source: "ospf"}, {Source: ""}},
		Derived:    []Derived{{Protocol: "old"}},
	}
	if err := x.derive(t.Context(), &deriving{fake: &fake{}}); err != nil {
		t.Fatal(err)
	}
	var got []netip.Prefix
	for _, d := range x.Derived {
		if got = append(got, d.Prefix); d.Protocol == "rip" || len(d.Paths) == 0 || len(d.Paths[0].Steps) == 0 {
			t.Errorf("derived %+v", d)
		}
	}
	// OSPF has no route to a third prefix, and BGP none to one that it is said to have.
	if want := []netip.Prefix{pfx("203.0.113.0/24"), pfx("10.0.2.0/24"), pfx("198.18.0.0/15"), pfx("192.0.2.0/24")}; !slices.Equal(got, want) {
		t.Errorf("derived the routes to %v, want %v", got, want)
	}
	if text := x.Derived[2].Paths[0].Steps; !strings.HasPrefix(text[0], "neighbor 10.255.0.2, of this AS, has announced it") {
		t.Errorf("steps %q, want the neighbor first", text)
	}
	if text := x.Derived[0].Paths[0].Steps; !strings.HasPrefix(text[len(text)-1], "external LSA 203.0.113.0 of 10.255.0.3") {
		t.Errorf("steps %q, want the external LSA last", text)
	}
}

// A protocol that is not spoken any more says nothing, and one that does not answer
// is an error.
func TestDerivedFails(t *testing.T) {
	x := RouteExplanation{Prefixes: []PrefixDecision{{Prefix: pfx("203.0.113.0/24"), Routes: []Route{{Source: "ospf"}}}}}
	if err := x.derive(t.Context(), &deriving{&fake{}, show.NotFound("not spoken")}); err != nil || x.Derived != nil {
		t.Errorf("%v, %+v", err, x.Derived)
	}
	stopped := errors.New("stopped")
	if err := x.derive(t.Context(), &deriving{&fake{}, stopped}); !errors.Is(err, stopped) {
		t.Errorf("a router that stops: %v", err)
	}
}
