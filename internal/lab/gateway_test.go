package lab

import (
	"net/netip"
	"slices"
	"testing"
)

// via gives routes of pairs of a destination and a gateway.
func via(pairs ...string) (routes []Route) {
	for i := 0; i < len(pairs); i += 2 {
		routes = append(routes, Route{netip.MustParsePrefix(pairs[i]), netip.MustParseAddr(pairs[i+1])})
	}
	return routes
}

// A host beside others, on a switch or at the other end of a veth pair.
func TestGateway(t *testing.T) {
	const nodes = `name = "x"
node = { sw = { kind = "switch" }, h = { kind = "host" }, g = { kind = "host" }, a = { kind = "router" }, b = { kind = "router" }, d = { kind = "bird", config = "x" } }
`
	const host = `[[link]]
endpoints = ["h:eth0", "sw:h"]
addresses = { "h:eth0" = ["10.0.1.9/24", "2001:db8:1::9/64"] }
`
	link := func(node, address string) string {
		return "[[link]]\nendpoints = [\"sw:" + node + "\", \"" + node + ":lan\"]\naddresses = { \"" + node + ":lan\" = [" + address + "] }\n"
	}
	for _, c := range []struct {
		name, links string
		want        []Route
	}{
		{"nobody", host, nil},
		{"the first of two routers", host + link("a", `"10.0.1.1/24"`) + link("b", `"10.0.1.2/24", "2001:db8:1::2/64"`), via("0.0.0.0/0", "10.0.1.1", "::/0", "2001:db8:1::2")},
		{"another host is none", host + link("g", `"10.0.1.1/24"`), nil},
		{"one in another subnet is none", host + link("a", `"10.0.2.1/24"`) + link("b", `"10.0.1.2/24"`), via("0.0.0.0/0", "10.0.1.2")},
		{"daemons of others", host + link("d", `"10.0.1.3/24"`), via("0.0.0.0/0", "10.0.1.3")},
		{"the far end of a pair", `[[link]]
endpoints = ["d:lan", "h:eth0"]
addresses = { "h:eth0" = ["10.0.1.9/24"], "d:lan" = ["10.0.1.3/24"] }
`, via("0.0.0.0/0", "10.0.1.3")},
		{"what the file says", host + "routes = { \"h:eth0\" = [\"10.0.0.0/8\"] }\n" + link("a", `"10.0.1.1/24", "2001:db8:1::1/64"`), via("10.0.0.0/8", "10.0.1.1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			topology := decode(t, nodes+c.links)
			var end End
			for _, l := range topology.Links {
				for _, e := range l.Ends {
					if e.Node == "h" {
						end = e
					}
				}
			}
			if got := routes(topology, end); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
