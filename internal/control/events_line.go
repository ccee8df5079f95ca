package control

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// eventWords are the fields of an event's object that say in words what it is
// about, of any topic.
type eventWords struct {
	State      string            `json:"state"`
	MAC        string            `json:"mac"`
	Header     string            `json:"header"`
	Sentence   string            `json:"sentence"`
	Message    string            `json:"message"`
	Attributes map[string]string `json:"attributes"`
	Routes     []Route           `json:"routes"`
	Limit      string            `json:"limit"`
	Refused    uint64            `json:"refused"`
	Changes    []Change          `json:"changes"`
}

// EventText says in one line what an event is about.
func EventText(f *EventFrame) string {
	var parts []string
	if f.Why != "" {
		parts = append(parts, f.Why)
	}
	var w eventWords
	if json.Unmarshal(f.Item, &w) != nil {
		return strings.Join(parts, ", ") // of an object that is none of these
	}
	switch {
	case w.Header != "":
		parts = append(parts, w.Header+": "+w.Sentence)
	case w.Message != "":
		parts = append(parts, w.Message)
		for _, key := range slices.Sorted(maps.Keys(w.Attributes)) {
			if key != "router" {
				parts = append(parts, key+" "+w.Attributes[key])
			}
		}
	case len(w.Routes) > 0:
		parts = append(parts, routesText(w.Routes))
	case w.Limit != "":
		parts = append(parts, fmt.Sprintf("%s, %d flows", w.Limit, w.Refused))
	case len(w.Changes) > 0:
		for _, c := range w.Changes {
			parts = append(parts, c.Kind+" "+c.Path)
		}
	case w.MAC != "":
		parts = append(parts, w.State+" at "+w.MAC)
	case w.State != "" && !strings.HasSuffix(f.Why, w.State):
		parts = append(parts, w.State)
	}
	return strings.Join(parts, ", ")
}

// routesText says which route packets are forwarded by.
func routesText(list []Route) string {
	for i := range list {
		r := &list[i]
		if !r.Installed {
			continue
		}
		var hops []string
		for _, l := range routeLines(r) {
			hops = append(hops, l.hop)
		}
		return r.Source + " " + strings.Join(hops, ", ")
	}
	return "not used: " + list[0].WhyNot
}
