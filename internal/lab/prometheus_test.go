package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/internal/tlskeys/tlskeystest"
)

// monitored is a router with everything that the dashboard shows, and a neighbour for
// its protocols. METRICS is where Prometheus finds it.
const monitored = `name = "NAME"
[node.h1]
kind = "host"
[node.h2]
kind = "host"
[node.r1]
kind = "router"
[node.r1.config.metrics]
listen = "METRICS"
[node.r1.config.ospf.interface.lan0]
area = 0
passive = true
[node.r1.config.ospf.interface.core2]
area = 0
network = "point-to-point"
hello-interval = "1s"
[node.r1.config.rip.interface.core2]
[node.r1.config.ripng.interface.core2]
[node.r1.config.bfd.peer."10.0.12.2"]
[node.r1.config.bgp]
as = 65001
router-id = "10.255.0.1"
networks = ["10.0.1.0/24"]
[node.r1.config.bgp.neighbor."10.0.12.2"]
peer-as = 65002
import-policy = []
export-policy = []
connect-retry = "1s"
prefix-limit = { max-prefixes = 10 }
[[node.r1.config.nat.source]]
name = "lan-out"
outbound-interface = "core2"
source = "10.0.1.0/24"
translation = "masquerade"
[node.r2]
kind = "router"
[node.r2.config.ospf.interface.lan0]
area = 0
passive = true
[node.r2.config.ospf.interface.core1]
area = 0
network = "point-to-point"
hello-interval = "1s"
[node.r2.config.rip.interface.core1]
[node.r2.config.ripng.interface.core1]
[node.r2.config.bfd.peer."10.0.12.1"]
[node.r2.config.bgp]
as = 65002
router-id = "10.255.0.2"
networks = ["10.0.2.0/24"]
[node.r2.config.bgp.neighbor."10.0.12.1"]
peer-as = 65001
import-policy = []
export-policy = []
connect-retry = "1s"
[[link]]
endpoints = ["r1:lan0", "h1:eth0"]
addresses = { "r1:lan0" = ["10.0.1.1/24"], "h1:eth0" = ["10.0.1.2/24"] }
[[link]]
endpoints = ["r1:core2", "r2:core1"]
addresses = { "r1:core2" = ["10.0.12.1/24", "2001:db8:12::1/64"], "r2:core1" = ["10.0.12.2/24", "2001:db8:12::2/64"] }
[[link]]
endpoints = ["r2:lan0", "h2:eth0"]
addresses = { "r2:lan0" = ["10.0.2.1/24"], "h2:eth0" = ["10.0.2.2/24"] }
`

// freeAddress is an address of this host at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Prometheus scrapes a router with neighbours, translation and traffic: it takes all
// alerts, and every panel of the dashboard has something to show.
func TestDashboardFromPrometheus(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed")
	}
	metrics := freeAddress(t)
	b := newRIPBench(t, strings.ReplaceAll(monitored, "METRICS", metrics))
	b.up()
	b.serveHTTPS("r1")
	p := beginPrometheus(t, binary, metrics)
	b.traffic("h1")
	p.takesRules()
	missing := readPanels(t)
	deadline := time.Now().Add(90 * time.Second)
	for len(missing) > 0 && time.Now().Before(deadline) {
		for name, query := range missing {
			if p.answers(query) {
				delete(missing, name)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	for name, query := range missing {
		t.Errorf("%s shows nothing: %s", name, query)
	}
	if t.Failed() {
		t.Logf("r1 says:\n%s", b.log("r1"))
	}
}

// serveHTTPS has a router that runs serve HTTPS too, which a lab's routers do not.
func (b *bench) serveHTTPS(node string) {
	b.t.Helper()
	dir := b.t.TempDir()
	certificate, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	tlskeystest.Put(b.t, certificate, key)
	for _, r := range b.plan.Routers {
		if r.Node != node {
			continue
		}
		text, err := os.ReadFile(r.Config)
		if err != nil {
			b.t.Fatal(err)
		}
		socket := `"unix://` + r.Socket + `"`
		changed := strings.Replace(string(text), socket, socket+`, "https://`+freeAddress(b.t)+`"`, 1) +
			fmt.Sprintf("\n[api.tls]\ncertificate = %q\nkey = %q\n", certificate, key)
		if err := os.WriteFile(r.Config, []byte(changed), 0o600); err != nil {
			b.t.Fatal(err)
		}
		b.run(node, "routerd reload")
	}
}

// traffic has a host send what is translated, and what no route leads to, until the
// test ends.
func (b *bench) traffic(node string) {
	b.t.Helper()
	if _, err := exec.LookPath("ping"); err != nil {
		b.t.Skip("ping is not installed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var out lockedBuffer
	cmd, err := b.start(ctx, node, "ping -n -i 0.2 -w 120 192.0.2.1 >/dev/null & exec ping -n -i 0.2 -w 120 10.0.2.2 >/dev/null", &out)
	if err != nil {
		cancel()
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it is killed
	})
}

// prometheus is a server of Prometheus that runs.
type prometheus struct {
	t       *testing.T
	address string
	said    *lockedBuffer
}

// beginPrometheus runs Prometheus with the shipped alerts until the test ends.
func beginPrometheus(t *testing.T, binary, target string) *prometheus {
	t.Helper()
	rules, err := filepath.Abs("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s }
rule_files: [%q]
scrape_configs:
  - job_name: routerd
    static_configs: [{ targets: [%q] }]
`, rules, target), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t: t, address: freeAddress(t), said: &lockedBuffer{}}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	ended.Go(func() { _ = cmd.Wait() }) // it is killed
	t.Cleanup(func() {
		stop()
		ended.Wait()
		if t.Failed() {
			t.Logf("prometheus says:\n%s", p.said.String())
		}
	})
	return p
}

// ask asks Prometheus's API.
func (p *prometheus) ask(path string, answer any) error {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + p.address + "/api/v1/" + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// takesRules waits until every alert has been evaluated, and fails if one cannot be.
func (p *prometheus) takesRules() {
	p.t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		p.t.Fatal(err)
	}
	want := bytes.Count(text, []byte("- alert: "))
	var last string
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		if err := p.ask("rules", &answer); err != nil {
			last = err.Error()
			time.Sleep(50 * time.Millisecond)
			continue
		}
		sound := 0
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				switch r.Health {
				case "ok":
					sound++
				case "err":
					p.t.Fatalf("the alert %s: %s", r.Name, r.LastError)
				}
			}
		}
		if sound == want {
			return
		}
		last = fmt.Sprintf("%d alerts of %d are evaluated", sound, want)
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("within a minute Prometheus does not evaluate the alerts: %s", last)
}

// answers reports whether a query has a value that is a number.
func (p *prometheus) answers(query string) bool {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if p.ask("query?query="+url.QueryEscape(query), &answer) != nil {
		return false // as long as it starts; in the end the panel is named
	}
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// readPanels returns the queries of the dashboard's panels as Grafana would send them.
func readPanels(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/routerd.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID          int
			Type, Title string
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	variables := strings.NewReplacer("$router", ".*", "$interface", ".*", "$__rate_interval", "10s")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries[fmt.Sprintf("panel %d, %s, query %s,", p.ID, p.Title, target.RefID)] = variables.Replace(target.Expr)
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return queries
}
