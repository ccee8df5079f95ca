package ospf

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

func TestElect(t *testing.T) {
	c := func(router wire.ID, priority uint8, dr, bdr wire.ID) Candidate {
		return Candidate{router, router * 10, priority, dr, bdr}
	}
	for _, tt := range []struct {
		name   string
		self   Candidate
		others []Candidate
		want   Elected
	}{
		{"alone", c(1, 1, 0, 0), nil, Elected{10, 0, InterfaceDR}},
		{"alone, not eligible", c(1, 0, 0, 0), nil, Elected{0, 0, InterfaceDROther}},
		{"nobody has declared anything: by router ID", c(1, 1, 0, 0), []Candidate{c(2, 1, 0, 0)}, Elected{20, 20, InterfaceDROther}},
		{"the same, seen by the highest: once more, so that it is not both", c(2, 1, 0, 0), []Candidate{c(1, 1, 0, 0)}, Elected{20, 10, InterfaceDR}},
		{"then by the other", c(1, 1, 0, 0), []Candidate{c(2, 1, 20, 10)}, Elected{20, 10, InterfaceBackup}},
		{"by priority", c(1, 9, 0, 0), []Candidate{c(2, 1, 0, 0)}, Elected{10, 20, InterfaceDR}},
		{"whoever is DR stays it", c(3, 255, 0, 0), []Candidate{c(1, 1, 10, 20), c(2, 1, 10, 20)}, Elected{10, 20, InterfaceDROther}},
		{"two say to be DR: by priority", c(1, 1, 10, 0), []Candidate{c(2, 2, 20, 0)}, Elected{20, 10, InterfaceBackup}},
		{"the DR is gone: the BDR is it, and another BDR", c(2, 1, 10, 20), []Candidate{c(3, 1, 10, 20), c(4, 1, 10, 20)}, Elected{20, 40, InterfaceDR}},
		{"the same, seen by a third: both at first", c(3, 1, 10, 20), []Candidate{c(2, 1, 10, 20), c(4, 1, 10, 20)}, Elected{20, 20, InterfaceDROther}},
		{"the same, when the BDR has said so", c(4, 1, 10, 20), []Candidate{c(2, 1, 20, 40), c(3, 1, 20, 20)}, Elected{20, 40, InterfaceBackup}},
		{"who says to be both is DR", c(1, 1, 0, 0), []Candidate{c(2, 1, 20, 20)}, Elected{20, 10, InterfaceBackup}},
		{"priority 0 is never elected", c(1, 1, 0, 0), []Candidate{c(2, 0, 20, 0), c(3, 0, 0, 30)}, Elected{10, 0, InterfaceDR}},
		{"a DR that is not eligible any more", c(1, 0, 10, 20), []Candidate{c(2, 1, 10, 20)}, Elected{20, 20, InterfaceDROther}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Elect(tt.self, tt.others); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Routers that hear each other agree, whatever they had declared before and in
// whatever order they calculate: on a DR and another BDR, of the eligible ones. One
// that comes then changes neither, whatever its priority.
func TestElectionSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "routers")
		list := make([]Candidate, n)
		eligible := 0
		name := rapid.SampledFrom([]wire.ID{0, 10, 20, 30, 40, 50, 60})
		for i := range list {
			list[i] = Candidate{wire.ID(i + 1), wire.ID(10 * (i + 1)), rapid.Uint8Range(0, 2).Draw(t, "priority"), name.Draw(t, "DR"), name.Draw(t, "BDR")}
			if list[i].Priority > 0 {
				eligible++
			} else { // never declares itself
				list[i].DR, list[i].BDR = 0, 0
			}
		}
		settle := func() {
			for range rapid.IntRange(0, 10).Draw(t, "calculations") {
				calculate(list, rapid.IntRange(0, len(list)-1).Draw(t, "by"))
			}
			for range 10 {
				quiet := true
				for i := range list {
					quiet = !calculate(list, i) && quiet
				}
				if quiet {
					return
				}
			}
			t.Fatalf("not settled: %+v", list)
		}
		settle()
		dr, bdr := list[0].DR, list[0].BDR
		for _, c := range list {
			if c.DR != dr || c.BDR != bdr {
				t.Fatalf("not of one mind: %+v", list)
			}
		}
		if (dr != 0) != (eligible > 0) || (bdr != 0) != (eligible > 1) || dr != 0 && dr == bdr {
			t.Fatalf("of %d eligible, DR %v and BDR %v", eligible, dr, bdr)
		}
		for _, c := range list {
			if c.Priority == 0 && (c.Name == dr || c.Name == bdr) {
				t.Fatalf("%v is not eligible", c.Name)
			}
		}
		if eligible < 2 {
			return
		}
		list = append(list, Candidate{99, 990, 255, 0, 0})
		settle()
		if list[0].DR != dr || list[0].BDR != bdr {
			t.Fatalf("DR %v and BDR %v, were %v and %v before one with priority 255 came", list[0].DR, list[0].BDR, dr, bdr)
		}
	})
}

// calculate has one router elect, and reports whether it names others now.
func calculate(list []Candidate, i int) bool {
	others := slices.Concat(list[:i], list[i+1:])
	e := Elect(list[i], others)
	before := list[i]
	list[i].DR, list[i].BDR = e.DR, e.BDR
	return list[i] != before
}
