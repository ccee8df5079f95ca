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

func TestLines(t *testing.T) {
	var table Table
	table.Add(Place{File: "r1.toml", Line: 3})
	a := table.AddLines("a.txt", 1_000_000)
	one := table.Add(Place{File: "r1.toml", Line: 4})
	for id, want := range map[ID]string{
		a: "a.txt", a + 1: "a.txt:1", a + 1_000_000: "a.txt:1000000", a + 1_000_001: "built-in default", one: "r1.toml:4",
	} {
		if got := table.Place(id).String(); got != want {
			t.Errorf("Place(%d) = %q, want %q", id, got, want)
		}
	}
	if a.File() != a || (a+7).File() != a || one.File() != one {
		t.Errorf("lines are of the files %d and %d, a key is of %d, want %d, %d and itself", a.File(), (a + 7).File(), one.File(), a, a)
	}
	var again Table
	if got := again.AddLines("a.txt", 5); got != a {
		t.Errorf("the same file is %d in the next configuration, want %d as before", got, a)
	}
}
