package show

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	m.Run()
}

// drawn draws rows on a screen without colour.
func drawn[R any](wide bool, rows ...R) string {
	var b bytes.Buffer
	Rows(&Screen{Writer: &b, Wide: wide}, rows)
	return b.String()
}

type hop struct {
	Address netip.Addr `show:"next hop"`
	Weight  int        `show:"weight,right,wide"`
}

type ports struct {
	TCP int `show:"tcp,amount"`
	UDP int `show:"udp,amount"`
}

func (p ports) Cell(s *Screen) Cell { return Cell{Text: s.Amount(uint64(p.TCP + p.UDP)), Style: Faint} }

type everything struct {
	Name   string       `json:"name" show:"name"`
	Since  time.Time    `json:"since" show:"since,after=left"`
	State  string       `json:"state" show:"state,good=up,bad=down|gone"`
	Hops   []hop        `json:"hops" show:",lines"`
	Groups []netip.Addr `json:"groups" show:"groups,lines,optional"`
	Left   float64      `json:"left" show:"left,seconds,blank"`
	Bytes  uint64       `json:"bytes" show:"bytes,bytes"`
	Packet int          `json:"packets" show:"packets,amount,bad"`
	On     bool         `json:"on" show:"mode,yes=active,no=passive"`
	Ready  bool         `json:"ready" show:"ready"`
	Rules  []string     `json:"rules" show:"rules,commas,none=(own)"`
	Keys   []int        `json:"keys" show:"keys,optional"`
	Used   ports        `json:"used" show:"used,right,inline=wide"`
	Hidden string       `json:"hidden"`
}

func TestRows(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	rows := []everything{
		{
			Name: "eth0", Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), State: "up", Hops: []hop{{a, 1}, {b, 20}}, Groups: []netip.Addr{a, a, b},
			Left: 61.25, Bytes: 123_456, Packet: 12_345, On: true, Ready: true, Rules: []string{"x", "y"}, Keys: []int{1, 2}, Used: ports{1, 20_000}, Hidden: "secret",
		},
		{State: "idle", Hops: []hop{{}}},
	}
	for _, c := range []struct {
		wide bool
		want string
	}{
		{false, `
NAME  STATE  NEXT HOP     GROUPS        LEFT  SINCE                   BYTES  PACKETS  MODE     READY  RULES  KEYS   USED
eth0  up     10.0.0.1     10.0.0.1      1m1s  2026-03-01T12:00:00Z   123 kB    12.3k  active   yes    x, y   1 2   20.0k
             2001:db8::1  10.0.0.1
                          2001:db8::1
      idle                                                              0 B        0  passive         (own)            0
`},
		{true, `
NAME  STATE  NEXT HOP     WEIGHT  GROUPS         LEFT  SINCE                  BYTES  PACKETS  MODE     READY  RULES  KEYS   USED  TCP    UDP
eth0  up     10.0.0.1          1  10.0.0.1     1m1.25s  2026-03-01T12:00:00Z  123456    12345  active   yes    x, y   1 2   20001    1  20000
             2001:db8::1      20  10.0.0.1
                                  2001:db8::1
      idle                     0                                                  0        0  passive         (own)            0    0      0
`},
	} {
		got := drawn(c.wide, rows...)
		if squeezed(got) != squeezed(c.want) {
			t.Errorf("wide %t: got\n%swant\n%s", c.wide, got, c.want)
		}
		if wide := strings.Contains(got, "secret"); wide {
			t.Error("a field without a tag is shown")
		}
	}
	if empty := drawn[everything](false); strings.Contains(empty, "GROUPS") || !strings.HasPrefix(empty, "NAME  STATE  NEXT HOP  LEFT") {
		t.Errorf("without rows: %q", empty)
	}
}

// squeezed is a table without its alignment, which other tests are about.
func squeezed(table string) string {
	var lines []string
	for l := range strings.Lines(strings.TrimPrefix(table, "\n")) {
		lines = append(lines, strings.Join(strings.Fields(l), " "))
	}
	return strings.Join(lines, "\n")
}

// The style of a cell follows from what it says.
func TestRowStyles(t *testing.T) {
	var b bytes.Buffer
	Rows(&Screen{Writer: &b, Colour: true}, []everything{{State: "up", Packet: 3}, {State: "gone"}, {State: "idle"}})
	for _, want := range []string{string(Good) + "up", string(Bad) + "gone", string(Bad) + "3", string(Faint) + "(own)", string(Bold) + "NAME"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %q", want, b.String())
		}
	}
	for _, not := range []string{string(Bad) + "0", string(Good) + "idle"} {
		if strings.Contains(b.String(), not) {
			t.Errorf("%q in %q", not, b.String())
		}
	}
}

// A tag that says what there is not is a mistake that the first drawing finds.
func TestRowTagMistakes(t *testing.T) {
	type misspelt struct {
		A int `show:"a,rigth"`
	}
	type behind struct {
		A int `show:"a,after=b"`
	}
	for what, draw := range map[string]func() string{
		"an unknown option": func() string { return drawn[misspelt](false) },
		"no such column":    func() string { return drawn[behind](false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s went unnoticed", what)
				}
			}()
			draw()
		}()
	}
}

// What is drawn of a row costs the type's tags once.
func TestSheetIsKept(t *testing.T) {
	a, b := sheetOf(reflect.TypeFor[everything]()), sheetOf(reflect.TypeFor[everything]())
	if &a[0] != &b[0] {
		t.Error("the tags of a type were read twice")
	}
}
