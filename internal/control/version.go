package control

import (
	"context"
	"fmt"
	"time"

	"routerd/internal/show"
)

// Version describes the answering router. The binary knows the first three
// fields; the router fills in the rest.
type Version struct {
	Version    string    `json:"version"`            // "devel" where nobody gave one
	Revision   string    `json:"revision,omitempty"` // of the source; absent when unknown
	GoVersion  string    `json:"go_version"`
	Name       string    `json:"name"` // the router's own
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Uptime     float64   `json:"uptime"`                // seconds
	Generation uint64    `json:"generation"`            // of the tables in use
	LocalStack string    `json:"local_stack,omitempty"` // network namespace of the router's own TCP/IP stack; absent if there is none
	// HTTPS are the addresses of the API over HTTPS; absent if there are none.
	HTTPS []WebAddress `json:"https,omitempty"`
}

// WebAddress is an address of the API over HTTPS.
type WebAddress struct {
	URL  string `json:"url"`
	Pin  string `json:"pin"`  // of the key that is shown now, "sha256:" and base64
	Curl string `json:"curl"` // a command that asks there; $TOKEN is the caller's
}

var versionNoun = show.Spec[Router, nothing, Version]{
	Path: "version",
	Help: show.Help{Short: "Which router answers, and since when"},
	Ask:  func(ctx context.Context, r Router, _ nothing) (Version, error) { return r.Version(ctx) },
	Draw: func(s *show.Screen, _ *nothing, v *Version) { v.draw(s) },
}.Noun()

func (v *Version) draw(s *show.Screen) {
	what := v.Version
	if v.Revision != "" {
		what += " (" + v.Revision + ")"
	}
	uptime := time.Duration(v.Uptime * float64(time.Second))
	if !s.Wide {
		uptime = uptime.Round(time.Second)
	}
	for _, line := range [][2]string{
		{"router", v.Name},
		{"version", what},
		{"built with", v.GoVersion},
		{"pid", fmt.Sprint(v.PID)},
		{"started", fmt.Sprintf("%s, %v ago", v.Started.Local().Format(time.RFC3339), uptime)},
		{"tables", fmt.Sprintf("generation %d", v.Generation)},
	} {
		fmt.Fprintf(s, "%s  %s\n", s.Paint(fmt.Sprintf("%-10s", line[0]), show.Bold), line[1])
	}
	for _, w := range v.HTTPS {
		fmt.Fprintf(s, "%s  %s, pin %s\n            %s\n", s.Paint(fmt.Sprintf("%-10s", "https"), show.Bold), w.URL, w.Pin, w.Curl)
	}
}
