package daemon

import (
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// systemd speaks to the service manager, and to nobody where there is none.
type systemd struct {
	log      *slog.Logger
	watchdog time.Duration // how often to say that we live; 0 = nobody asks
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

// reloading needs the monotonic time beside it since systemd 253, which
// ignores the message without it (sd_notify(3)).
func (s systemd) reloading() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		s.log.Warn("reading the monotonic clock failed", "err", err)
		return
	}
	s.say(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, ts.Nano()/1000))
}
