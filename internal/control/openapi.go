package control

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"routerd/internal/access"
	"routerd/internal/show"
)

// object is one of a JSON document.
type object = map[string]any

// openAPI returns the description of the API as an OpenAPI 3.0 document: the nouns
// with their parameters, roles and answers, and what is no noun. It is made of the
// nouns and the types of their answers, so it is what is served.
var openAPI = sync.OnceValue(func() []byte {
	text, err := json.Marshal(describeAPI(Nouns()))
	if err != nil {
		panic(err) // it has only maps, lists and texts
	}
	return append(text, '\n')
})

const openAPIPath = "/v1/openapi.json"

func describeAPI(nouns []Noun) object {
	s := schemas{}
	refusal := s.of(reflect.TypeFor[Error]())
	failed := object{"description": "Why not. The status says which kind of fault it is.", "content": jsonOf(refusal)}
	paths := object{}
	for i := range nouns {
		n := &nouns[i]
		if n.Ask == nil {
			continue
		}
		method, operation := "get", s.operation(n)
		if n.Changes {
			method = "post"
		}
		operation["responses"].(object)["default"] = failed
		paths["/v1/"+n.Path] = object{method: operation}
	}
	maps.Copy(paths, s.others(failed))
	return object{
		"openapi": "3.0.3",
		"info": object{
			"title": "routerd", "version": "v1",
			"description": "The API of one router. Fields are only ever added; times are RFC 3339 in UTC, durations are seconds. x-role is the lowest role that may.",
		},
		"paths": paths,
		"components": object{
			"schemas": object(s),
			"securitySchemes": object{
				"token":   object{"type": "http", "scheme": "bearer", "description": "routerd token add makes one: rtd_ID_SECRET"},
				"session": object{"type": "apiKey", "in": "cookie", "name": SessionCookie, "description": "of a browser, which POST /v1/login opens"},
			},
		},
		// A unix socket and a client's certificate take neither.
		"security": []object{{"token": []string{}}, {"session": []string{}}, {}},
	}
}

// operation describes a noun.
func (s schemas) operation(n *Noun) object {
	answer := reflect.TypeOf(n.NewAnswer()).Elem()
	content := jsonOf(s.of(answer))
	if row, listed := n.Row(); listed && !n.Changes {
		ending := s.of(reflect.TypeFor[Ending]())
		content[LinesType] = object{"schema": object{"description": "A row a line, and an ending in the last one.", "anyOf": []object{s.of(row), ending}}}
	}
	o := object{
		"operationId": strings.ReplaceAll(n.Path, "/", "-"),
		"x-role":      n.Role().String(),
		"responses":   object{"200": object{"description": "The answer.", "content": content}},
	}
	if n.Short != "" {
		o["summary"] = n.Short
	}
	if n.Long != "" {
		o["description"] = n.Long
	}
	var list []object
	query := n.NewQuery()
	for _, p := range n.Parameters() {
		list = append(list, described(&p, query))
	}
	if n.Changes {
		list = append(list, header("If-Match", "the ETag of GET /v1/config: refused (412) once another configuration runs"),
			header("Idempotency-Key", "the change is made once for each key in an hour, and a repeat gets the first answer"))
	}
	if list != nil {
		o["parameters"] = list
	}
	return o
}

func header(name, says string) object {
	return object{"name": name, "in": "header", "description": says, "schema": object{"type": "string"}}
}

// described describes a parameter of the URL.
func described(p *show.Parameter, query any) object {
	t, most := p.Type(query)
	schema := object{"type": "string"}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[show.Value]()):
	case t.Kind() == reflect.Bool:
		schema["type"] = "boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		schema["type"], schema["minimum"] = "integer", 0
		if most > 0 && most < 1<<53 {
			schema["maximum"] = most
		}
	}
	o := object{"name": p.Name, "in": "query", "schema": schema}
	if p.Help != "" {
		o["description"] = strings.NewReplacer("<", "", ">", "").Replace(p.Help)
	}
	return o
}

func jsonOf(schema object) object { return object{"application/json": object{"schema": schema}} }

// others describes what is no noun.
func (s schemas) others(failed object) object {
	get := func(says string, content object, more ...object) object {
		o := object{"summary": says, "x-role": access.Read.String(), "responses": object{"200": object{"description": "The answer.", "content": content}, "default": failed}}
		if more != nil {
			o["parameters"] = more
		}
		return object{"get": o}
	}
	text := func(kind string) object { return object{kind: object{"schema": object{"type": "string"}}} }
	param := func(name, says string, schema object) object {
		return object{"name": name, "in": "query", "description": says, "schema": schema}
	}
	words := object{"type": "array", "items": object{"type": "string"}}
	health := s.of(reflect.TypeFor[Health]())
	paths := object{
		"/v1":       get("The nouns, with their parameters", jsonOf(s.of(reflect.TypeFor[Index]()))),
		openAPIPath: get("This document", jsonOf(object{"type": "object"})),
		"/metrics":  get("Counters and states for Prometheus", text("text/plain")),
		"/healthz":  get("Whether the process serves, without asking the router", jsonOf(health)),
		"/readyz":   get("Whether the router forwards, without waiting for it", jsonOf(health)),
		"/v1/events": get("What happens, as it happens: a frame a line, or by WebSocket (subprotocol "+Subprotocol+")", text(LinesType),
			param(paramTopic, "a topic, repeated for each; absent: all", words), param(paramKey, "an object's key, repeated for each; absent: all", words),
			param(paramSnapshot, "the objects first", object{"type": "boolean"}), param(paramAfter, "a cursor, to go on behind it", object{"type": "string"})),
	}
	profile := get("A profile of the process: of goroutines as text, else as go tool pprof reads it", object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}},
		object{"name": "kind", "in": "query", "required": true, "schema": object{"type": "string", "enum": []string{"goroutine", "heap", "cpu"}}},
		param("seconds", "how long a profile of cpu takes", object{"type": "integer", "minimum": 1, "maximum": maxCPUSeconds}))
	profile["get"].(object)["x-role"] = access.Admin.String()
	paths[profilePath] = profile
	for _, open := range []string{"/healthz", "/readyz"} {
		o := paths[open].(object)["get"].(object)
		delete(o, "x-role")
		o["security"] = []object{}
	}
	secret := func(name string) object {
		return object{"type": "object", "required": []string{name}, "properties": object{name: object{"type": "string"}}}
	}
	done := object{"204": object{"description": "Done."}, "default": failed}
	paths["/v1/login"] = object{"post": object{
		"summary": "Opens a browser's session for a one-time code or a token, over HTTPS", "security": []object{}, "responses": done,
		"requestBody": object{"required": true, "content": jsonOf(object{"oneOf": []object{secret("code"), secret("token")}})},
	}}
	paths["/v1/logout"] = object{"post": object{"summary": "Ends a browser's session", "security": []object{{"session": []string{}}}, "responses": done}}
	return paths
}

// serveOpenAPI answers with the description of the API.
func serveOpenAPI(w http.ResponseWriter, req *http.Request) (reply, error) {
	if !reads(req) {
		return reply{}, wrongMethod(w, req, http.MethodGet)
	}
	return reply{status: http.StatusOK, body: openAPI()}, nil
}
