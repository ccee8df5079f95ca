package control

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"routerd/internal/access"
)

// Bounds of an archive for a bug report.
const (
	supportFile    = 8 << 20  // bytes of one file, before compression
	supportAll     = 96 << 20 // of all
	supportWait    = 6 * time.Second
	supportGivesUp = 2 // answers that did not come, after which the router's owner is not asked
)

// Support writes an archive (tar, compressed with gzip) for a bug report: what the
// router says of itself in every noun, its running configuration, metrics, latest
// events with its log among them, and profiles, and facts of this host if onHost is
// set. It has no secrets. Its file contents.txt and the returned list name what is
// missing. The error is about writing alone. A router whose owner does not answer is
// asked only for what needs no owner.
func Support(ctx context.Context, c *Client, to io.Writer, onHost bool) (missing []string, err error) {
	z := gzip.NewWriter(to)
	a := &archive{client: c, to: tar.NewWriter(z), began: time.Now()}
	fmt.Fprintf(&a.contents, "An archive for a bug report about routerd, made at %s.\nA file ends early at %d bytes.\n\n", a.began.UTC().Format(time.RFC3339), supportFile)
	a.ask(ctx, "ready.json", "/readyz", "")
	a.ask(ctx, "profile-goroutine.txt", profilePath+"?kind=goroutine", "")
	a.ask(ctx, "profile-heap.pprof", profilePath+"?kind=heap", "")
	a.ask(ctx, "profile-cpu.pprof", profilePath+"?kind=cpu&seconds=2", "")
	a.ask(ctx, "config.json", "/v1/config", "")
	a.ask(ctx, "audit.json", "/v1/audit", "")
	a.events(ctx)
	for _, n := range Nouns() {
		if n.Ask == nil || n.Changes || n.Path == "config" || n.Path == "audit" || strings.HasPrefix(n.Path, "explain/") {
			continue
		}
		a.owned(ctx, "show/"+strings.ReplaceAll(n.Path, "/", "-")+".ndjson", "/v1/"+n.Path, LinesType)
	}
	a.owned(ctx, "metrics.txt", "/metrics", "")
	if onHost {
		for _, path := range []string{
			"/proc/version", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/net/dev", "/proc/net/route", "/proc/net/if_inet6", "/proc/net/softnet_stat", "/proc/net/snmp",
		} {
			data, err := readSome(path)
			a.put("host"+strings.ReplaceAll(path, "/", "-")+".txt", data, err)
		}
	}
	a.finish()
	return a.missing, errors.Join(a.failed, a.to.Close(), z.Close())
}

// archive is one that is being written.
type archive struct {
	client   *Client
	to       *tar.Writer
	began    time.Time
	contents bytes.Buffer
	missing  []string
	size     int
	late     int // answers that did not come in time
	failed   error
}

// ask puts in the answer to a request.
func (a *archive) ask(ctx context.Context, name, path, accept string) {
	ctx, cancel := context.WithTimeout(ctx, supportWait)
	defer cancel()
	data, err := a.client.fetch(ctx, path, accept, supportFile)
	if errors.Is(err, context.DeadlineExceeded) {
		a.late++
	}
	var refused *Error
	if errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadRequest) {
		// The router does not do this: it has no such protocol, or no rules. Or the
		// noun has a parameter that a whole table does without, such as a neighbor.
		fmt.Fprintf(&a.contents, "%s: none: %s\n", name, access.WithoutSecrets(refused.Message))
		return
	}
	a.put(name, data, err)
}

// owned is ask for what the router's owner answers, which is not asked once it seems to
// hang.
func (a *archive) owned(ctx context.Context, name, path, accept string) {
	if a.late >= supportGivesUp {
		a.put(name, nil, fmt.Errorf("not asked for: the router has not answered %d times within %v", a.late, supportWait))
		return
	}
	a.ask(ctx, name, path, accept)
}

// events puts in the latest events, of which those of the topic log are the end of the
// log.
func (a *archive) events(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, supportWait)
	defer cancel()
	done := errors.New("that is all")
	oldest := ""
	err := a.client.Events(ctx, EventRequest{ID: 1}, func(f *EventFrame, _ []byte) error {
		oldest = f.Oldest
		return done // the first frame says which is the oldest
	})
	var b bytes.Buffer
	if errors.Is(err, done) {
		err = a.client.Events(ctx, EventRequest{ID: 1, After: oldest}, func(f *EventFrame, raw []byte) error {
			b.Write(raw)
			b.WriteByte('\n')
			if f.Type == "bookmark" || b.Len() > 4*supportFile {
				return done
			}
			return nil
		})
	}
	if errors.Is(err, done) {
		err = nil
	}
	data := b.Bytes()
	if len(data) > supportFile { // the latest count
		data = data[len(data)-supportFile:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	a.put("events.ndjson", data, err)
}

// finish puts in the list of contents, for which there is always room.
func (a *archive) finish() {
	a.size = 0
	a.put("contents.txt", a.contents.Bytes(), nil)
}

// put puts a file in, and a line about it into the contents.
func (a *archive) put(name string, data []byte, err error) {
	if err == nil && a.size+len(data) > supportAll {
		err = fmt.Errorf("there is no room: the archive has %d bytes", a.size)
	}
	if err != nil {
		a.missing = append(a.missing, name)
		fmt.Fprintf(&a.contents, "%s: MISSING: %s\n", name, access.WithoutSecrets(err.Error()))
		return
	}
	if !strings.HasSuffix(name, ".pprof") {
		data = withoutSecrets(data)
	}
	fmt.Fprintf(&a.contents, "%s: %d bytes\n", name, len(data))
	a.size += len(data)
	if a.failed == nil {
		a.failed = a.to.WriteHeader(&tar.Header{Name: "routerd-support/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: a.began, Format: tar.FormatPAX})
	}
	if a.failed == nil {
		_, a.failed = a.to.Write(data)
	}
}

// given is a key that looks as if it had a secret as its value, in TOML or in JSON that
// quotes TOML. The configuration keeps secrets in files of their own, but a comment may
// have one.
var given = regexp.MustCompile(`(?i)((?:password|passphrase|secret)(?:\\?")?\s*[=:]\s*)(\\?"[^"\\\n]*\\?"|'[^'\n]*')`)

// withoutSecrets returns a text without what may be a secret.
func withoutSecrets(text []byte) []byte {
	return []byte(access.WithoutSecrets(string(given.ReplaceAll(text, []byte("${1}...")))))
}

func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, supportFile))
}

// fetch returns the body of an answer, or its beginning if it is longer than most.
func (c *Client) fetch(ctx context.Context, path, accept string, most int64) ([]byte, error) {
	u := c.base
	var err error
	path, u.RawQuery, _ = strings.Cut(path, "?")
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, http.MethodGet, u, accept)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && path != "/readyz" {
		return nil, refusal(resp)
	}
	return io.ReadAll(io.LimitReader(resp.Body, most))
}
