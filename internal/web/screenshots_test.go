package web_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// largest is how many bytes a picture of the README may have.
const largest = 300_000

// TestScreenshots takes the pictures of the README, of a shipped lab; `make screenshots`
// runs it. ROUTERD is the binary.
func TestScreenshots(t *testing.T) {
	to := os.Getenv("ROUTERD_SCREENSHOTS")
	if to == "" {
		t.Skip("ROUTERD_SCREENSHOTS names no directory to put them into")
	}
	binary, lab := os.Getenv("ROUTERD"), filepath.Join("..", "..", "deploy", "labs", "office.toml")
	run := func(argv ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, binary, argv...).CombinedOutput()
		if err != nil {
			t.Fatalf("routerd %s: %v\n%s", strings.Join(argv, " "), err, out)
		}
		return string(out)
	}
	t.Cleanup(func() { run("lab", "down", lab) })
	run("lab", "test", lab) // up, and its sessions are
	socket := strings.TrimSpace(run("lab", "exec", lab, "edge", "sh", "-c", "echo $ROUTERD_SOCKET"))
	b := newBrowser(t)
	b.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false), chromedp.Navigate(pageOf(t, binary, socket)))
	b.wait("the page", `document.getElementById('state')?.textContent.includes('live')`)
	take := func(name, scheme string) {
		t.Helper()
		b.scheme(scheme)
		b.run(chromedp.Evaluate(`document.activeElement.blur(); scrollTo(0, 0)`, nil))
		b.wait("no transition", `document.getAnimations().length === 0`)
		var shot []byte
		b.run(chromedp.CaptureScreenshot(&shot))
		if len(shot) > largest {
			t.Errorf("%s has %d bytes: wanted at most %d", name, len(shot), largest)
		}
		if err := os.WriteFile(filepath.Join(to, name), shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.open("events")
	ping := exec.Command(binary, "lab", "exec", lab, "staff", "ping", "-q", "-i", "0.005", "-s", "1400", "203.0.113.1")
	if err := ping.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = ping.Process.Kill()
		_ = ping.Wait()
	}()
	run("lab", "link", lab, "edge:core2", "down")
	b.wait("what follows from the cut", `[...document.querySelectorAll('.event.interface .follows')].some(f => parseInt(f.textContent.replace(/\D/g, '')) > 3)`)
	time.Sleep(2 * time.Second) // for the rest of what follows
	b.run(chromedp.Evaluate(`[...document.querySelectorAll('.event.interface')].find(e => e.querySelector('.follows'))?.querySelector('.fold').click()`, nil))
	b.run(chromedp.Evaluate(`document.querySelectorAll('.event ul .fold').forEach(f => f.click())`, nil))
	take("page-events.png", "dark")
	b.open("topology")
	b.wait("rates", `document.querySelector('.map .rate')`)
	time.Sleep(2 * time.Second)
	take("page-topology.png", "light")
	if list := b.complaints(); len(list) > 0 {
		t.Errorf("the console has %q", list)
	}
}

// pageOf runs routerd web until the test ends, and returns the URL that it prints.
func pageOf(t *testing.T, binary, socket string) string {
	t.Helper()
	cmd := exec.Command(binary, "--socket", socket, "web", "--no-open")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		var exited *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exited) {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for _, word := range strings.Fields(lines.Text()) {
			if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
				return word
			}
		}
	}
	t.Fatal("routerd web printed no URL")
	return ""
}
