// Package bgptest is BGP at one moment, for tests of what is shown of it: nothing runs,
// every answer is the same.
package bgptest

import (
	"errors"
	"net/netip"
	"time"

	"routerd/internal/protocols/running/runningtest"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

var (
	began = runningtest.Began
	now   = runningtest.Now
	addr  = netip.MustParseAddr
)

// New returns BGP.
func New() *runningtest.Protocol { return runningtest.New(core{}) }

// core answers what the nouns ask.
type core struct{ runningtest.Still }

// Status is that of a router with a full table.
func (core) Status() bgp.Status {
	s := bgp.Status{AS: 65001, RouterID: 0x0aff0001, ClusterID: 0x0aff0001, Strangers: 3, Sets: 173_021, SetOctets: 9_876_543}
	s.Listening[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	s.Families[wire.IPv4Unicast] = bgp.TableStatus{Prefixes: 901_899, Routes: 901_903, Octets: 52_345_678, Kept: 901_929, KeptOctets: 52_345_678}
	s.Families[wire.IPv6Unicast] = bgp.TableStatus{Prefixes: 12, Routes: 14, Octets: 163_840}
	return s
}

// Neighbors are a transit, one without policies, one that is shut down, one on a link
// that does not answer, and one that had too many prefixes.
func (core) Neighbors() []bgp.NeighborStatus {
	list := []bgp.NeighborStatus{
		{
			Address: addr("198.51.100.1"), Link: 1, Local: addr("198.51.100.2"), AS: 64500, Description: "ISP-A", RouterID: 0xc6336401,
			State: bgp.Established, Since: began.Add(time.Minute), HoldTime: 90 * time.Second, Keepalive: 30 * time.Second,
			Counts: bgp.NeighborCounts{Updates: 173_400, Announcements: 901_950, Withdrawals: 12, Refused: 1, Filtered: 40, Sent: 4, Withdrawn: 1},
		},
		{
			Address: addr("10.0.12.2"), Link: 2, Local: addr("10.0.12.1"), AS: 65002, RouterID: 0x0aff0002, State: bgp.Established, Since: began,
			HoldTime: 9 * time.Second, Keepalive: 3 * time.Second,
			Counts: bgp.NeighborCounts{Updates: 3, Announcements: 901_899, NoPolicy: 901_899},
		},
		{Address: addr("10.0.12.3"), Link: routing.NoInterface, AS: 65001, Since: began, Shutdown: true},
		{
			Address: addr("fe80::9"), Interface: "core1", Link: 3, AS: 65003, State: bgp.Active, Since: now.Add(-42 * time.Second),
			Last: bgp.Ending{Time: now.Add(-2 * time.Second), Event: bgp.TCPConnectionFails, Err: errors.New("the other side does not answer")},
		},
		{
			Address: addr("2001:db8::9"), Link: routing.NoInterface, AS: 65004, Since: now.Add(-time.Minute), Held: true,
			Last: bgp.Ending{
				Time: now.Add(-time.Minute), Event: bgp.ManualStop,
				Notification: wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseMaxPrefixes},
			},
		},
	}
	four, six := &list[0].Families[wire.IPv4Unicast], &list[0].Families[wire.IPv6Unicast]
	*four = bgp.FamilyStatus{Enabled: true, Spoken: true, Announced: 901_930, Accepted: 901_889, Sent: 3, Kept: 901_929, KeptOctets: 52_345_678, Whole: true, PathsSent: true}
	*six = bgp.FamilyStatus{Enabled: true, Announced: 20, Stale: 2}
	list[1].Families[wire.IPv4Unicast] = bgp.FamilyStatus{Enabled: true, Spoken: true, Announced: 901_899, NoImport: true, NoExport: true}
	for i := 2; i < len(list); i++ {
		list[i].Families[wire.IPv6Unicast].Enabled = true
	}
	return list
}
