package show

import (
	"fmt"
	"net/http"
)

// Error is an error with the HTTP status that says whose it is.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// BadRequest is an error of whoever asks.
func BadRequest(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// NotFound says that what was asked for by name does not exist.
func NotFound(format string, args ...any) error {
	return &Error{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// Unavailable says that the router cannot answer now: it is stopping.
func Unavailable(format string, args ...any) error {
	return &Error{http.StatusServiceUnavailable, fmt.Sprintf(format, args...)}
}
