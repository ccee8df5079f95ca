package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"routerd/internal/control"
)

// markup is what a name must never become.
const markup = `<img src=x onerror=alert(1)>&lt;b&gt;"`

// tables is a configuration that gives each view something to show.
const tables = `
[ospf]
router-id = "10.255.0.1"
[ospf.interface.lan1]
area = 0
passive = true
[ospf.interface.core]
area = 0
network = "point-to-point"
hello-interval = "1s"
bfd = true
[rip.interface.core]
[[nat.source]]
name = "out"
outbound-interface = "core"
source = "10.0.1.0/24"
translation = "masquerade"
[bgp]
as = 65001
router-id = "10.255.0.1"
networks = ["10.0.1.0/24"]
[bgp.neighbor."10.0.1.2"]
peer-as = 65002
description = '` + markup + `'
import-policy = []
export-policy = []
[bgp.neighbor."10.0.12.2"]
peer-as = 65002
bfd = true
import-policy = []
export-policy = []
[[static.route]]
prefix = "198.51.100.0/24"
next-hop = "10.0.2.2"
[[static.route]]
prefix = "203.0.113.0/24"
action = "blackhole"
`

// peerTables is the configuration of the router at the other end of core.
const peerTables = `
[interface.lo0]
kind = "loopback"
addresses = ["10.9.9.1/32"]
[ospf]
router-id = "10.255.0.2"
[ospf.interface.lo0]
area = 0
passive = true
[ospf.interface.core]
area = 0
network = "point-to-point"
hello-interval = "1s"
bfd = true
[bgp]
as = 65002
router-id = "10.255.0.2"
networks = ["10.9.9.1/32"]
[bgp.neighbor."10.0.12.1"]
peer-as = 65001
bfd = true
import-policy = []
export-policy = []
[rip]
redistribute.connected = {}
[rip.interface.core]
`

// The page in a browser, as its users open it. The parts follow one another in one
// tab.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute, and -short was asked for")
	}
	if raceEnabled {
		t.Skip("what is tested is JavaScript, which the race detector does not see")
	}
	r := newRouter(t, tables)
	r.peer(peerTables)
	b := newBrowser(t, r.pin())
	code := r.code()
	r.in(0, "ping", "-n", "-c1", "-W5", "10.0.2.2")
	for _, part := range []struct {
		name string
		test func(*testing.T, *router, *browser)
	}{
		{"a user who is not logged in is told how", testStranger},
		{"a code opens it", func(t *testing.T, r *router, b *browser) { testLogin(t, r, b, code) }},
		{"a hundred events", testEvents},
		{"a link is cut", testCut},
		{"figures are those of the API", testParity},
		{"names are no markup", testMarkup},
		{"drops", testDrops},
		{"explain", testExplain},
		{"config", testConfig},
		{"by keyboard", testKeyboard},
		{"accessible", testAxe},
		{"the connection breaks", testBreaks},
		{"the router is restarted", testRestart},
		{"logging out", testLogout},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			outer := b.t
			b.t, r.t = t, t
			defer func() { b.t, r.t = outer, outer }()
			part.test(t, r, b)
			if list := b.complaints(); len(list) > 0 {
				t.Errorf("the console has %q", list)
			}
		}) {
			break
		}
	}
	origin := "https://" + r.address
	for _, u := range b.asked() {
		if !strings.HasPrefix(u, origin+"/") && !strings.HasPrefix(u, "wss://"+r.address+"/") && !strings.HasPrefix(u, "data:") {
			t.Errorf("the page has asked for %s, of another origin than %s", u, origin)
		}
	}
}

func testStranger(t *testing.T, r *router, b *browser) {
	b.expect("401") // that nobody is known is found out by asking
	b.run(chromedp.Navigate("https://" + r.address + "/"))
	b.wait("how to log in", `document.querySelector('.login')?.innerText.includes('routerd web')`)
	// A wrong token is refused in words.
	b.run(chromedp.SendKeys("#token", "rtd_nobody_0000"+kb.Enter, chromedp.ByQuery))
	b.wait("the refusal", `document.querySelector('.failed')?.innerText.length > 10`)
	if kept := eval[string](b, `JSON.stringify([localStorage, sessionStorage, document.cookie])`); strings.Contains(kept, "rtd_") {
		t.Errorf("the page keeps the token: %s", kept)
	}
}

