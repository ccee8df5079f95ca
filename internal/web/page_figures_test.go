package web_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"routerd/internal/events"
)

// mark is an element of the page that shows a figure, see static/figure.js.
type mark struct {
	Of, At, Value, Text string
}

// readMarks collects the marks of the view, and what of it shows something and has none:
// cells of tables and values of fields.
const readMarks = `(() => {
	const view = document.querySelector('main .view');
	const bare = (e) => e.textContent.trim() && !e.dataset.of && !e.querySelector('[data-of]') && !e.closest('[data-of]');
	return {
		Marks: [...view.querySelectorAll('[data-of]')].map(e => ({Of: e.dataset.of, At: e.dataset.at, Value: e.dataset.value, Text: e.textContent.trim()})),
		Bare: [...view.querySelectorAll('td:not(.opener), dd, .why li')].filter(bare).map(e => e.outerHTML.replaceAll(/<!--.*?-->/g, '').slice(0, 200)),
	};
})()`

// answers are what the API has answered to a question lately, the newest last.
type answers []answer

type answer struct {
	at   time.Time
	body any
}

// lately is how old an answer may be that the page still shows: as old as its views
// let figures without events become, and a second for a machine that is busy.
const lately = 6 * time.Second

// asked are the answers to questions.
type asked map[string]answers

// ask asks a question again, and forgets answers that are too old.
func (a asked) ask(r *router, of string) {
	list := a[of]
	for len(list) > 0 && time.Since(list[0].at) > lately {
		list = list[1:]
	}
	at := time.Now()
	a[of] = append(list, answer{at, r.answer(of)})
}

// figures compares the marks of a view with the answers of the API, and returns how many
// there are. A figure that moves has to lie between two answers.
func figures(r *router, b *browser, a asked) (n int, err error) {
	r.t.Helper()
	shown := eval[struct {
		Marks []mark
		Bare  []string
	}](b, readMarks)
	if len(shown.Bare) > 0 {
		return 0, fmt.Errorf("%d places show something and do not say which figure of the API it is, as %s", len(shown.Bare), shown.Bare[0])
	}
	fresh := map[string]bool{}
	for _, m := range shown.Marks {
		if !fresh[m.Of] {
			fresh[m.Of] = true
			a.ask(r, m.Of)
		}
		if err := m.agrees(a[m.Of]); err != nil {
			return 0, fmt.Errorf("%s of %s: %w", m.At, m.Of, err)
		}
		if m.Of == "traffic" {
			if err := m.agrees(b.samples()); err != nil {
				return 0, fmt.Errorf("%s of the samples: %w", m.At, err)
			}
		}
	}
	return len(shown.Marks), nil
}

// answer asks a question as a mark has it. That of events is the list of them.
func (r *router) answer(of string) (body any) {
	r.t.Helper()
	if of == "events" {
		return r.happened
	}
	r.ask(http.MethodGet, of, &body)
	return body
}

// agrees compares a mark with the answers to its question.
func (m *mark) agrees(list answers) error {
	var way []any
	if err := json.Unmarshal([]byte(m.At), &way); err != nil {
		return err
	}
	var values []any
	for _, a := range list {
		if v, ok := follow(a.body, way); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return fmt.Errorf("the page shows %q, and the API has no such place", m.Text)
	}
	shown, err := m.value(values[len(values)-1])
	if err != nil {
		return err
	}
	if !agree(shown, values) {
		return fmt.Errorf("the page has %q, the API had %v and has %v", m.Value, values[0], values[len(values)-1])
	}
	return m.reads(shown)
}

// value is what a mark shows, of the kind of what the API has.
func (m *mark) value(like any) (v any, err error) {
	switch like.(type) {
	case nil:
		if m.Value == "" {
			return nil, nil
		}
	case string:
		return m.Value, nil
	}
	err = json.Unmarshal([]byte(m.Value), &v)
	if err != nil {
		err = fmt.Errorf("the page has %q, the API %v", m.Value, like)
	}
	return v, err
}

// agree reports whether a value is one of those that the API had, or lies between
// them; of a list or an object, whether all that is in it does.
func agree(shown any, values []any) bool {
	if slices.ContainsFunc(values, func(v any) bool { return reflect.DeepEqual(v, shown) }) {
		return true
	}
	part := func(of func(v any) (any, bool)) (list []any) {
		for _, v := range values {
			if x, ok := of(v); ok {
				list = append(list, x)
			}
		}
		return list
	}
	switch shown := shown.(type) {
	case float64:
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range values {
			if f, ok := v.(float64); ok {
				low, high = min(low, f), max(high, f)
			}
		}
		return low < shown && shown < high
	case []any:
		for i := range shown {
			if !agree(shown[i], part(func(v any) (any, bool) {
				list, ok := v.([]any)
				return at(list, i), ok && len(list) == len(shown)
			})) {
				return false
			}
		}
		return true
	case map[string]any:
		for name := range shown {
			if !agree(shown[name], part(func(v any) (any, bool) {
				object, ok := v.(map[string]any)
				x, has := object[name]
				return x, ok && has
			})) {
				return false
			}
		}
		return true
	}
	return false
}

