package control

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// loadAPI returns the served description as an independent reader understands it.
func loadAPI(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	no := false
	for _, s := range doc.Components.Schemas {
		if len(s.Value.Properties) > 0 {
			s.Value.AdditionalProperties.Has = &no // nothing is served that is not described
		}
	}
	return doc
}

// conforms checks an answer by the description of its path.
func conforms(doc *openapi3.T, path string, status int, body []byte) error {
	item := doc.Paths.Find(path)
	if item == nil {
		return os.ErrNotExist
	}
	operation := item.Get
	if operation == nil {
		operation = item.Post
	}
	response := operation.Responses.Status(status)
	if response == nil {
		response = operation.Responses.Default()
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return response.Value.Content.Get("application/json").Schema.Value.VisitJSON(v, openapi3.MultiErrors())
}

// The description is one of OpenAPI, every noun is in it with its role and its
// parameters, and the golden answers are as it says.
func TestOpenAPI(t *testing.T) {
	h := newHandler(&fake{}, Options{})
	status, body := get(t, h, http.MethodGet, openAPIPath)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	golden(t, "openapi.json", indented(t, body))
	if status, _ := get(t, h, http.MethodPost, openAPIPath); status != http.StatusMethodNotAllowed {
		t.Errorf("POST %s: %d", openAPIPath, status)
	}
	doc := loadAPI(t, body)
	checked := 0
	for _, n := range Nouns() {
		if n.Ask == nil {
			continue
		}
		item := doc.Paths.Find("/v1/" + n.Path)
		if item == nil {
			t.Errorf("/v1/%s is not described", n.Path)
			continue
		}
		operation := item.Get
		if n.Changes {
			operation = item.Post
		}
		if operation == nil || operation.Extensions["x-role"] != n.Role().String() {
			t.Errorf("/v1/%s is described as %+v, want the role %v", n.Path, operation, n.Role())
			continue
		}
		for _, p := range n.Parameters() {
			if operation.Parameters.GetByInAndName("query", p.Name) == nil {
				t.Errorf("/v1/%s: the parameter %s is not described", n.Path, p.Name)
			}
		}
		text, err := os.ReadFile(filepath.Join("testdata", strings.ReplaceAll(n.Path, "/", "-")+".json"))
		if err != nil {
			continue // it has another name
		}
		checked++
		if err := conforms(doc, "/v1/"+n.Path, http.StatusOK, text); err != nil {
			t.Errorf("the golden answer of %s: %v", n.Path, err)
		}
	}
	if checked < 40 {
		t.Errorf("only %d golden answers were found", checked)
	}
	for path, want := range map[string]int{"/v1": 200, "/v1/route?limit=x": 400, "/v1/route": 200} {
		status, body := get(t, h, http.MethodGet, path)
		short, _, _ := strings.Cut(path, "?")
		if err := conforms(doc, short, status, body); err != nil || status != want {
			t.Errorf("GET %s: %d, %v in %s", path, status, err, body)
		}
	}
	// A check that finds nothing wrong with anything would not be one.
	if err := conforms(doc, "/v1/version", 200, []byte(`{"name":1,"more":2}`)); err == nil {
		t.Error("an answer with a wrong type and an unknown field passes")
	}
}
