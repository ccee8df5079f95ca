package control

import "net/http"

// health answers /healthz and /readyz, to anybody and without asking the router:
// the first while the process serves, the second while the router forwards.
func health(h http.Handler, ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var err error
		switch req.URL.Path {
		case "/healthz":
		case "/readyz":
			err = ready()
		default:
			h.ServeHTTP(w, req)
			return
		}
		switch {
		case !reads(req):
			refuse(w, wrongMethod(w, req, http.MethodGet))
		case err != nil:
			write(w, jsonReply(http.StatusServiceUnavailable, &Error{Message: err.Error()}))
		default:
			write(w, jsonReply(http.StatusOK, Health{Status: "ok"}))
		}
	})
}

// Health is the answer to /healthz and /readyz.
type Health struct {
	Status string `json:"status"` // ok; anything else is an error
}
