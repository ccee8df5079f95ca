package daemon

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/access"
	"routerd/internal/control"
)

// The archive for a bug report of a router that has secrets of every kind has none of
// them, and says what the router is and does.
func TestSupportHasNoSecrets(t *testing.T) {
	s := newSite(t)
	secrets := map[string]string{}
	for _, name := range []string{"bgp", "ospf", "rip", "bfd"} {
		secrets[name] = "hush-" + name + "-16by"
		if err := os.WriteFile(filepath.Join(s.dir, name+".key"), []byte(secrets[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(everyProtocol, "peer-as = 65002", "peer-as = 65002\nauth-password-file = \"bgp.key\"", 1)
	text = strings.Replace(text, "[ospf.interface.lan0]", "[ospf.interface.lan0]\nauth = { type = \"hmac-sha256\", keys = \"ospf\" }", 1)
	text = strings.Replace(text, "[rip.interface.lan0]", "[rip.interface.lan0]\nauth = { type = \"md5\", keys = \"rip\" }", 1)
	text = strings.Replace(text, "[bfd.peer", "[bfd.profile.sealed]\nauth = { type = \"keyed-sha1\", keys = \"bfd\" }\n[bfd.peer", 1)
	text = strings.Replace(text, `[bfd.peer."10.0.2.2"]`, "[bfd.peer.\"10.0.2.2\"]\nprofile = \"sealed\"", 1)
	for _, chain := range []string{"ospf", "rip", "bfd"} {
		text += fmt.Sprintf("[[keys.%s]]\nid = 1\nfile = %q\n", chain, chain+".key")
	}
	secrets["a remark"] = "hush-in-a-remark"
	text += "# the old password = \"hush-in-a-remark\"\n"
	s.listenAt("", text)
	s.start()
	token := s.addToken(access.Admin).Secret
	secrets["a token"] = token[strings.LastIndex(token, "_")+1:]
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Fatal(err)
	}
	s.reload()
	var b bytes.Buffer
	missing, err := control.Support(t.Context(), s.client(), &b, true)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	files, all := map[string]bool{}, bytes.Buffer{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = true
		all.Write(data)
		for what, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s has the secret of %s", h.Name, what)
			}
		}
	}
	for _, name := range []string{"config.json", "audit.json", "events.ndjson", "metrics.txt", "profile-cpu.pprof", "show/ospf.ndjson", "show/bgp-summary.ndjson", "show/nat-session.ndjson", "contents.txt"} {
		if !files["routerd-support/"+name] {
			t.Errorf("%s is not in it; missing are %v", name, missing)
		}
	}
	for _, says := range []string{`auth-password-file`, "an action was asked for", "/v1/token/add", `"prefix":"198.51.100.0/24"`, "routerd_"} {
		if !strings.Contains(all.String(), says) {
			t.Errorf("nothing in it says %s", says)
		}
	}
}
