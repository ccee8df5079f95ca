package control

import (
	"context"

	"routerd/internal/show"
)

// ReloadResult is what a reload has changed.
type ReloadResult struct {
	Generation uint64    `json:"generation"` // of the tables now
	Changes    []Change  `json:"changes"`
	Warnings   []Problem `json:"warnings"`
}

// DiffResult is what a reload would change.
type DiffResult struct {
	Changes  []Change  `json:"changes"`
	Warnings []Problem `json:"warnings"`
}

// Change is one difference between the running configuration and the file.
type Change struct {
	Kind   string `json:"kind"`             // added | removed | changed
	Path   string `json:"path"`             // interface.lan0.mtu
	Old    string `json:"old,omitempty"`    // absent when added
	New    string `json:"new,omitempty"`    // absent when removed
	Impact string `json:"impact,omitempty"` // what it means for traffic; absent when nothing
	Origin string `json:"origin,omitempty"`
}

// Problem is something wrong or odd in the configuration file.
type Problem struct {
	Origin  string `json:"origin"`
	Warning bool   `json:"warning"`
	Message string `json:"message"`
	Text    string `json:"text"` // the whole of it for a terminal: several lines with a caret
}

var diffNoun = show.Spec[Router, nothing, DiffResult]{
	Path: "diff",
	Ask:  func(ctx context.Context, r Router, _ nothing) (DiffResult, error) { return r.Diff(ctx) },
}.Noun()

var reloadNoun = show.Spec[Router, nothing, ReloadResult]{
	Path: "reload", Changes: true,
	Ask: func(ctx context.Context, r Router, _ nothing) (ReloadResult, error) { return r.Reload(ctx) },
}.Noun()
