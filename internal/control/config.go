package control

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"routerd/internal/show"
)

// RunningConfig is the configuration that applies.
type RunningConfig struct {
	File    string    `json:"file"`
	Applied time.Time `json:"applied"`
	// Tag names this configuration: another one has another tag. It is the answer's
	// ETag, without the quotes.
	Tag  string `json:"tag"`
	Text string `json:"text"` // as the file was when it was applied; secrets are in files of their own
}

// ETag is the header of that name.
func (c RunningConfig) ETag() string { return `"` + c.Tag + `"` }

var configNoun = show.Spec[Router, nothing, RunningConfig]{
	Path: "config",
	Help: show.Help{
		Aliases: []string{"running-config"},
		Short:   "The text of the configuration that applies, which the file may no longer be",
	},
	Ask:  func(ctx context.Context, r Router, _ nothing) (RunningConfig, error) { return r.Config(ctx) },
	Draw: func(s *show.Screen, _ *nothing, c *RunningConfig) { io.WriteString(s, c.Text) },
}.Noun()

// tagged is an answer with an ETag.
type tagged interface{ ETag() string }

// listed reports whether the value of an If-Match or If-None-Match header has
// the tag. weakly compares weak tags as if they were strong (RFC 9110 §8.8.3.2).
func listed(header, tag string, weakly bool) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if weakly {
			one = strings.TrimPrefix(one, "W/")
		}
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}

// Expected returns an error if a change is meant for another configuration than
// the one that applies, which has the tag: header is the If-Match of its request,
// "" for any configuration (RFC 9110 §13.1.1).
func Expected(header string, c RunningConfig) error {
	if header == "" || listed(header, c.ETag(), false) {
		return nil
	}
	return &show.Error{Status: http.StatusPreconditionFailed, Message: "the change is meant for the configuration " + header + ", and " + c.ETag() + " applies by now; GET /v1/config says what it is"}
}

// matchKey is the key of an If-Match header in a context.
type matchKey struct{}

// withMatch puts the If-Match of a request into its context, for the change that
// has to look at it at the moment of its commit.
func withMatch(req *http.Request) context.Context {
	return context.WithValue(req.Context(), matchKey{}, req.Header.Get("If-Match"))
}

func matchFrom(ctx context.Context) string {
	header, _ := ctx.Value(matchKey{}).(string)
	return header
}
