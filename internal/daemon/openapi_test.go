package daemon

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"routerd/internal/access"
)

// everyProtocol is a configuration in which there is something of everything, behind
// that of a site's interfaces.
const everyProtocol = `
[nat]
max-sessions = 1000
[[nat.source]]
name = "out"
outbound-interface = "lan1"
translation = "masquerade"
[nat.pool.cgn]
addresses = ["203.0.113.32-203.0.113.39"]
[rip.interface.lan0]
[ripng.interface.lan0]
[ospf]
[ospf.interface.lan0]
area = 0
network = "point-to-point"
[ospf.interface.lan1]
area = 0
[bgp]
as = 65001
router-id = "10.255.0.1"
networks = ["10.0.1.0/24"]
[bgp.neighbor."10.0.2.2"]
peer-as = 65002
[bfd.peer."10.0.2.2"]
[static]
route = [{ prefix = "192.0.2.0/24", next-hop = "10.0.1.2" }, { prefix = "198.51.100.0/24", action = "blackhole" }]
[[policy.definition.all.statement]]
action = "accept"
`

// What a router answers that speaks every protocol, and has forwarded, translated and
// dropped packets, is what it says of itself in OpenAPI; so are its refusals.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := newSite(t)
	s.listenAt("", everyProtocol)
	s.start()
	s.addToken(access.Read)
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Fatal(err)
	}
	_ = s.ping(0, "198.51.100.9") // is dropped
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", s.socket()) },
	}}
	ask := func(path string) (int, []byte) {
		t.Helper()
		resp, err := client.Get("http://routerd" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	_, text := ask("/v1/openapi.json")
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	no := false
	for _, schema := range doc.Components.Schemas {
		if len(schema.Value.Properties) > 0 {
			schema.Value.AdditionalProperties.Has = &no
		}
	}
	queries := map[string]string{
		"/v1/explain/packet": "in=lan0&src=10.0.1.2&dst=10.0.2.2&protocol=udp&dst_port=53", "/v1/explain/route": "address=192.0.2.7",
		"/v1/explain/policy": "policy=all&prefix=192.0.2.0/24",
	}
	answered := 0
	check := func(path, query string) {
		t.Helper()
		status, body := ask(path + "?" + query)
		content := doc.Paths.Find(path).Get.Responses
		response := content.Status(status)
		if response == nil {
			response = content.Default()
		} else {
			answered++
		}
		var v any
		err := json.Unmarshal(body, &v)
		if err == nil {
			err = response.Value.Content.Get("application/json").Schema.Value.VisitJSON(v, openapi3.MultiErrors())
		}
		if err != nil {
			t.Errorf("GET %s?%s: %d %v in %.2000s", path, query, status, err, body)
		}
		if queries[path] == query && query != "" && status != http.StatusOK {
			t.Errorf("GET %s?%s: %d %s", path, query, status, body)
		}
	}
	for _, path := range doc.Paths.InMatchingOrder() {
		get := doc.Paths.Find(path).Get
		if get == nil || strings.HasPrefix(path, "/v1/events") || path == "/metrics" || path == "/v1/profile" {
			continue
		}
		check(path, queries[path])
		check(path, "no-such-parameter=x")
	}
	if want := 30; answered < want {
		t.Errorf("%d answers that are no refusals, want %d or more", answered, want)
	}
	if doc.Paths.Find("/v1/interface").Get.Responses.Status(200).Value.Content.Get("application/json").Schema.Value.VisitJSON("lan0") == nil {
		t.Error("a text passes for a list of interfaces")
	}
}
