package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A file must read the same wherever the tree is checked out: no path of this
// machine's checkout, no package host.
func TestNoMachineInText(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	private := []string{regexp.QuoteMeta(top) + `\b`}
	// What lies beside the checkout counts too, unless that is a place that
	// every machine has.
	switch parent := filepath.Dir(top); parent {
	case "/", "/tmp", "/home", "/root", "/src", "/var", "/opt", "/srv", "/usr/src", "/build":
	default:
		private = append(private, regexp.QuoteMeta(parent)+"/")
	}
	if home, err := os.UserHomeDir(); err == nil && strings.Count(home, "/") > 1 {
		private = append(private, regexp.QuoteMeta(home)+"/")
	}
	proxies, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatalf("go env GOPROXY: %v", err)
	}
	for _, m := range regexp.MustCompile(`https?://([^/,|\s]+)`).FindAllStringSubmatch(string(proxies), -1) {
		private = append(private, regexp.QuoteMeta(m[1]))
	}
	// A path begins where no word or path goes on: "net/core/" is none.
	forbidden := regexp.MustCompile(`(^|[^\w/.~-])(` + strings.Join(private, "|") + `)`)
	files(t, func(name string, content []byte) {
		for i, line := range bytes.Split(content, []byte("\n")) {
			if found := forbidden.Find(line); found != nil {
				t.Errorf("%s:%d: names a place of this machine: %s", name, i+1, bytes.TrimSpace(found))
			}
		}
	})
}

// What is committed is finished.
func TestNothingUnfinished(t *testing.T) {
	// Written apart, so that this file does not find itself.
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|not impl` + `emented|t\.Skip\(` + `\)`)
	files(t, func(name string, content []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if found := unfinished.Find(line); found != nil {
				t.Errorf("%s:%d: marked as unfinished: %s", name, i+1, found)
			}
		}
	})
}
