package ospf

import "routerd/routing/ospf/wire"

// greets reports whether a neighbour that is greeted alone is to be greeted now.
func (m *Machine) greets(n *neighbor) bool { return true }

// greetEligible begins with the neighbours that may become DR.
func (m *Machine) greetEligible(l *link) {}

// attempt goes on with a configured neighbour that is down.
func (m *Machine) attempt(n *neighbor) {}

// virtualFrom gives the virtual link that packets of a router come by from an area.
func (m *Machine) virtualFrom(l *link, router wire.ID) *link { return nil }

// heard notes that a neighbour has sent something.
func (m *Machine) heard(n *neighbor) {}
