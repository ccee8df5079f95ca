package bench

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallTable is a file of a few prefixes, which stand for a full table's.
func smallTable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.txt.gz")
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte("198.18.0.0/16\n10.0.0.0/8\n2001:db8::/32\n203.0.113.0/24\n192.0.2.7/32\n"))
	if err = errors.Join(err, w.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTable(t *testing.T) {
	table, err := readTable(smallTable(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "198.18.0.0/16 10.0.0.0/8 203.0.113.0/24 192.0.2.7/32"
	var got []string
	for _, p := range table {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("prefixes of IPv4: -want +got\n%s", diff)
	}
	list := destinations(table, 1000)
	seen := map[netip.Prefix]bool{}
	for i := 0; i < len(list); i += 4 {
		a := netip.AddrFrom4([4]byte(list[i:]))
		for _, p := range table {
			if p.Contains(a) {
				seen[p] = true
			}
		}
	}
	for i, p := range table {
		if inside := seen[p]; inside == (i == 1) { // 10.0.0.0/8 is where the links are
			t.Errorf("flows go to an address in %s: %v", p, inside)
		}
	}
	if len(list) != 4000 || !bytes.Equal(list, destinations(table, 1000)) {
		t.Errorf("%d bytes of 1000 destinations, or others the second time", len(list))
	}
}

func TestTableThatCannotBeRead(t *testing.T) {
	if _, err := readTable(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrSkip) {
		t.Errorf("a table that is not there: %v, wanted it to be left out", err)
	}
	for name, text := range map[string]string{"empty": "", "IPv6 alone": "2001:db8::/32\n", "no prefix": "10.0.0.0\n"} {
		path := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readTable(path); err == nil || errors.Is(err, ErrSkip) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, wanted an error that names the file", name, err)
		}
	}
}

func TestRoutesOfATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes")
	s := &Site{Options: DefaultOptions()}
	if err := writeRoutes(path, tenRoutes(nil), s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.HasPrefix(got, "0.0.0.0/3 via 10.77.2.64\n32.0.0.0/3 via 10.77.2.65\n") || strings.Count(got, "\n") != 8 {
		t.Errorf("routes are\n%s", got)
	}
}

func TestPacketConfig(t *testing.T) {
	s := &Site{Options: DefaultOptions()}
	want := `
[interface.lan0]
kind = "packet"
netns = "r"
device = "eth0"
addresses = ["10.77.1.1/24"]
offload = "auto"

[interface.lan1]
kind = "packet"
netns = "r"
device = "eth1"
addresses = ["10.77.2.1/24"]
offload = "auto"
`
	if diff := cmp.Diff(want, packetConfig(s, "r", "auto")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := packetConfig(s, "r", ""); strings.Contains(got, "offload") {
		t.Errorf("an earlier daemon is told of the flow cache:\n%s", got)
	}
}

func TestMedianOfEchoes(t *testing.T) {
	var a asker
	if got := a.median(); got != 0 {
		t.Errorf("median of nothing is %d", got)
	}
	a.took = append(a.took, 5, 1, 3)
	if got := a.median(); got != 3 {
		t.Errorf("median of 5, 1 and 3 is %d", got)
	}
	if got := a.median(); got != 0 {
		t.Errorf("the second time the median is %d, wanted nothing since the first", got)
	}
}
