package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The unit that is shipped is one that systemd takes, without a complaint.
func TestSystemdUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile("../../deploy/routerd.service")
	if err != nil {
		t.Fatal(err)
	}
	// The binary that it names need not be installed here; any one will do.
	unit := filepath.Join(t.TempDir(), "routerd.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/bin/routerd", "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		// Other units of the machine may have faults of their own.
		if strings.Contains(line, "routerd.service") {
			t.Errorf("systemd-analyze says: %s", line)
		}
	}
	if err != nil && len(out) == 0 {
		t.Errorf("systemd-analyze verify: %v", err)
	}
}

// What systemd 252 needs to hear is in the unit: readiness, the watchdog, a
// reload by signal, and no more privilege than the router uses.
func TestSystemdUnitIsHardened(t *testing.T) {
	text, err := os.ReadFile("../../deploy/routerd.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Type=notify", "WatchdogSec=", "ExecReload=/bin/kill -HUP $MAINPID", "RuntimeDirectory=routerd", "RuntimeDirectoryPreserve=restart",
		"CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_BPF\n", "SystemCallFilter=@system-service setns bpf\n", "NoNewPrivileges=yes", "ProtectSystem=strict",
		"DeviceAllow=/dev/net/tun rw", "MemoryDenyWriteExecute=yes",
	} {
		if !regexp.MustCompile("(?m)^" + regexp.QuoteMeta(want)).Match(text) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	// These would keep the kernel from carrying flows.
	for _, bad := range []string{"PrivateBPF=", "SystemCallFilter=~", "PrivateNetwork=", "PrivateUsers="} {
		if regexp.MustCompile("(?m)^" + regexp.QuoteMeta(bad)).Match(text) {
			t.Errorf("the unit has %s, with which bpf(2) or the devices are out of reach", bad)
		}
	}
}
