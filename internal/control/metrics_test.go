package control

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"routerd/internal/access"
)

func scrape(t *testing.T, r Router) (int, []byte) {
	t.Helper()
	return scrapeFrom(newHandler(r, Options{Events: newEvents()}))
}

func scrapeFrom(h *handler) (int, []byte) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, as(access.Read, "GET", "/metrics"))
	return w.Code, w.Body.Bytes()
}

// The names and labels of metrics are a contract.
func TestMetricsGolden(t *testing.T) {
	status, text := scrape(t, &fake{})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var own []string // without those of Go and the process, whose values change
	for l := range strings.Lines(string(text)) {
		name := strings.TrimPrefix(strings.TrimPrefix(l, "# HELP "), "# TYPE ")
		if strings.HasPrefix(name, "routerd_") {
			own = append(own, l)
		}
	}
	golden(t, "metrics.txt", []byte(strings.Join(own, "")))
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_open_fds "} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %s in the metrics", strings.TrimSpace(want))
		}
	}
}

func TestMetricsFail(t *testing.T) {
	status, text := scrape(t, &fake{err: errBroken})
	if status != http.StatusInternalServerError || !strings.Contains(string(text), errBroken.Error()) {
		t.Errorf("a router that cannot be read: %d %s", status, text)
	}
}

func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (apt: prometheus)")
	}
	_, text := scrape(t, &fake{})
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// On a TCP address there are metrics and nothing else.
func TestServeMetrics(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(&fake{}, Options{}).ServeMetrics(ctx, l) }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]int{"/metrics": 200, "/v1/version": 404, "/v1/reload": 404} {
		resp, err := client.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("serving ended with %v", err)
	}
}
