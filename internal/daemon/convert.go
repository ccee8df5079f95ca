package daemon

import (
	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/origin"
)

// changesOf converts changes of config.Diff to those of the API.
func changesOf(changes []config.Change) []control.Change {
	list := []control.Change{}
	for _, c := range changes {
		x := control.Change{Kind: c.Kind, Path: c.Path, Old: c.Old, New: c.New, Impact: c.Impact}
		if c.Origin != (origin.Place{}) {
			x.Origin = c.Origin.String()
		}
		list = append(list, x)
	}
	return list
}

// problemsOf converts errors and warnings about a file.
func problemsOf(problems []config.Problem) []control.Problem {
	list := []control.Problem{}
	for _, p := range problems {
		list = append(list, control.Problem{Origin: p.Place.String(), Warning: p.Warning, Message: p.Message, Text: p.String()})
	}
	return list
}
