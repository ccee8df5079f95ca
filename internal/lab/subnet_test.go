package lab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What cannot be meant of addresses is a warning at its place, and the lab comes
// up all the same.
func TestOddAddresses(t *testing.T) {
	const head = "name = \"x\"\nnode = { h1 = { kind = \"host\" }, h2 = { kind = \"host\" }, r1 = { kind = \"router\" }, r2 = { kind = \"router\" }, s = { kind = \"switch\" } }\n"
	pair := func(a, b string) string {
		return fmt.Sprintf("[[link]]\nendpoints = [\"r1:a\", \"r2:b\"]\naddresses = { \"r1:a\" = [%s], \"r2:b\" = [%s] }\n", a, b)
	}
	const lan = "[[link]]\nendpoints = [\"s:1\", \"h1:e\"]\naddresses = { \"h1:e\" = [\"%s\"] }\n" +
		"[[link]]\nendpoints = [\"r1:e\", \"s:2\"]\naddresses = { \"r1:e\" = [\"10.0.0.1/24\"] }\n" +
		"[[link]]\nendpoints = [\"s:3\", \"h2:e\"]\naddresses = { \"h2:e\" = [\"10.0.0.3/24\"] }\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"one subnet", pair(`"10.0.0.1/24", "2001:db8::1/64"`, `"10.0.0.2/24", "2001:db8::2/64"`), nil},
		{"two of two", pair(`"10.0.0.0/31"`, `"10.0.0.1/31"`), nil},
		{"a second subnet", pair(`"10.9.0.1/24", "10.0.0.1/24"`, `"10.0.0.2/24"`), nil},
		{"one end alone", pair(`"10.0.0.1/24"`, ``), nil},
		{"another family", pair(`"10.0.0.1/24"`, `"2001:db8::1/64"`), nil},
		{"host addresses", pair(`"10.0.0.1/32"`, `"10.0.1.2/32"`), nil},
		{"link-local ones", pair(`"fe80::1/64", "2001:db8::1/64"`, `"fe80::2/64"`), nil},
		{"a lan", fmt.Sprintf(lan, "10.0.0.2/24"), nil},
		{"the same address", pair(`"10.0.0.1/24"`, `"10.0.0.1/24"`), []string{
			`5:51+13: link[1].addresses."r2:b"[1] is "10.0.0.1/24", and r1:a has that address too; want an address of its own for each end`,
		}},
		{"the same one of another length", pair(`"10.0.0.1/24"`, `"10.0.0.1/16"`), []string{
			`5:25+13: link[1].addresses."r1:a"[1] is "10.0.0.1/24", in another subnet than that of r2:b, "10.0.0.1/16"; want one subnet for all that reach each other without a router, like 10.0.0.0/16`,
			`5:51+13: link[1].addresses."r2:b"[1] is "10.0.0.1/16", and r1:a has that address too; want an address of its own for each end`,
			`5:51+13: link[1].addresses."r2:b"[1] is "10.0.0.1/16", in another subnet than that of r1:a, "10.0.0.1/24"; want one subnet for all that reach each other without a router, like 10.0.0.0/24`,
		}},
		{"two subnets of one family", pair(`"10.0.0.1/24", "2001:db8::1/64"`, `"10.0.0.2/24", "2001:db8:1::2/64"`), []string{
			`5:40+16: link[1].addresses."r1:a"[2] is "2001:db8::1/64", in another subnet than that of r2:b, "2001:db8:1::2/64"; want one subnet for all that reach each other without a router, like 2001:db8:1::/64`,
			`5:84+18: link[1].addresses."r2:b"[2] is "2001:db8:1::2/64", in another subnet than that of r1:a, "2001:db8::1/64"; want one subnet for all that reach each other without a router, like 2001:db8::/64`,
		}},
		{"a stranger on a lan", fmt.Sprintf(lan, "10.1.0.2/24"), []string{
			`5:25+13: link[1].addresses."h1:e"[1] is "10.1.0.2/24", in another subnet than that of r1:e, "10.0.0.1/24"; want one subnet for all that reach each other without a router, like 10.0.0.0/24`,
		}},
		{"an address that two on a lan have", fmt.Sprintf(lan, "10.0.0.3/24"), []string{
			`11:25+13: link[3].addresses."h2:e"[1] is "10.0.0.3/24", and h1:e has that address too; want an address of its own for each end`,
		}},
	} {
		_, doc, err := decodeText("lab.toml", []byte(head+c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, p := range doc.Problems() {
			if !p.Warning {
				t.Errorf("%s: %v is no warning", c.name, p)
			}
			got = append(got, brief(p))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestUpWarnsOfOddAddresses(t *testing.T) {
	needsRoot(t)
	b := newBench(t, strings.Replace(linkedRouters, "mtu = 1400", `addresses = { "r1:right" = ["10.0.0.1/24"], "r2:left" = ["10.0.0.1/24"] }`, 1))
	if said, want := b.up(), b.path+":8:58: warning: "; !strings.HasPrefix(said, want) {
		t.Errorf("up said:\n%s\nwant first: %s", said, want)
	}
}
