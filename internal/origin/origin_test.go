package origin

import "testing"

func TestTable(t *testing.T) {
	var table Table
	a := table.Add(Place{File: "r1.toml", Line: 3, Column: 7})
	b := table.Add(Place{File: "r1.toml", Line: 3, Column: 7})
	if a == None || b == None || a == b {
		t.Errorf("numbers %d and %d, want two that differ and are not None", a, b)
	}
	for id, want := range map[ID]string{
		a: "r1.toml:3", b: "r1.toml:3", None: "built-in default", b + 1: "built-in default",
	} {
		if got := table.Place(id).String(); got != want {
			t.Errorf("Place(%d) = %q, want %q", id, got, want)
		}
	}
	var none *Table
	if got := none.Place(1); got != (Place{}) {
		t.Errorf("a missing table gives %+v, want nothing", got)
	}
}
