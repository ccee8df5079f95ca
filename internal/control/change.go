package control

import (
	"context"

	"routerd/internal/show"
)

// ReloadResult is the changes of a reload.
type ReloadResult struct {
	Generation uint64    `json:"generation"` // of the tables after the reload
	Changes    []Change  `json:"changes"`
	Warnings   []Problem `json:"warnings"`
}

// DiffResult is the changes that a reload would make.
type DiffResult struct {
	Changes  []Change  `json:"changes"`
	Effects  []Effect  `json:"effects"` // on the protocols that run
	Warnings []Problem `json:"warnings"`
}

// Effect is what a reload would do to a protocol that runs, to a neighbour of it say.
type Effect struct {
	Protocol string `json:"protocol"`
	Text     string `json:"text"` // "the session with 10.0.0.2 ends and begins again"
}

// Change is one difference between the running configuration and the file.
type Change struct {
	Kind   string `json:"kind"`             // added | removed | changed
	Path   string `json:"path"`             // interface.lan0.mtu
	Old    string `json:"old,omitempty"`    // absent when added
	New    string `json:"new,omitempty"`    // absent when removed
	Impact string `json:"impact,omitempty"` // effect on traffic; absent if none
	Origin string `json:"origin,omitempty"`
}

// Problem is an error or a warning in the configuration file.
type Problem struct {
	Origin  string `json:"origin"`
	Warning bool   `json:"warning"`
	Message string `json:"message"`
	Text    string `json:"text"` // the full text for a terminal: several lines with a caret
}

var diffNoun = show.Spec[Router, nothing, DiffResult]{
	Path: "diff",
	Ask:  func(ctx context.Context, r Router, _ nothing) (DiffResult, error) { return r.Diff(ctx) },
}.Noun()

var reloadNoun = show.Spec[Router, nothing, ReloadResult]{
	Path: "reload", Changes: true,
	Ask: func(ctx context.Context, r Router, _ nothing) (ReloadResult, error) {
		return r.Reload(ctx, matchFrom(ctx))
	},
}.Noun()
