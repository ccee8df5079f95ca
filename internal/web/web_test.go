package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// The files of others are those that were released.
func TestVendoredFilesAreUnchanged(t *testing.T) {
	const dir = "static/vendor"
	list, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("SHA256SUMS has the line %q: wanted a sum, two spaces and a file", line)
		}
		sums[name] = sum
	}
	found, licences := 0, 0
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "SHA256SUMS" {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != sums[filepath.ToSlash(rel)] {
			t.Errorf("%s has the sum %s: wanted %q", rel, got, sums[filepath.ToSlash(rel)])
		}
		found++
		if d.Name() == "LICENSE" {
			licences++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != len(sums) || licences != 2 {
		t.Errorf("%d files with %d licences: wanted the %d of SHA256SUMS, with 2", found, licences, len(sums))
	}
}

// next answers what is not the page's.
var next = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })

func get(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(next).ServeHTTP(w, req)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The page and its files carry the policy, and a browser may keep just those whose
// URL has the hash.
func TestHandler(t *testing.T) {
	index := get(t, http.MethodGet, "/")
	text := bodyOf(t, index)
	app := regexp.MustCompile(`src="(/web/[0-9a-f]{16}/app\.js)"`).FindStringSubmatch(text)
	if index.StatusCode != http.StatusOK || app == nil || strings.Contains(text, hashPlace) {
		t.Fatalf("/ answers %s:\n%s", index.Status, text)
	}
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		kind, cache  string
	}{
		{http.MethodGet, "/", nil, 200, "text/html; charset=utf-8", "no-cache"},
		{http.MethodHead, "/", nil, 200, "text/html; charset=utf-8", "no-cache"},
		{http.MethodGet, "/", []string{"If-None-Match", `"other", W/` + index.Header.Get("ETag")}, 304, "", "no-cache"},
		{http.MethodGet, "/", []string{"If-None-Match", `"other"`}, 200, "text/html; charset=utf-8", "no-cache"},
		{http.MethodPost, "/", nil, 405, "text/plain; charset=utf-8", ""},
		{http.MethodGet, app[1], nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{http.MethodGet, strings.Replace(app[1], "app.js", "style.css", 1), nil, 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{http.MethodGet, "/web/0123456789abcdef/app.js", nil, 404, "text/plain; charset=utf-8", "no-store"},
		{http.MethodGet, strings.Replace(app[1], "app.js", "index.html", 1), nil, 404, "text/plain; charset=utf-8", "no-store"},
		{http.MethodGet, strings.Replace(app[1], "app.js", "../web.go", 1), nil, 404, "text/plain; charset=utf-8", "no-store"},
		{http.MethodGet, "/web/", nil, 404, "text/plain; charset=utf-8", "no-store"},
		{http.MethodGet, "/v1/version", nil, http.StatusTeapot, "", ""},
		{http.MethodGet, "/webs", nil, http.StatusTeapot, "", ""},
	} {
		r := get(t, c.method, c.path, c.header...)
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != c.kind || r.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s %s %v answers %s, %q, %q: wanted %d, %q, %q", c.method, c.path, c.header, r.Status,
				r.Header.Get("Content-Type"), r.Header.Get("Cache-Control"), c.status, c.kind, c.cache)
		}
		if c.status == http.StatusTeapot {
			continue
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, wanted %q", c.method, c.path, name, got, want)
			}
		}
	}
}

// Every module and file that the page names is there, and of the router.
func TestReferences(t *testing.T) {
	names := regexp.MustCompile(`(?m)(?:^import\b[^'"]*|^export\b[^'"]*from |\bimport\()['"]([^'"]+)['"]|(?:src|href)="/web/\{\{hash\}\}/([^"]+)"`)
	looked := 0
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "/vendor/") {
			return err
		}
		content, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		for _, m := range names.FindAllStringSubmatch(string(content), -1) {
			looked++
			target := path.Join("static", m[2])
			if m[2] == "" {
				target = path.Join(path.Dir(name), m[1])
			}
			if _, err := fs.Stat(static, target); err != nil || m[2] == "" && !strings.HasPrefix(m[1], ".") {
				t.Errorf("%s names %q, which is no file of the page", name, m[0])
			}
		}
		// What would make markup of text, or ask another origin.
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "unsafeHTML", "unsafe-html", "unsafe-svg", "eval(", "new Function", "createPolicy", `style="`} {
			if strings.Contains(string(content), bad) {
				t.Errorf("%s contains %s", name, bad)
			}
		}
		if m := regexp.MustCompile(`https?://[^\s'"` + "`" + `]+`).FindString(string(content)); m != "" && m != "http://www.w3.org/2000/svg" {
			t.Errorf("%s names another origin: %s", name, m)
		}
		return nil
	})
	if err != nil || looked < 10 {
		t.Errorf("looked at %d references, %v", looked, err)
	}
}

// Without its page the site is refused, and any change of a file changes the hash.
func TestNewSite(t *testing.T) {
	one := fstest.MapFS{"static/index.html": {Data: []byte("x {{hash}}")}, "static/a.js": {Data: []byte("1")}}
	two := fstest.MapFS{"static/index.html": {Data: []byte("x {{hash}}")}, "static/a.js": {Data: []byte("2")}}
	a, err := newSite(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newSite(two)
	if err != nil {
		t.Fatal(err)
	}
	if a.hash == b.hash || a.index.tag == b.index.tag || string(a.index.content) != "x "+a.hash {
		t.Errorf("the hashes are %s and %s, the page is %q", a.hash, b.hash, a.index.content)
	}
	if _, err := newSite(fstest.MapFS{"static/a.js": {Data: []byte("1")}}); err == nil {
		t.Error("a site without an index.html is not refused")
	}
}
