package control

import (
	"bytes"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

const (
	profilePath       = "/v1/profile"
	defaultCPUSeconds = 2
	maxCPUSeconds     = 30
)

// serveProfile answers with a profile of the process, for admins, without asking the
// router: kind is goroutine (text: what each goroutine waits for), heap or cpu (as go
// tool pprof reads them), seconds how long the last one takes.
func (h *handler) serveProfile(w http.ResponseWriter, req *http.Request) error {
	if err := allowed(req, access.Admin); err != nil {
		return err
	}
	if req.Method != http.MethodGet {
		return wrongMethod(w, req, http.MethodGet)
	}
	b, contents, err := h.profile(req)
	if err != nil {
		return err
	}
	setContents(w, contents)
	_, _ = w.Write(b) // an error means that the client is gone
	return nil
}

// profile makes the profile that a request asks for, one at a time.
func (h *handler) profile(req *http.Request) (profile []byte, contents string, err error) {
	if !h.profiling.TryLock() {
		return nil, "", show.Unavailable("making a profile: another one is being made")
	}
	defer h.profiling.Unlock()
	var b bytes.Buffer
	kind := req.URL.Query().Get("kind")
	contents = "application/octet-stream"
	switch kind {
	case "goroutine":
		contents = "text/plain; charset=utf-8"
		err = pprof.Lookup(kind).WriteTo(&b, 2)
	case "heap":
		err = pprof.Lookup(kind).WriteTo(&b, 0)
	case "cpu":
		seconds := defaultCPUSeconds
		if text := req.URL.Query().Get("seconds"); text != "" {
			if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 || seconds > maxCPUSeconds {
				return nil, "", show.BadRequest("seconds is %.40q: wanted a number from 1 to %d", text, maxCPUSeconds)
			}
		}
		if err := pprof.StartCPUProfile(&b); err != nil {
			return nil, "", show.Unavailable("making a profile: %v", err)
		}
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-req.Context().Done():
		}
		pprof.StopCPUProfile()
	default:
		return nil, "", show.BadRequest("the kind %.40q of a profile: wanted goroutine, heap or cpu", kind)
	}
	return b.Bytes(), contents, err
}
