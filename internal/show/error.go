package show

import (
	"fmt"
	"net/http"
)

// Error is an error with an HTTP status.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// BadRequest returns an error of the client.
func BadRequest(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// NotFound returns an error for a name that does not exist.
func NotFound(format string, args ...any) error {
	return &Error{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// TooMany returns an error for a request beyond a limit.
func TooMany(format string, args ...any) error {
	return &Error{http.StatusTooManyRequests, fmt.Sprintf(format, args...)}
}

// Unavailable returns an error for a router that is stopping.
func Unavailable(format string, args ...any) error {
	return &Error{http.StatusServiceUnavailable, fmt.Sprintf(format, args...)}
}
