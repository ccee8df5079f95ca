// Package ospftest is OSPF at one moment, for tests of what is shown of it: nothing
// runs, every answer is the same.
package ospftest

import (
	"net/netip"

	"routerd/internal/protocols/running/runningtest"
)

var (
	began = runningtest.Began
	now   = runningtest.Now
	pfx   = netip.MustParsePrefix
	addr  = netip.MustParseAddr
)

// New returns OSPF.
func New() *runningtest.Protocol { return runningtest.New(core{}) }

// core has the methods of ospf.Machine that the nouns use.
type core struct{ runningtest.Still }