// at is an element of a list, nil if there is none.
func at(list []any, i int) any {
	if i >= len(list) {
		return nil
	}
	return list[i]
}

// follow goes the way of a mark into an answer; false if a part of it but the last is
// not there.
func follow(v any, way []any) (any, bool) {
	for i, part := range way {
		last := i == len(way)-1
		switch part := part.(type) {
		case string:
			object, ok := v.(map[string]any)
			if !ok {
				return nil, last && v == nil
			}
			if v, ok = object[part]; !ok && !last {
				return nil, i == len(way)-2 // an object that has nothing to tell is left out
			}
		case float64:
			list, ok := v.([]any)
			if !ok || int(part) >= len(list) {
				return nil, false
			}
			v = list[int(part)]
		case map[string]any:
			list, _ := v.([]any)
			at := slices.IndexFunc(list, func(row any) bool {
				object, ok := row.(map[string]any)
				for name, value := range part {
					ok = ok && reflect.DeepEqual(object[name], value)
				}
				return ok
			})
			if at < 0 {
				return nil, false
			}
			v = list[at]
		case []any:
			object, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			var several []any
			for _, name := range part {
				several = append(several, object[name.(string)])
			}
			v = several
		}
	}
	return v, true
}

// reads compares the text of a mark with the value that it shows.
func (m *mark) reads(v any) error {
	ok := true
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			ok = timeReads(m.Text, at)
		} else if v != "" {
			ok = m.Text == v || strings.HasSuffix(v, "/"+m.Text)
		}
	case float64:
		ok = numberReads(m.Text, v)
	}
	if !ok {
		return fmt.Errorf("the page writes %q for %v", m.Text, v)
	}
	return nil
}

// timeReads reports whether a text is a time of day, or how long ago it was.
func timeReads(text string, at time.Time) bool {
	if strings.Contains(text, at.Local().Format("15:04:05.000")) || strings.Contains(text, at.UTC().Format("15:04:05.000")) {
		return true
	}
	ago, ok := seconds(strings.TrimSuffix(text, " ago"))
	return ok && math.Abs(time.Since(at).Seconds()-ago) < 5+ago/20
}

// seconds reads a duration of the page: 3d4h, 5m12s, 8s.
func seconds(text string) (float64, bool) {
	days, rest, long := strings.Cut(text, "d")
	if !long {
		days, rest = "0", text
	}
	n, err := strconv.Atoi(days)
	d, err2 := time.ParseDuration(rest + "0s")
	return float64(n)*86400 + d.Seconds(), err == nil && err2 == nil && text != ""
}

// numberReads reports whether a text is a number as the page writes them: with commas,
// with a prefix of 1,000 and a unit, as a duration, or in milliseconds.
func numberReads(text string, v float64) bool {
	if text == "" {
		return v == 0
	}
	plain := strings.ReplaceAll(text, ",", "")
	if f, err := strconv.ParseFloat(plain, 64); err == nil {
		return f == v
	}
	number, unit, ok := strings.Cut(plain, " ")
	if f, err := strconv.ParseFloat(number, 64); ok && err == nil {
		if unit == "ms" {
			return math.Abs(f-v*1000) <= 0.5
		}
		if scale := strings.IndexAny(" kMGTP", unit[:1]); scale > 0 {
			f *= math.Pow(1000, float64(scale))
		}
		return math.Abs(f-v) <= max(0.5, v*0.006)
	}
	s, ok := seconds(strings.TrimSuffix(text, " ago"))
	return ok && s <= v && v-s < max(1, s/4)
}

// record reads all events of the run of the router up to now, for marks to be compared
// with.
func (r *router) record(b *browser) {
	r.t.Helper()
	list := logged(b)
	epoch, _, _ := strings.Cut(list[len(list)-1], ":")
	r.happened = nil
	r.frames(epoch, list[len(list)-1], func(f *events.Frame) {
		text, err := json.Marshal(f)
		if err != nil {
			r.t.Fatal(err)
		}
		var frame any
		if err := json.Unmarshal(text, &frame); err != nil {
			r.t.Fatal(err)
		}
		r.happened = append(r.happened, frame)
	})
}

