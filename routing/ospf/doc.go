// Package ospf is the parts of OSPF that are values, without a packet, a clock or
// a goroutine of their own (RFC 2328).
//
//	newer.go      which of two instances of an LSA is the newer one (§13.1)
//	database.go   the link-state database: finding, installing, removing (§13.2)
//	receive.go    what becomes of an LSA that was received (§13)
//	age.go        ages, refreshing and flushing (§14)
//	originate.go  the router's own LSAs (§12.4, §12.1.6, §13.4)
//
// Each LSA waits for one time, the next one at which its age matters, and nothing
// is done for it until then: an age is the time since it was zero.
//
// # Deviations
//
//   - §13.4 floods a received LSA that claims to be the router's own before its
//     successor; here the successor alone is flooded ([Database.Reclaim]).
//   - An age above MaxAge, as that of RFC 1793 that stands still, counts as MaxAge:
//     demand circuits are not spoken.
package ospf
