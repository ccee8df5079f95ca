package main

import (
	"strings"
	"testing"

	"routerd/internal/control"
)

func TestShellWithoutStack(t *testing.T) {
	t.Setenv(control.SocketVariable, serve(t, &fake{}))
	code, _, stderr := routerd("shell", "ip", "-brief", "address")
	if code != exitFailed || !strings.Contains(stderr, "[local-stack]") {
		t.Errorf("exit %d, %s; want it to name what the configuration lacks", code, stderr)
	}
}