func testLogin(t *testing.T, r *router, b *browser, code string) {
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(code))
	b.wait("the page", `document.getElementById('state')?.textContent.includes('live')`)
	if at := eval[string](b, `location.href`); strings.Contains(at, "code") {
		t.Errorf("the code stays in the address: %s", at)
	}
	b.mu.Lock()
	versions := slices.Compact(slices.Sorted(slices.Values(b.security)))
	b.mu.Unlock()
	if !slices.Equal(versions, []string{"TLS 1.3"}) {
		t.Errorf("answers came by %q, wanted TLS 1.3 alone", versions)
	}
	var cookies []string
	if err := json.Unmarshal([]byte(eval[string](b, `JSON.stringify(document.cookie.split(';').filter(Boolean))`)), &cookies); err != nil || len(cookies) > 0 {
		t.Errorf("scripts see the cookies %q, %v", cookies, err)
	}
}

// logged are the cursors of the events that the page holds, as it has them.
func logged(b *browser) []string {
	return eval[[]string](b, `(routerd.shown.log?.entries ?? []).filter(e => !e.gap).map(e => e.cursor)`)
}

func testEvents(t *testing.T, r *router, b *browser) {
	b.open("events")
	for range 40 { // each is in the audit, and twice in the log
		var cleared control.ClearResult
		r.ask(http.MethodPost, "clear/arp?address=192.0.2.77", &cleared)
	}
	b.wait("100 events", `routerd.shown.log.entries.filter(e => e.topic === 'audit' && e.item.action.includes('clear')).length === 40 && document.querySelectorAll('.event').length >= 100`)
	list := logged(b)
	if sorted := slices.Sorted(slices.Values(list)); len(slices.Compact(sorted)) != len(list) {
		t.Errorf("the page has some of %d events twice", len(list))
	}
	if shown := eval[int](b, `new Set([...document.querySelectorAll('.event')].map(e => e.dataset.cursor)).size`); shown < 100 {
		t.Errorf("the page shows %d events, wanted 100", shown)
	}
	// What follows from an event is below it, folded.
	r.in(1, "ip", "link", "set", "eth0", "down")
	b.wait("what follows from the cut", `[...document.querySelectorAll('.event.interface .follows')].length > 0`)
	b.run(chromedp.Evaluate(`document.querySelector('.event.interface .fold').click()`, nil))
	b.wait("the tree", `document.querySelectorAll('.event.interface ul .event').length > 0`)
	// Paused, it stays as it is.
	b.run(chromedp.Click("#pause", chromedp.ByQuery))
	before := eval[string](b, `document.querySelector('.event').dataset.cursor`)
	r.in(1, "ip", "link", "set", "eth0", "up")
	b.wait("that more has happened", `document.querySelector('.head').innerText.includes('more has happened')`)
	if now := eval[string](b, `document.querySelector('.event').dataset.cursor`); now != before {
		t.Errorf("paused, the newest event went from %s to %s", before, now)
	}
	b.run(chromedp.Click("#pause", chromedp.ByQuery))
	b.wait("that it goes on", fmt.Sprintf(`document.querySelector('.event').dataset.cursor !== %q`, before))
}

// lan0Down waits in the page for the row of lan0 to change, and gives the time.
const lan0Down = `new Promise((done) => {
	const state = () => document.querySelector('tbody[data-key=lan0] td[data-column=State]')?.dataset.value;
	const was = state();
	const look = () => state() !== was && done(Date.now());
	new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
})`

