// Package bfdtest is BFD at one moment, for tests of what is shown of it: nothing
// runs, every answer is the same.
package bfdtest

import (
	"net/netip"
	"time"

	"routerd/internal/protocols/running/runningtest"
	"routerd/routing"
	"routerd/routing/bfd"
	"routerd/routing/bfd/wire"
	"routerd/routing/keys"
)

var (
	began = runningtest.Began
	now   = runningtest.Now
)

// New returns BFD.
func New() *runningtest.Protocol { return runningtest.New(core{}) }

// core has a session that is up, one that went down, one over several hops that
// was never heard, and one that is shut.
type core struct{ runningtest.Still }

func (core) Sessions() []bfd.SessionInfo {
	const ms = time.Millisecond
	fast := bfd.DefaultProfile()
	fast.Transmit, fast.Receive = 50*ms, 50*ms
	sealed := bfd.DefaultProfile()
	sealed.Auth = bfd.Auth{Type: wire.MeticulousKeyedSHA1, Keys: keys.Chain{{ID: 1, Secret: []byte("s3cret")}}}
	addr := netip.MustParseAddr
	return []bfd.SessionInfo{
		{
			Address: addr("10.0.1.7"), Source: addr("10.0.1.1"), Link: 1, Configured: true, Profile: bfd.DefaultProfile(), ProfileName: "default",
			State: wire.AdminDown, RemoteState: wire.Down, Diagnostic: wire.AdministrativelyDown, Local: 77, Since: began, Transmit: time.Second,
			Counters: bfd.Counters{Sent: 3600},
		},
		{
			Address: addr("10.0.12.2"), Source: addr("10.0.12.1"), Link: 2, Clients: []string{"rip", "static"}, Profile: fast, ProfileName: "fast",
			State: wire.Up, RemoteState: wire.Up, Heard: true, Local: 3735928559, Remote: 16909060, Since: began.Add(time.Minute), LastHeard: now.Add(-12 * ms),
			Transmit: 50 * ms, Detection: 150 * ms, RemoteTransmit: 50 * ms, RemoteReceive: 10 * ms, RemoteEcho: 50 * ms, RemoteMultiplier: 3,
			Counters: bfd.Counters{Sent: 81234, Received: 80001, Ups: 2, Downs: 1, LongestSilence: 53 * ms, Refused: bfd.Refusals{bfd.HopLimit: 2}},
			Refused:  "TTL 254, want 255",
		},
		{
			Address: addr("10.0.13.3"), Source: addr("10.0.13.1"), Link: 3, Clients: []string{"static"}, Profile: fast, ProfileName: "fast",
			State: wire.Down, RemoteState: wire.Up, Diagnostic: wire.DetectionTimeExpired, Heard: true, Local: 5, Since: now.Add(-90 * time.Second), LastHeard: now.Add(-90 * time.Second),
			Transmit: time.Second, Detection: 150 * ms, RemoteTransmit: 50 * ms, RemoteReceive: 50 * ms, RemoteMultiplier: 3, Failed: true,
			Counters: bfd.Counters{Sent: 70100, Received: 70001, Ups: 1, Downs: 1, LongestSilence: 50 * ms},
		},
		{
			Address: addr("192.0.2.9"), Source: addr("192.0.2.1"), Link: routing.NoInterface, Multihop: true, Clients: []string{"bgp"}, Profile: sealed,
			State: wire.Down, RemoteState: wire.Down, Local: 9, Since: began, Transmit: time.Second,
			Counters: bfd.Counters{Sent: 4000, Refused: bfd.Refusals{bfd.Unauthentic: 9}}, Refused: "made with another secret: key 1",
		},
	}
}

func (core) Stray() bfd.Refusals { return bfd.Refusals{bfd.NoSession: 7} }

func (core) Summary() bfd.Summary {
	return bfd.Summary{
		Sessions: [wire.Up + 1]int{1, 2, 0, 1},
		Counters: bfd.Counters{Sent: 158934, Received: 150002, Ups: 3, Downs: 2, Refused: bfd.Refusals{bfd.NoSession: 7, bfd.HopLimit: 2, bfd.Unauthentic: 9}},
	}
}
