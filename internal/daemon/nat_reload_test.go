package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/control"
)

// What masquerades the networks of h1 and of h2, each by a rule of its own.
const (
	ruleOne = "[[nat.source]]\nname = \"one\"\noutbound-interface = \"wan0\"\nsource = \"10.0.1.0/24\"\ntranslation = \"masquerade\"\n"
	ruleTwo = "[[nat.source]]\nname = \"two\"\noutbound-interface = \"wan0\"\nsource = \"10.0.2.0/24\"\ntranslation = \"masquerade\"\n"
)

// echoTCP gives back what it gets.
func echoTCP(t *testing.T, ns, address string) {
	t.Helper()
	l := listen(t, ns, address)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
}

// echoed sends a text and wants it back.
func echoed(c net.Conn, text string, within time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("%q came back, want %q", got, text)
	}
	return nil
}

// rules gives the number of sessions of each rule.
func (n *natSite) rules() map[string]int {
	n.t.Helper()
	list, err := n.client().NATRules(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	sessions := map[string]int{}
	for _, r := range list.Rules {
		sessions[r.Name] = r.Sessions
	}
	return sessions
}

// A rule is its name: a reload that moves it keeps its connections, one that
// changes it ends those of the rule, and says how many, before and after.
func TestReloadKeepsSessionsOfUnchangedRules(t *testing.T) {
	n := newNATSite(t, ruleOne+ruleTwo)
	echoTCP(t, n.far, "198.51.100.2:7")
	n.start()
	one, two := dial(t, n.hosts[0], "tcp", "198.51.100.2:7"), dial(t, n.hosts[1], "tcp", "198.51.100.2:7")
	for i, c := range []net.Conn{one, two} {
		if err := echoed(c, "before", 5*time.Second); err != nil {
			t.Fatalf("connection of h%d: %v", i+1, err)
		}
	}
	before := n.rules()

	n.write(strings.Replace(ruleTwo, "10.0.2.0/24", "10.0.2.0/25", 1) + ruleOne)
	diff, err := n.client().Diff(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	result, err := n.client().Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(diff.Changes) != fmt.Sprint(result.Changes) {
		t.Errorf("diff said %+v, reload %+v", diff.Changes, result.Changes)
	}
	var said []string
	for _, c := range result.Changes {
		said = append(said, c.Path+": "+c.Impact)
	}
	want := "nat.source: another order, for what begins from now on; sessions stay, nat.source.two.source: sessions that end: 1"
	if got := strings.Join(said, ", "); got != want {
		t.Errorf("the reload says\n%s\nwant\n%s", got, want)
	}
	if got := n.rules(); got["one"] != before["one"] || got["two"] != 0 {
		t.Errorf("sessions by rule are %v, were %v; want those of rule one alone", got, before)
	}
	if err := echoed(one, "after", 5*time.Second); err != nil {
		t.Errorf("the connection of the rule that stayed: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "translated sessions of rules that changed have ended") || !strings.Contains(string(log), "source two") {
		t.Errorf("nothing in the log names the rule whose sessions ended:\n%s", log)
	}
}

// A pool that changes ends the sessions of the rules that translate to it, and
// no others; so does a rule that goes.
func TestReloadEndsSessionsOfAPoolThatChanges(t *testing.T) {
	pool := func(addresses string) string { return fmt.Sprintf("[nat.pool.cgn]\naddresses = %q\n", addresses) }
	pooled := strings.Replace(ruleTwo, "masquerade", "pool:cgn", 1)
	n := newNATSite(t, pool("203.0.113.32")+ruleOne+pooled)
	echoTCP(t, n.far, "198.51.100.2:7")
	n.start()
	one := dial(t, n.hosts[0], "tcp", "198.51.100.2:7")
	for _, tt := range []struct{ name, text, want string }{
		{"a pool that changes", pool("203.0.113.33") + ruleOne + pooled, "changed nat.pool.cgn.addresses: sessions that end: 1"},
		{"a rule that goes", pool("203.0.113.33") + ruleOne, "removed nat.source.two: sessions that end: 1"},
	} {
		two := dial(t, n.hosts[1], "tcp", "198.51.100.2:7")
		if err := echoed(two, "before", 5*time.Second); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		n.write(tt.text)
		result, err := n.client().Reload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, c := range result.Changes {
			said = append(said, c.Kind+" "+c.Path+": "+c.Impact)
		}
		if got := strings.Join(said, ", "); got != tt.want {
			t.Errorf("%s: the reload says %q, want %q", tt.name, got, tt.want)
		}
		if got := n.rules()["two"]; got != 0 {
			t.Errorf("%s: %d sessions of rule two are left", tt.name, got)
		}
		if err := echoed(one, "after", 5*time.Second); err != nil {
			t.Errorf("%s: the connection of another rule: %v", tt.name, err)
		}
	}
}

// A session lives as long as the address that it is seen by: where an interface
// gives one up, that is said of the address.
func TestReloadEndsSessionsOfAnAddressThatGoes(t *testing.T) {
	n := newNATSite(t, ruleOne)
	echoTCP(t, n.far, "198.51.100.2:7")
	n.start()
	one := dial(t, n.hosts[0], "tcp", "198.51.100.2:7")
	if err := echoed(one, "before", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		addresses, want string
		sessions        int
	}{
		{`"203.0.113.1/24", "203.0.113.4/24"`, "", n.rules()["one"]},
		{`"203.0.113.4/24"`, "translated sessions by an address that goes end", 0},
	} {
		changed := strings.Replace(string(text), `"203.0.113.1/24"`, tt.addresses, 1)
		if err := os.WriteFile(n.config, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		result, err := n.client().Reload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Changes) != 1 || result.Changes[0].Impact != tt.want {
			t.Errorf("addresses %s: the reload says %+v, want %q of them", tt.addresses, result.Changes, tt.want)
		}
		if got := n.rules()["one"]; got != tt.sessions {
			t.Errorf("addresses %s: %d sessions, want %d", tt.addresses, got, tt.sessions)
		}
	}
}

// What translation refuses is refused with its line, and costs nobody a
// session.
func TestReloadRefusesNATBeforeItChangesAnything(t *testing.T) {
	n := newNATSite(t, ruleOne)
	echoTCP(t, n.far, "198.51.100.2:7")
	n.start()
	one := dial(t, n.hosts[0], "tcp", "198.51.100.2:7")
	if err := echoed(one, "before", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	n.write(ruleOne + `
[[nat.static]]
name = "a"
outside = "203.0.113.16/28"
inside = "10.0.1.16/28"
[[nat.static]]
name = "b"
outside = "203.0.113.20"
inside = "10.0.2.2"
`)
	_, err := n.client().Reload(t.Context())
	var refused *control.Error
	if !errors.As(err, &refused) {
		t.Fatalf("reload: %v, want it refused", err)
	}
	if said := fmt.Sprint(refused.Message, refused.Problems); !strings.Contains(said, "203.0.113.20") {
		t.Errorf("refused with %s, want the address that two rules have in it", said)
	}
	if err := echoed(one, "after", 5*time.Second); err != nil {
		t.Errorf("a connection after the refusal: %v", err)
	}
}
