package daemon

import (
	"net/netip"
	"testing"
	"time"

	"routerd/internal/control"
	"routerd/internal/events"
	"routerd/routing"
)

// A protocol that hears of an interface reports what becomes of a neighbour before the
// loop has told of the interface: the neighbour still follows from the interface, and
// comes after it.
func TestProtocolEventFollowsFromItsInterface(t *testing.T) {
	for _, told := range []bool{true, false} {
		tell := newTeller("r1")
		const link = routing.InterfaceID(7)
		before := tell.desk.Report(events.Report{Topic: tell.topic.iface, Key: "lan0"})
		tell.causes.note(link, before, time.Now())

		tell.linkChanging(link)
		tell.linkChanging(link) // of several protocols
		neighbor := netip.MustParseAddr("10.0.1.2")
		tell.desk.Report(events.Report{
			Topic: tell.topic.protocols["ospf"], Key: control.NeighborKey(neighbor, "lan0"),
			Cause: tell.causes.of(time.Now(), path{link, neighbor}, link),
		})
		if list, _ := tell.desk.Take(); len(list) != 1 || list[0].Token != before {
			t.Fatalf("before the interface is told, %+v may be", list)
		}
		if told {
			token := tell.reportLink(link, events.Report{Topic: tell.topic.iface, Key: "lan0", Why: "it is down"})
			tell.causes.note(link, token, time.Now())
		}
		tell.dropHeld()
		list, _ := tell.desk.Take()
		if told && (len(list) != 2 || list[0].Why != "it is down" || list[1].Cause != list[0].Token) {
			t.Errorf("the reports are %+v, wanted the interface and what follows from it", list)
		}
		if !told && (len(list) != 1 || tell.causes.of(time.Now(), link) != before) {
			t.Errorf("with nothing to tell of the interface the reports are %+v, and the latest about it %d: wanted %d", list, tell.causes.of(time.Now(), link), before)
		}
	}
}