func testCut(t *testing.T, r *router, b *browser) {
	b.open("traffic")
	b.wait("the row of lan0", `document.querySelector('tbody[data-key=lan0] td[data-column=State]')?.dataset.value === 'up'`)
	changed := make(chan float64, 1)
	b.run(chromedp.Evaluate("window.cut = "+lan0Down+"; 0", nil))
	cut := time.Now()
	r.in(0, "ip", "link", "set", "eth0", "down")
	changed <- eval[float64](b, "window.cut")
	t.Logf("the row of the interface has changed %v after its link was cut", time.UnixMilli(int64(<-changed)).Sub(cut).Round(time.Millisecond))
	b.wait("the state", `document.querySelector('tbody[data-key=lan0] td[data-column=State]').dataset.value === 'down'`)
	r.in(0, "ip", "link", "set", "eth0", "up")
	b.wait("the link to be up again", `document.querySelector('tbody[data-key=lan0] td[data-column=State]').dataset.value === 'up'`)
	r.in(0, "ip", "address", "replace", "2001:db8:1::2/64", "dev", "eth0", "nodad")
	b.wait("charts", `document.querySelectorAll('.chart canvas').length >= 2`)
}

func testMarkup(t *testing.T, r *router, b *browser) {
	b.open("sessions")
	b.wait("the description", fmt.Sprintf(`[...document.querySelectorAll('td')].some(c => c.textContent === %q)`, markup))
	b.open("routes?search=" + url.QueryEscape(markup))
	b.expect("400") // it is no source
	b.wait("what was searched for", fmt.Sprintf(`document.getElementById('filter').value === %q`, markup))
	if n := eval[int](b, `document.querySelectorAll('main img, main script, main b b').length`); n > 0 {
		t.Errorf("there are %d elements of a name", n)
	}
	// What the policy forbids does not happen, and is told.
	b.expect("TrustedHTML")
	refused := eval[bool](b, `(() => { try { document.body.innerHTML = 'x'; return false } catch { return true } })()`)
	if !refused {
		t.Error("a text became markup in spite of Trusted Types")
	}
}

func testKeyboard(t *testing.T, _ *router, b *browser) {
	b.open("sessions")
	b.run(chromedp.Evaluate(`document.activeElement.blur(); document.body.focus(); getSelection().removeAllRanges()`, nil))
	key := func(keys string) { b.run(chromedp.KeyEvent(keys)) }
	focused := func() string {
		return eval[string](b, `(e => e.id || e.getAttribute('href') || e.getAttribute('aria-label') || e.textContent)(document.activeElement)`)
	}
	b.run(chromedp.Evaluate(`document.querySelector('.skip').focus()`, nil))
	key(kb.Enter)
	b.wait("the content to have the focus", `document.activeElement.id === 'content'`)
	// Tab comes to everything, and leaves it again.
	b.run(chromedp.Evaluate(`document.querySelector('.skip').focus()`, nil))
	var seen []string
	for range 80 {
		key(kb.Tab)
		f := focused()
		if slices.Contains(seen, f) && f == seen[0] {
			break
		}
		seen = append(seen, f)
	}
	for _, want := range []string{"theme", "keys", "leave", "#traffic", "#sessions", "#routes", "#events", "filter", "copy"} {
		if !slices.Contains(seen, want) {
			t.Errorf("Tab did not come to %s, but to %q", want, seen)
		}
	}
	b.run(chromedp.Evaluate(`document.activeElement.blur()`, nil))
	key("g")
	key("e")
	b.wait("the view of events by g e", `routerd.view === 'events' && document.activeElement.id === 'content'`)
	key("?")
	b.wait("the list of keys", `document.querySelector('dialog[open]')?.innerText.includes('Go to the filter')`)
	key(kb.Escape)
	b.wait("that it closes", `!document.querySelector('dialog[open]')`)
	key("/")
	b.wait("the filter", `document.activeElement.id === 'filter'`)
	key("c")
	if open := eval[bool](b, `!!document.querySelector('dialog[open]')`); open {
		t.Error("a letter in a field is taken for a shortcut")
	}
	b.run(chromedp.Evaluate(`document.activeElement.value = ''; document.activeElement.dispatchEvent(new Event('input')); document.activeElement.blur()`, nil))
	key("c")
	b.wait("the commands", `document.querySelector('dialog[open]')?.innerText.includes('routerd events') && document.querySelector('dialog[open]').innerText.includes('--pinnedpubkey')`)
	key(kb.Escape)
	b.wait("that it closes", `!document.querySelector('dialog[open]')`)
}

