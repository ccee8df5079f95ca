package control

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// unpacked returns the files of an archive.
func unpacked(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "routerd-support/")] = string(text)
	}
}

// serveSupport serves a fake router on a socket.
func serveSupport(t *testing.T, f *fake) *Client {
	t.Helper()
	l, err := Listen(filepath.Join(t.TempDir(), "api.sock"), -1)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: identifyPeer(newHandler(f, Options{Events: newEvents()}), defaultRoles), ConnContext: withPeer}
	go server.Serve(l)
	c := Dial(l.Addr().String())
	t.Cleanup(func() {
		c.Close()
		server.Close()
	})
	return c
}

// The archive has every table, and of a router whose owner hangs what is said without it;
// contents.txt names the rest. One after the other: a process makes one profile of its
// processors at a time.
func TestSupport(t *testing.T) {
	for _, c := range []struct {
		name    string
		fake    *fake
		has     []string
		missing []string
	}{
		{"a router", &fake{}, []string{"config.json", "events.ndjson", "show/route.ndjson", "show/bgp-route.ndjson", "metrics.txt", "profile-cpu.pprof", "host-proc-version.txt"}, nil},
		{"one that hangs", &fake{wait: true}, []string{"ready.json", "profile-goroutine.txt", "profile-heap.pprof", "host-proc-net-dev.txt"}, []string{"show/interface.ndjson", "show/route.ndjson", "metrics.txt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serveSupport(t, c.fake)
			var b bytes.Buffer
			begun := time.Now()
			missing, err := Support(t.Context(), client, &b, true)
			if err != nil {
				t.Fatal(err)
			}
			files := unpacked(t, b.Bytes())
			for _, name := range append(c.has, "contents.txt") {
				if files[name] == "" {
					t.Errorf("%s is not in it", name)
				}
			}
			for _, name := range c.missing {
				if _, there := files[name]; there || !strings.Contains(files["contents.txt"], name+": MISSING: ") || !strings.Contains(strings.Join(missing, " "), name) {
					t.Errorf("%s is in it (%t), or not named in\n%s", name, there, files["contents.txt"])
				}
			}
			t.Logf("%d files, %d bytes, after %v", len(files), b.Len(), time.Since(begun).Round(time.Second))
		})
	}
}

// A noun that has nothing to say, as that of a protocol that is not configured, is not
// missing from an archive; nor is one that has to be asked about a neighbor.
func TestSupportOfLittle(t *testing.T) {
	for _, refusal := range []error{show.NotFound("it is not configured"), show.BadRequest("routes of which neighbor?")} {
		client := serveSupport(t, &fake{err: refusal})
		var b bytes.Buffer
		missing, err := Support(t.Context(), client, &b, false)
		if err != nil {
			t.Fatal(err)
		}
		contents := unpacked(t, b.Bytes())["contents.txt"]
		if slices.Contains(missing, "show/route.ndjson") || !strings.Contains(contents, "show/route.ndjson: none: "+refusal.Error()) {
			t.Errorf("missing are %v, and the contents are\n%s", missing, contents)
		}
	}
}

// An archive that is full still says what is in it.
func TestSupportIsFull(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := &archive{to: tar.NewWriter(z), size: supportAll}
	a.put("late.txt", []byte("late"), nil)
	a.finish()
	if err := errors.Join(a.failed, a.to.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	if files := unpacked(t, b.Bytes()); len(files) != 1 || !strings.Contains(files["contents.txt"], "late.txt: MISSING: there is no room") {
		t.Errorf("it has %v", files)
	}
}

// What looks like a secret is not in a text for a bug report.
func TestWithoutSecrets(t *testing.T) {
	const token = "rtd_k3v9q2xa_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
	text := string(withoutSecrets([]byte("# password = \"one\"\nauth-password-file = \"/etc/keys/a\"\nsecret: 'two'\n{\"text\":\"secret = \\\"three\\\"\\n\"}\n" + token)))
	want := "# password = ...\nauth-password-file = \"/etc/keys/a\"\nsecret: ...\n{\"text\":\"secret = ...\\n\"}\nrtd_k3v9q2xa_..."
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// A profile takes an admin, and one is made at a time.
func TestProfile(t *testing.T) {
	h := newHandler(&fake{wait: true}, Options{})
	for _, c := range []struct {
		role   access.Role
		method string
		query  string
		want   int
	}{
		{access.Operate, "GET", "kind=goroutine", 403},
		{access.Admin, "GET", "kind=goroutine", 200},
		{access.Admin, "GET", "kind=heap", 200},
		{access.Admin, "GET", "kind=cpu&seconds=0", 400},
		{access.Admin, "GET", "kind=cpu&seconds=31", 400},
		{access.Admin, "GET", "kind=x", 400},
		{access.Admin, "POST", "kind=heap", 405},
	} {
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(rec, as(c.role, c.method, profilePath+"?"+c.query))
		if rec.status != c.want {
			t.Errorf("%s %s as %v: %d, want %d", c.method, c.query, c.role, rec.status, c.want)
		}
	}
	h.profiling.Lock()
	rec := &recorder{header: http.Header{}}
	h.ServeHTTP(rec, as(access.Admin, "GET", profilePath+"?kind=heap"))
	if rec.status != http.StatusServiceUnavailable {
		t.Errorf("beside another one: %d, want 503", rec.status)
	}
}
