package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testDrops: a packet that is dropped comes up, and one press away is why.
func testDrops(t *testing.T, r *router, b *browser) {
	b.open("drops")
	r.in(0, "sh", "-c", "ping -n -c1 -W1 203.0.113.9 || true")
	b.wait("the dropped packet", `[...document.querySelectorAll('#view-drops td[data-column="Packet"]')].some(c => c.textContent.includes('203.0.113.9'))`)
	b.wait("its reason, counted", `[...document.querySelectorAll('#view-drops td[data-column="Verdict"]')].some(c => c.textContent === 'blackhole')`)
	// An event of a packet that is listed already lists it no second time.
	var drops struct{ Last []json.RawMessage }
	r.ask("GET", "drops?last=1", &drops)
	const listed = `[...document.querySelectorAll('#view-drops td[data-column="Packet"]')].filter(c => c.textContent.includes('203.0.113.9')).length`
	if n := eval[int](b, fmt.Sprintf(`[...routerd.live.subscriptions.values()].find(s => String(s.topics) === 'drop').take({type: 'event', item: %s}),
		new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(%s))))`, drops.Last[0], listed)); n != 1 {
		t.Errorf("the dropped packet is listed %d times, wanted once", n)
	}
	// While it is paused nothing is added; afterwards all is there.
	b.run(chromedp.Click("#pause", chromedp.ByQuery))
	before := eval[int](b, `document.querySelectorAll('#view-drops td[data-column="Packet"]').length`)
	r.in(0, "sh", "-c", "ping -n -c1 -W1 203.0.113.10 || true")
	b.wait("that there are newer ones", `document.getElementById('drop-latest').textContent.includes('newer')`)
	if after := eval[int](b, `document.querySelectorAll('#view-drops td[data-column="Packet"]').length`); after != before {
		t.Errorf("while it is paused the rows become %d from %d", after, before)
	}
	b.run(chromedp.Click("#pause", chromedp.ByQuery))
	b.wait("the other packet", `document.getElementById('view-drops').textContent.includes('203.0.113.10')`)
	b.run(chromedp.Evaluate(`[...document.querySelectorAll('#view-drops a[aria-label^="Explain"]')].find(a => a.ariaLabel.includes('203.0.113.10')).click()`, nil))
	b.wait("the explanation", `document.querySelector('#view-explain #explained')?.textContent.includes('blackhole')`)
}

// testExplain: what the page says is what the API says, and what is wrong is said.
func testExplain(t *testing.T, r *router, b *browser) {
	b.open("explain")
	b.wait("the interfaces", `document.querySelector('#explain-in option[value="lan0"]')`)
	b.run(
		chromedp.SetValue("#explain-in", "lan0", chromedp.ByQuery), chromedp.Evaluate(`document.getElementById('explain-in').dispatchEvent(new Event('change'))`, nil),
		chromedp.SendKeys("#explain-src", "10.0.1.2", chromedp.ByQuery), chromedp.SendKeys("#explain-dst", "10.0.2.2"+kb.Enter, chromedp.ByQuery),
	)
	b.wait("the stages", `document.querySelectorAll('#explained td[data-column="Stage"]').length > 2`)
	var want struct {
		Steps []struct{ Stage, Text string }
	}
	r.ask("GET", "explain/packet?in=lan0&src=10.0.1.2&dst=10.0.2.2", &want)
	var got [][2]string
	for _, s := range want.Steps {
		got = append(got, [2]string{s.Stage, s.Text})
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if shown := eval[string](b, `JSON.stringify([...document.querySelectorAll('#explained tbody tr')].map(r => [r.querySelector('[data-column="Stage"]').dataset.value, r.querySelector('[data-column="Decision"]').dataset.value]))`); shown != string(text) {
		t.Errorf("the page shows %s, the API says %s", shown, text)
	}
	// A probe stands beside what was predicted of it.
	b.run(chromedp.Click("#probe button", chromedp.ByQuery))
	b.wait("the probe", `document.querySelectorAll('#probe .beside section').length === 2 && document.querySelector('#probe code').textContent.includes('> 10.0.2.2 ICMP echo request')`)
	if says := eval[string](b, `document.querySelector('#probe .verdict').textContent`); !strings.Contains(says, "predicted") && !strings.Contains(says, "differs") {
		t.Errorf("the page says of the probe: %q", says)
	}
	b.expect("400")
	b.open("explain?what=route&address=nowhere")
	b.wait("the refusal", `document.querySelector('#view-explain .failed')?.textContent.includes('nowhere')`)
	b.open("explain?what=route&address=198.51.100.9")
	b.wait("why", `document.querySelector('#explained')?.textContent.includes('198.51.100.0/24')`)
	// Of what is not known nothing is said, and not half a sentence.
	b.open("explain?what=route&address=10.0.1.77")
	b.wait("a station that nobody has asked for", `[...document.querySelectorAll('#explained .badge')].some(e => e.textContent === 'unknown')`)
	if half := eval[[]string](b, `[...document.querySelectorAll('#explained li')].map(e => e.innerText.trim()).filter(s => /(for|by|of|on|,|:)$/.test(s) || / {2}|<|undefined/.test(s))`); len(half) > 0 {
		t.Errorf("the page says %q", half)
	}
}

// testConfig: the text is the file's, and a link leads to its line.
func testConfig(t *testing.T, r *router, b *browser) {
	b.open("config")
	b.wait("the text", `document.querySelectorAll('.config li').length > 10`)
	var running struct{ File, Text string }
	r.ask("GET", "config", &running)
	if shown := eval[string](b, `[...document.querySelectorAll('.config code')].map(c => c.textContent === ' ' ? '' : c.textContent).join('\n')`); shown != strings.TrimSuffix(running.Text, "\n") {
		t.Errorf("the page shows\n%s\nwhich is not\n%s", shown, running.Text)
	}
	line := 1 + strings.Count(running.Text[:strings.Index(running.Text, "[[static.route]]")], "\n")
	b.open(fmt.Sprintf("config?at=%s:%d", running.File, line))
	b.wait("the line that is marked", fmt.Sprintf(`document.querySelector('.config .marked')?.id === 'line-%d' && document.querySelector('.config .marked').textContent === '[[static.route]]'`, line))
}
