package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the shipped gateway promises holds, from every side.
func TestShippedFilterTestsHold(t *testing.T) {
	files, err := filepath.Glob("../../deploy/acl/*-tests.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in deploy/acl: %v", err)
	}
	for _, file := range files {
		code, stdout, stderr := routerd("acl", "test", file)
		if code != exitOK || !strings.Contains(stdout, " passed, 0 failed\n") || !strings.Contains(stdout, "✔ ") {
			t.Errorf("%s: exit %d\n%s%s", file, code, stdout, stderr)
		}
	}
}

const filterConfig = `[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24"]
acl-in = "in"
[interface.lan1]
kind = "tun"
addresses = ["10.0.2.1/24"]
[acl.in]
[[acl.in.rule]]
name = "web"
protocol = "tcp"
destination-port = 80
action = "accept"
`

const filterTests = `config = "gw.toml"
[[test]]
name = "web passes"
inbound-interface = "lan0"
source = "10.0.1.2"
destination = "10.0.2.2"
protocol = "tcp"
destination-port = 80
want = "accept"
[[test.then]]
answers = "reply"
want = "accept"
[[test]]
name = "ssh passes"
inbound-interface = "lan0"
source = "10.0.1.2"
destination = "10.0.2.2"
protocol = "tcp"
destination-port = 22
want = "accept"
`

func TestACLTest(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gw, tests := write("gw.toml", filterConfig), write("tests.toml", filterTests)
	code, stdout, stderr := routerd("acl", "test", tests)
	if code != exitFailed || stderr != "" {
		t.Errorf("exit %d, %q, want 1 and nothing", code, stderr)
	}
	for _, want := range []string{
		"✔ web passes: accepted as of a session that began by rule web of acl in, leaves by lan0 (" + gw + ":10)\n",
		"✘ ssh passes: dropped by the default action of acl in; want accept\n    " + tests + ":13\n    IPv4 10.0.1.2:49152 > 10.0.2.2:22 TCP SYN, TTL 64, 40 bytes, comes in by lan0\n",
		"      acl-in    dropped by the default action of acl in     " + gw + ":8\n",
		"1 passed, 1 failed\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}

	code, stdout, _ = routerd("acl", "test", tests, "-o", "json")
	var report filterReport
	if err := json.Unmarshal([]byte(stdout), &report); code != exitFailed || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, stdout)
	}
	if report.Passed != 1 || report.Failed != 1 || report.Config != gw || len(report.Tests) != 2 || len(report.Tests[0].Packets) != 2 {
		t.Fatalf("%+v", report)
	}
	if p := report.Tests[0].Packets[1]; p.State != "established" || p.Out != "lan0" || p.Verdict != "forwarded" || p.Rules[0] != (filterRule{"in", "web", "accept", gw + ":10"}) || p.Unwanted != "" {
		t.Errorf("the reply: %+v", p)
	}
	if p := report.Tests[1].Packets[0]; p.State != "new" || p.Out != "" || p.Verdict != "acl_dropped" || p.Rules[0] != (filterRule{"in", "", "drop", gw + ":8"}) || p.Unwanted == "" || p.Origin != tests+":13" {
		t.Errorf("ssh: %+v", p)
	}

	open := write("open.toml", strings.Replace(filterConfig, "[acl.in]\n", "[acl.in]\ndefault-action = \"accept\"\n", 1))
	broken := write("broken.toml", filterConfig+"[acl]\nlocl = 1\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--config " + open, exitOK, "2 passed, 0 failed\n"},
		{"--config " + broken, exitFailed, "broken.toml has 1 error\n"},
		{"--node r1", exitUsage, "is a configuration, not the topology of a lab"},
		{"--config ../../deploy/labs/gateway.toml --node r9", exitFailed, `there is no router "r9"; want one of "gw", "isp"`},
		{"--config " + filepath.Join(dir, "none.toml"), exitFailed, "no such file"},
	} {
		code, stdout, stderr := routerd(append([]string{"acl", "test", tests}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit %d\n%s%swant %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	code, _, stderr = routerd("acl", "test", write("wrong.toml", "[[test]]\n"))
	if code != exitFailed || !strings.Contains(stderr, "wrong.toml has ") {
		t.Errorf("a file of tests with mistakes: exit %d, %s", code, stderr)
	}
}
