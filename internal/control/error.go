package control

import (
	"fmt"
	"net/http"
)

// Error is an error as it travels: what a Router failed with, as Client gives it
// back. A Router itself fails with a show.Error, which chooses the status, or
// with this where there is more to say.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	// Problems says more where a configuration was refused.
	Problems []Problem `json:"problems,omitempty"`
	// Nouns lists what could have been asked for, where it was something else.
	Nouns []string `json:"nouns,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Refused says that a configuration cannot be applied, and why: by its
// problems, or in the message.
func Refused(problems []Problem, format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: fmt.Sprintf(format, args...), Problems: problems}
}
