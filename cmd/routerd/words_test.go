package main

import (
	"os"
	"strings"
	"testing"
)

// Help says in one reading what a verb or a flag is for.
func TestHelpIsPlain(t *testing.T) {
	for _, c := range []struct{ verb, want string }{
		{"show route", "same as --source"},
		{"lab", "Create or repair the lab"},
		{"run", "ROUTERD_SOCKET=/tmp/r1/NAME.sock routerd show route"},
		{"reload", "It takes the role admin, which root and the user that the router runs as have"},
	} {
		code, stdout, _ := routerd(append(strings.Fields(c.verb), "--help")...)
		if code != exitOK || !strings.Contains(stdout, c.want) {
			t.Errorf("routerd %s --help: exit %d, and no %q in\n%s", c.verb, code, c.want, stdout)
		}
	}
}

// The first screen of the README says what routerd does, what it does not do, and what
// to back up.
func TestReadmeSaysWhatThereIsNot(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	screen, _, _ := strings.Cut(string(text), "\n## ")
	for _, want := range []string{"packet filter", "no DHCP", "shaping", "OSPF", "BGP", "back up"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the README does not speak of %q before its first heading", want)
		}
	}
	if n := strings.Count(screen, "\n"); n > 30 {
		t.Errorf("there are %d lines before the first heading, which is more than a screen", n)
	}
}