// The connection breaks again and again while things happen: the page has all of it,
// once.
func testBreaks(t *testing.T, r *router, b *browser) {
	b.open("events")
	b.wait("that it is live", `routerd.live.state === 'live'`)
	first := logged(b)[0]
	for i := range 5 {
		b.wait("that it is connected", `routerd.live.hello`)
		b.run(chromedp.Evaluate(`routerd.live.socket?.close()`, nil))
		for range 8 {
			var cleared control.ClearResult
			r.ask(http.MethodPost, fmt.Sprintf("clear/arp?address=192.0.2.%d", 100+i), &cleared)
		}
	}
	b.wait("the newest event", `routerd.shown.log.entries.filter(e => e.topic === 'audit' && e.item.action.includes('192.0.2.104')).length === 8`)
	got := logged(b)
	epoch, _, _ := strings.Cut(first, ":")
	want := r.recorded(epoch, got[len(got)-1])
	if i := slices.Index(want, first); i < 0 || !slices.Equal(got, want[i:]) {
		t.Errorf("the page has the events\n%q, and the router\n%q", got, want)
	}
	if n := eval[int](b, `routerd.live.connects`); n < 3 {
		t.Errorf("the page has connected %d times, wanted some more", n)
	}
}

func testRestart(t *testing.T, r *router, b *browser) {
	b.expect("ERR_CONNECTION") // while it is away
	b.expect("WebSocket connection")
	b.open("events")
	b.wait("that it is live", `routerd.live.state === 'live'`)
	before := logged(b)
	r.stop()
	b.wait("that it reconnects", `document.getElementById('state').textContent.includes('reconnecting')`)
	r.start()
	b.wait("that it is live again", `document.getElementById('state').textContent.includes('live')`)
	// What has happened since the start, the page has too, once.
	var cleared control.ClearResult
	r.ask(http.MethodPost, "clear/arp?address=192.0.2.78", &cleared)
	b.wait("the newest event", `routerd.shown.log.entries.some(e => e.topic === 'audit' && e.item.action.includes('192.0.2.78'))`)
	after := logged(b)
	if !slices.Equal(after[:len(before)], before) {
		t.Error("what was there before the restart is no longer")
	}
	epoch, _, _ := strings.Cut(after[len(after)-1], ":")
	fresh := slices.DeleteFunc(slices.Clone(after), func(c string) bool { return !strings.HasPrefix(c, epoch+":") })
	want := r.recorded(epoch, fresh[len(fresh)-1])
	if !slices.Equal(fresh, want) {
		t.Errorf("of the new run the page has the events\n%q, and the router\n%q", fresh, want)
	}
	if gaps := eval[int](b, `routerd.shown.log.entries.filter(e => e.gap && e.why.includes('restarted')).length`); gaps != 1 {
		t.Errorf("the page tells of %d restarts, wanted 1", gaps)
	}
}

func testLogout(t *testing.T, _ *router, b *browser) {
	b.run(chromedp.Click("#leave", chromedp.ByQuery))
	b.wait("how to log in", `document.querySelector('.login')`)
	if status := eval[int](b, `fetch('/v1/version').then(a => a.status)`); status != http.StatusUnauthorized {
		t.Errorf("after logging out the API answers %d, wanted 401", status)
	}
	if n := eval[int](b, `routerd.live.socket ? 1 : 0`); n != 0 {
		t.Error("after logging out the page still follows events")
	}
}

// scheme has the browser prefer a color scheme.
func (b *browser) scheme(name string) {
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}
