package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	slogjournal "github.com/systemd/slog-journal"
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
		h, err := newJournalHandler(level)
		if err != nil {
			return nil, err
		}
		return slog.New(h), nil
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

// journalHandler writes records to the journal: each attribute as a field
// ROUTERD_KEY, and all of them in the message too, where people look.
type journalHandler struct {
	slog.Handler        // writes the fields
	text         string // " key=value" of each attribute of With
}

func newJournalHandler(level slog.Leveler) (slog.Handler, error) {
	h, err := slogjournal.NewHandler(&slogjournal.Options{Level: level, ReplaceAttr: journalField})
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return journalHandler{Handler: h}, nil
}

// journalField gives an attribute a name that the journal takes, and the value
// as it stands in the message.
func journalField(_ []string, a slog.Attr) slog.Attr {
	return slog.String("ROUTERD_"+strings.ToUpper(a.Key), a.Value.String())
}

func (h journalHandler) WithAttrs(as []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(as)
	for _, a := range as {
		h.text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return h
}

func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Message += h.text
	r.Attrs(func(a slog.Attr) bool {
		r.Message += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	return h.Handler.Handle(ctx, r)
}
