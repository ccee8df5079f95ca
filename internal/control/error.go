package control

import (
	"fmt"
	"net/http"
)

// Error is an error as Client returns it. A Router returns a show.Error, which
// has a status, or an Error if there are details.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	// Problems has the problems of a refused configuration.
	Problems []Problem `json:"problems,omitempty"`
	// Nouns has the existing nouns if an unknown one was asked for.
	Nouns []string `json:"nouns,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Refused means that a configuration cannot be applied. Its problems or the
// message say why.
func Refused(problems []Problem, format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: fmt.Sprintf(format, args...), Problems: problems}
}
