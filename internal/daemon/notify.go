package daemon

import (
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// systemd notifies the service manager, if there is one.
type systemd struct {
	log      *slog.Logger
	watchdog time.Duration // interval of keep-alives; 0 = none wanted
}

func newSystemd(log *slog.Logger) systemd {
	s := systemd{log: log}
	if every, err := sd.SdWatchdogEnabled(false); err == nil && every > 0 {
		s.watchdog = every / 2 // sd_watchdog_enabled(3) recommends half the time-out
	}
	return s
}

func (s systemd) say(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		s.log.Warn("telling systemd failed", "state", state, "err", err)
	}
}

func (s systemd) ready(status string) { s.say(sd.SdNotifyReady + "\nSTATUS=" + status) }
func (s systemd) stopping()           { s.say(sd.SdNotifyStopping) }
func (s systemd) alive()              { s.say(sd.SdNotifyWatchdog) }

// reloading sends the monotonic time too: since version 253 systemd ignores
// RELOADING=1 without it (sd_notify(3)).
func (s systemd) reloading() { s.say(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec()) }
