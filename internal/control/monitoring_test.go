package control

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"routerd/internal/protocols"
)

// The files for Prometheus and Grafana that are shipped.
const (
	alertsFile     = "../../deploy/prometheus/alerts.yml"
	alertTestsFile = "../../deploy/prometheus/alerts_test.yml"
	dashboardFile  = "../../deploy/grafana/routerd.json"
	monitoringFile = "../../docs/monitoring.md"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dashboard is what is read of the dashboard.
type dashboard struct {
	Panels      []dashboardPanel
	Annotations struct{ List []struct{ Name, Expr string } }
	Templating  struct {
		List []struct{ Name, Type, Definition string }
	}
}

type dashboardPanel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ UID string }
	Targets                  []struct {
		Expr, LegendFormat string
		Datasource         struct{ UID string }
	}
	GridPos struct{ H, W, X, Y int }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// alert is a rule as its lines have it.
type alert struct{ name, expr, text string }

// readAlerts splits the rules by the line that names each.
func readAlerts(t *testing.T) (list []alert) {
	t.Helper()
	expr := regexp.MustCompile(`(?s)\n +expr: (.*?)\n +(?:for|labels):`)
	for _, part := range strings.Split(readFile(t, alertsFile), "- alert: ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		found := expr.FindStringSubmatch("\n" + text)
		if found == nil {
			t.Fatalf("%s has no expression", name)
		}
		list = append(list, alert{name, found[1], text})
	}
	if len(list) == 0 {
		t.Fatal("there are no alerts")
	}
	return list
}

var (
	quoted     = regexp.MustCompile(`"[^"]*"`)
	metricName = regexp.MustCompile(`\b(?:routerd|go|process)_[a-z0-9_]+`)
)

// metricsOf returns the metrics that an expression names.
func metricsOf(expr string) []string {
	return metricName.FindAllString(quoted.ReplaceAllString(expr, `""`), -1)
}

// metricNames are the metrics that the router serves, those too that it has only with
// some configuration.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	asked := newRequests(nil)
	asked.count.WithLabelValues(nameOther, "200")
	h := newHandler(&fake{}, Options{Events: newEvents()})
	h.metrics = metricsHandler(&fake{}, newEvents(), asked)
	status, text := scrapeFrom(h)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	names := map[string]bool{}
	for l := range strings.Lines(string(text)) {
		if f := strings.Fields(l); len(f) == 4 && f[1] == "TYPE" {
			names[f[2]] = true
			if f[3] == "histogram" || f[3] == "summary" {
				names[f[2]+"_bucket"], names[f[2]+"_count"], names[f[2]+"_sum"] = true, true, true
			}
		}
	}
	for _, p := range protocols.All() {
		for _, f := range p.Metrics.Families {
			names["routerd_"+f.Name] = true
		}
	}
	return names
}

// Every metric that an alert or the dashboard asks for is one of the router's.
func TestMonitoringAsksForMetricsThatExist(t *testing.T) {
	known := metricNames(t)
	check := func(where, expr string) {
		asked := metricsOf(expr)
		if len(asked) == 0 && !strings.Contains(expr, "up{") {
			t.Errorf("%s asks for no metric of the router: %s", where, expr)
		}
		for _, name := range asked {
			if !known[name] {
				t.Errorf("%s asks for %s, which the router does not have", where, name)
			}
		}
	}
	for _, a := range readAlerts(t) {
		check("the alert "+a.name, a.expr)
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			check("the panel "+p.Title, target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		check("the annotation "+a.Name, a.Expr)
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			check("the variable "+v.Name, v.Definition)
		}
	}
}

// A dashboard that is loaded anywhere finds its data source and its routers by the
// variables, says in words what each panel shows, and no panel lies over another.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the number %d is another panel's", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %q at %d, %d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s has the description %q, %d queries and the data source %q", p.Title, p.Description, len(p.Targets), p.Datasource.UID)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || !strings.Contains(target.Expr, `instance=~"$router"`) {
				t.Errorf("%s: the query is for the data source %q, or not for the router that was chosen: %s", p.Title, target.Datasource.UID, target.Expr)
			}
			if p.Type != "table" && !strings.Contains(target.LegendFormat, "{{instance}}") {
				t.Errorf("%s: the legend %q does not say which router", p.Title, target.LegendFormat)
			}
		}
	}
}

// Every alert has a case in which it fires, one in which it does not, and says in
// the documentation what to do.
func TestAlertsAreTestedAndExplained(t *testing.T) {
	tests, manual := readFile(t, alertTestsFile), readFile(t, monitoringFile)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, part := range strings.Split(tests, "alertname: ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(rest), "exp_alerts: []"):
			quiet[name] = true
		case strings.Contains(rest, "exp_labels"):
			fires[name] = true
		}
	}
	var names []string
	for _, a := range readAlerts(t) {
		if slices.Contains(names, a.name) {
			t.Errorf("there are two alerts %s", a.name)
		}
		names = append(names, a.name)
		if !fires[a.name] || !quiet[a.name] {
			t.Errorf("%s: a test in which it fires: %t, in which it does not: %t", a.name, fires[a.name], quiet[a.name])
		}
		for _, wanted := range []string{"severity: ", "summary: ", "description: ", "runbook: docs/monitoring.md#" + strings.ToLower(a.name) + "\n"} {
			if !strings.Contains(a.text, wanted) {
				t.Errorf("%s has no %s", a.name, strings.TrimSpace(wanted))
			}
		}
		if !strings.Contains(manual, "\n### "+a.name+"\n") {
			t.Errorf("docs/monitoring.md does not say what to do about %s", a.name)
		}
	}
}

// Prometheus takes the rules, and each alert fires when it has to.
func TestAlertRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (apt: prometheus)")
	}
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", alertTestsFile}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
