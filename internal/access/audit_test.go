package access

import (
	"fmt"
	"testing"
)

// The latest entries are remembered in order, and each is passed on once.
func TestAudit(t *testing.T) {
	var told []uint64
	a := NewAudit(func(e Entry) { told = append(told, e.Number) })
	if list := a.Last(5); list == nil || len(list) != 0 {
		t.Errorf("at first: %+v", list)
	}
	const n = 2*AuditSize + 7
	for i := range n {
		a.Add(Entry{Action: fmt.Sprint(i + 1)})
		if want := min(i+1, 3); len(a.Last(3)) != want {
			t.Fatalf("after %d entries the last 3 are %+v", i+1, a.Last(3))
		}
	}
	for _, ask := range []int{-1, 0, 1, AuditSize, AuditSize + 1} {
		list := a.Last(ask)
		if want := min(max(ask, 0), AuditSize); len(list) != want {
			t.Errorf("asked for %d there are %d, want %d", ask, len(list), want)
		}
		for i, e := range list {
			if want := uint64(n - len(list) + i + 1); e.Number != want || e.Action != fmt.Sprint(want) {
				t.Fatalf("of the last %d entry %d is %+v, want number %d", ask, i, e, want)
			}
		}
	}
	for i, number := range told {
		if number != uint64(i+1) {
			t.Fatalf("entry %d was passed on as the %dth", number, i+1)
		}
	}
	if len(told) != n {
		t.Errorf("%d entries were passed on, want %d", len(told), n)
	}
}
