package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"

	"routerd/config"
)

// newLog makes the log that the configuration asks for. Under "auto" it is
// the journal's native form where stderr is connected to it, text on a
// terminal, and JSON elsewhere. The level may be changed later.
func newLog(cfg config.Log, level *slog.LevelVar, w *os.File) (*slog.Logger, error) {
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("setting the log level %q: wanted debug, info, warn or error", cfg.Level)
	}
	opts := &slog.HandlerOptions{Level: level}
	format := cfg.Format
	if format == "auto" {
		format = guessFormat(w)
	}
	switch format {
	case "journal":
		return slog.New(&journalHandler{opts: opts}), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	default:
		return slog.New(slog.NewTextHandler(w, opts)), nil
	}
}

func guessFormat(w *os.File) string {
	if ok, err := journal.StderrIsJournalStream(); err == nil && ok {
		return "journal"
	}
	if _, err := unix.IoctlGetTermios(int(w.Fd()), unix.TCGETS); err == nil {
		return "text"
	}
	return "json"
}

// journalHandler writes records to the journal with their attributes as
// fields, and says them in the message too, where people look.
type journalHandler struct {
	opts  *slog.HandlerOptions
	attrs []slog.Attr
	group string
}

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.opts.Level.Level()
}

func (h *journalHandler) WithAttrs(as []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), as...)
	return &c
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.group = h.group + name + "_"
	return &c
}

func (h *journalHandler) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]string{"SYSLOG_IDENTIFIER": "routerd"}
	var text strings.Builder
	text.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		fmt.Fprintf(&text, " %s=%v", a.Key, a.Value)
		fields["ROUTERD_"+strings.ToUpper(h.group+a.Key)] = a.Value.String()
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	priority := journal.PriInfo
	switch {
	case r.Level >= slog.LevelError:
		priority = journal.PriErr
	case r.Level >= slog.LevelWarn:
		priority = journal.PriWarning
	case r.Level < slog.LevelInfo:
		priority = journal.PriDebug
	}
	return journal.Send(text.String(), priority, fields)
}
