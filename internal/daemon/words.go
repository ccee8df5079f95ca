package daemon

import (
	"routerd/config"
	"routerd/internal/control"
	"routerd/internal/origin"
)

// changesOf says in the API's words what config.Diff found.
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

// problemsOf does the same for what is wrong or odd in a file.
func problemsOf(problems []config.Problem) []control.Problem {
	list := []control.Problem{}
	for _, p := range problems {
		list = append(list, control.Problem{Origin: p.Place.String(), Warning: p.Warning, Message: p.Message, Text: p.String()})
	}
	return list
}
