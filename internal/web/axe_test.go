package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeVersion is that which tools/install.sh puts into the cache directory.
const axeVersion = "4.14.1"

// readAxe returns the script of axe-core.
func readAxe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("there is no cache directory for axe-core: %v", err)
	}
	script, err := os.ReadFile(filepath.Join(cache, "routerd", "axe-core-"+axeVersion, "axe.min.js"))
	if err != nil {
		t.Skipf("axe-core is not there, which tools/install.sh test gets by npm: %v", err)
	}
	return string(script)
}

// violation is what axe-core complains of.
type violation struct {
	ID, Help string
	Nodes    []string
}

const runAxe = `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v =>
	({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 5).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary.slice(0, 300))})))`

// axe-core finds nothing, in either color scheme, in any view.
func testAxe(t *testing.T, _ *router, b *browser) {
	script := readAxe(t)
	views := eval[[]string](b, `[...document.querySelectorAll('#page > nav a')].map(a => a.hash.slice(1))`)
	if len(views) < 5 {
		t.Fatalf("the page has the views %q", views)
	}
	b.run(chromedp.Evaluate(script+"; 0", nil))
	defer b.scheme("")
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		check := func(what string) {
			for _, v := range eval[[]violation](b, runAxe) {
				t.Errorf("%s, %s: %s: %s\n%q", what, scheme, v.ID, v.Help, v.Nodes)
			}
		}
		for _, v := range views {
			b.open(v)
			b.wait("content", fmt.Sprintf(`document.querySelector('#view-%s').innerText.length > 20`, v))
			b.run(chromedp.Evaluate(`document.querySelectorAll('.fold[aria-expanded=false]').forEach((f, i) => i < 2 && f.click())`, nil))
			b.wait("no transition", `document.getAnimations().length === 0`)
			check(v)
		}
		b.run(chromedp.Evaluate(`document.getElementById('keys').click()`, nil))
		check("keys")
		b.run(chromedp.Evaluate(`document.querySelector('dialog').close(); document.getElementById('copy').click()`, nil))
		check("copy as")
		b.run(chromedp.Evaluate(`document.querySelector('dialog').close()`, nil))
	}
}
