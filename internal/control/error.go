package control

import (
	"fmt"
	"net/http"
)

// Error is an error with an HTTP status, as a Router gives it to the server
// and as Client gives it back.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	// Problems says more where a configuration was refused.
	Problems []Problem `json:"problems,omitempty"`
	// Nouns lists what could have been asked for, where it was something else.
	Nouns []string `json:"nouns,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// BadRequest is an error of whoever asks.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that what was asked for by name does not exist.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

// Refused says that a configuration cannot be applied, and why: by its
// problems, or in the message.
func Refused(problems []Problem, format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Message: fmt.Sprintf(format, args...), Problems: problems}
}

// Unavailable says that the router cannot answer now: it is stopping.
func Unavailable(format string, args ...any) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf(format, args...)}
}
