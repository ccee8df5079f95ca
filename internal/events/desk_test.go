package events

import (
	"sync"
	"testing"
)

func TestDesk(t *testing.T) {
	d := NewDesk()
	carrier := d.Report(Report{Topic: link, Key: "lan0"})
	d.Report(Report{Topic: route, Key: "10.0.0.0/8", Cause: carrier})
	<-d.Waiting()
	list, missed := d.Take()
	if len(list) != 2 || list[1].Cause != list[0].Token || missed != nil {
		t.Fatalf("took %+v, %v", list, missed)
	}
	d.Became(carrier, 184_459)
	if n := d.Number(list[1].Cause); n != 184_459 {
		t.Errorf("the cause is event %d", n)
	}
	if n := d.Number(0); n != 0 {
		t.Errorf("no cause is event %d", n)
	}
	if n := d.Number(carrier + remembered); n != 0 {
		t.Errorf("another report is event %d", n)
	}
}

// A report never waits: what has no room is counted, and the rest is whole and in
// order.
func TestDeskNeverWaits(t *testing.T) {
	d := NewDesk()
	var all sync.WaitGroup
	const each = MaxReports
	for range 4 {
		all.Go(func() {
			for range each {
				d.Report(Report{Topic: drop})
			}
		})
	}
	all.Wait()
	list, missed := d.Take()
	if len(list) != MaxReports || missed[drop] != 4*each-MaxReports || d.Room() != MaxReports {
		t.Errorf("%d reports and %d missed, room for %d", len(list), missed[drop], d.Room())
	}
	for i, x := range list {
		if x.Token != Token(i+1) {
			t.Fatalf("report %d has token %d", i, x.Token)
		}
	}
	if list, missed := d.Take(); len(list) > 0 || missed != nil {
		t.Errorf("then %d reports and %v missed", len(list), missed)
	}
}
