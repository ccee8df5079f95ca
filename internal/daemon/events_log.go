package daemon

import (
	"context"
	"log/slog"
	"slices"

	"routerd/internal/events"
)

// tellingHandler writes records to a log, and reports them.
type tellingHandler struct {
	slog.Handler
	t     *teller
	attrs []slog.Attr
}

// Handle implements slog.Handler.
func (h tellingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		line := logLine{Level: r.Level.String(), Message: r.Message, Attributes: map[string]string{}}
		add := func(a slog.Attr) bool {
			line.Attributes[a.Key] = a.Value.String()
			return true
		}
		for _, a := range h.attrs {
			add(a)
		}
		r.Attrs(add)
		h.t.desk.Report(events.Report{Topic: h.t.topic.log, Time: r.Time, Action: events.Added, Key: line.Level, Item: line})
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h tellingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler, h.attrs = h.Handler.WithAttrs(attrs), append(slices.Clip(h.attrs), attrs...)
	return h
}

// WithGroup implements slog.Handler.
func (h tellingHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// logLine is a line of the log as the object of an event.
type logLine struct {
	Level      string            `json:"level"`
	Message    string            `json:"message"`
	Attributes map[string]string `json:"attributes"`
}
