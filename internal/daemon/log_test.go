package daemon

import (
	"bytes"
	"log/slog"
	"testing"
	"time"
)

// The journal gets attributes twice: as fields by names that it takes, and in
// the message, which is what journalctl shows.
func TestJournalHandler(t *testing.T) {
	var out bytes.Buffer
	fields := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case slog.LevelKey, slog.MessageKey:
			return a
		}
		return journalField(groups, a)
	}})
	log := slog.New(journalHandler{Handler: fields})
	of := log.With("interface", "lan0")
	of.Warn("no answer", "for", 1500*time.Millisecond, "asked", 3)
	log.Info("ready")
	want := `level=WARN msg="no answer interface=lan0 for=1.5s asked=3" ROUTERD_INTERFACE=lan0 ROUTERD_FOR=1.5s ROUTERD_ASKED=3
level=INFO msg=ready
`
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", out.String(), want)
	}
}