// testParity: all that the views show is what the API says, and is written so.
func testParity(t *testing.T, r *router, b *browser) {
	r.wait("the sessions with the peer", func() error {
		for noun, want := range map[string]string{"ospf/neighbor": "full", "bgp/neighbor": "established", "bfd": "up", "rip/neighbor": `"routes":1`} {
			var answer json.RawMessage
			r.ask(http.MethodGet, noun, &answer)
			if !strings.Contains(strings.ToLower(strings.ReplaceAll(string(answer), " ", "")), want) {
				return fmt.Errorf("%s has no %s: %s", noun, want, answer)
			}
		}
		return nil
	})
	r.in(0, "ping", "-n", "-c1", "-W5", "10.0.12.2")                                            // a session of address translation
	r.in(0, "sh", "-c", "ping -n -c1 -W1 203.0.113.11 || true")                                 // a packet that is dropped
	r.write(tables + "\n[[static.route]]\nprefix = \"192.0.2.0/24\"\naction = \"blackhole\"\n") // a change to come
	t.Cleanup(func() { r.write(tables) })
	views := eval[[]string](b, `[...document.querySelectorAll('#page > nav a')].map(a => a.hash.slice(1))`)
	b.open("protocols")
	b.wait("the nouns", `document.querySelectorAll('#view-protocols .tabs a').length > 0`)
	views = append(views, eval[[]string](b, `[...document.querySelectorAll('#view-protocols .tabs a')].map(a => a.hash.slice(1))`)...)
	views = slices.DeleteFunc(views, func(v string) bool { return v == "explain" || v == "protocols" })
	views = append(
		views, "explain?what=packet&in=lan0&src=10.0.1.2&dst=10.0.2.2", "explain?what=packet&in=lan0&src=10.0.1.2&dst=203.0.113.1",
		"explain?what=route&address=10.9.9.1", "explain?what=route&address=10.0.2.2", "explain?what=route&address=203.0.113.1",
	)
	shown, total := map[string]int{}, 0
	for _, v := range views {
		n := testView(r, b, v)
		shown[v] = n
		total += n
	}
	t.Logf("%d figures compared: %v", total, shown)
	for _, v := range views {
		// The tables of what nothing was configured for are empty.
		if shown[v] == 0 && v != "protocols?noun=nat%2Fpool" && v != "protocols?noun=ospf%2Fborder-routers" {
			t.Errorf("%s shows no figure", v)
		}
	}
}

// testView opens a view and all that is folded in it, and compares its figures with the
// API's until they agree. It returns how many there are.
func testView(r *router, b *browser, view string) (n int) {
	name, _, _ := strings.Cut(view, "?")
	show := func() {
		b.open(view)
		if name == "protocols" {
			b.wait("the noun of "+view, fmt.Sprintf(`document.querySelector('#view-protocols .tabs [aria-current]')?.hash === %q`, "#"+view))
		}
		b.wait("figures of "+view, `document.querySelector('main .view [data-of]') || [...document.querySelectorAll('#view-protocols .none')].some(p => p.textContent === 'There is none.')`)
		b.run(chromedp.Evaluate(`[...document.querySelectorAll('main .view section')].forEach(s => s.querySelector('.fold')?.click())`, nil))
		b.wait("details of "+view, `[...document.querySelectorAll('main .view section')].every(s => !s.querySelector('.opener .fold') || s.querySelector('.detail'))`)
		b.wait("answers to all that "+view+" asks", `!document.querySelector('main .view').textContent.includes('Asking the router') && (routerd.view !== 'config' || document.querySelector('#config-diff'))`)
	}
	show()
	if eval[bool](b, `!document.querySelector('main .view [data-of]')`) {
		return 0
	}
	a := asked{}
	if name == "events" {
		b.run(chromedp.Click("#pause", chromedp.ByQuery))
		defer b.run(chromedp.Click("#pause", chromedp.ByQuery))
		b.run(chromedp.Evaluate(`[...document.querySelectorAll('.events .fold, .events .plain')].slice(0, 60).forEach(f => f.click())`, nil))
		r.record(b)
	}
	questions := strings.Fields(eval[string](b, `[...new Set([...document.querySelectorAll('main .view [data-of]')].map(e => e.dataset.of))].join(' ')`))
	r.wait("the page and the API to say the same", func() (err error) {
		if name == "explain" {
			// What it says is not asked again by itself: it lies between the answers of
			// before and after.
			a = asked{}
			for _, of := range questions {
				a.ask(r, of)
			}
			b.open("config")
			show()
		}
		n, err = figures(r, b, a)
		return err
	})
	return n
}
