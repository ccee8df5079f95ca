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

// What follows from a report that is not known yet stays behind it.
func TestDeskHolds(t *testing.T) {
	d := NewDesk()
	d.Report(Report{Topic: route, Key: "before"})
	place, other := d.Hold(), d.Hold()
	d.Report(Report{Topic: drop, Key: "follows", Cause: place})
	if list, _ := d.Take(); len(list) != 1 || list[0].Key != "before" {
		t.Fatalf("took %+v, wanted what is before the place", list)
	}
	<-d.Waiting()
	d.Drop(other)
	if list, _ := d.Take(); len(list) != 0 {
		t.Fatalf("took %+v of behind the place", list)
	}
	<-d.Waiting()
	if token := d.Fill(place, Report{Topic: link, Key: "lan0"}); token != place {
		t.Errorf("the report has token %d, its place had %d", token, place)
	}
	<-d.Waiting()
	list, _ := d.Take()
	if len(list) != 2 || list[0].Key != "lan0" || list[0].Token != place || list[1].Cause != place {
		t.Errorf("took %+v", list)
	}
	d.Drop(place) // it was filled
	if token := d.Fill(place, Report{Topic: link, Key: "lan1"}); token == place || token == 0 {
		t.Errorf("a second report has the token %d of the first", token)
	}
	for d.Hold() != 0 {
	}
	if token := d.Fill(0, Report{Topic: link}); token != 0 {
		t.Errorf("a report without room has token %d", token)
	}
	if room := d.Room(); room != 0 {
		t.Errorf("there is room for %d", room)
	}
}

// A place that finds no room is not a report that was missed: there may be none, and its
// topic is not known.
func TestDeskHasNoPlace(t *testing.T) {
	d := NewDesk()
	for range MaxReports {
		d.Report(Report{Topic: 3})
	}
	place := d.Hold()
	if place != 0 {
		t.Errorf("a full desk keeps the place %d", place)
	}
	if d.Fill(place, Report{Topic: 2}) != 0 {
		t.Error("a full desk takes a report")
	}
	d.Drop(d.Hold())
	list, missed := d.Take()
	if len(list) != MaxReports || len(missed) != 1 || missed[2] != 1 {
		t.Errorf("%d reports, and %v found no room, want %d and one of the topic 2", len(list), missed, MaxReports)
	}
}
