// Package protocols lists the routing protocols that routerd speaks. Each is
// joined to the rest of the router in a package below this one; whoever has to
// do something for every protocol ranges over the list.
package protocols

import (
	"routerd/internal/protocols/rip"
	"routerd/internal/router"
)

// Kinds are the protocols in the order in which they are listed to people.
func Kinds() []router.Kind {
	return rip.Kinds()
}
