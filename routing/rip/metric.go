package rip

import "routerd/routing/rip/wire"

// Infinity is the metric of an unreachable destination.
const Infinity = wire.Infinity

// CapMetric limits a metric to Infinity (RFC 2453 §3.9.2).
func CapMetric[M uint8 | uint32](m M) uint8 { return uint8(min(m, Infinity)) }
