package ospf

import (
	"cmp"
	"slices"

	"routerd/routing/ospf/wire"
)

// Candidate is a router on a network as the election of the designated router sees
// it (RFC 2328 §9.4).
type Candidate struct {
	Router wire.ID
	// Name is what Hellos call it: its address on the network, and in version 3 its
	// router ID.
	Name     wire.ID
	Priority uint8
	// DR and BDR are whom its Hellos name; 0 is nobody.
	DR, BDR wire.ID
}

func (c *Candidate) saysDR() bool  { return c.DR == c.Name }
func (c *Candidate) saysBDR() bool { return c.BDR == c.Name }

// Elected is the outcome: the names of both, 0 where there is none, and what the
// calculating router is.
type Elected struct {
	DR, BDR wire.ID
	State   InterfaceState
}

// Elect elects the DR and the BDR of a network. Self is the calculating router with
// whom it has named so far, others are those in 2-Way or above.
func Elect(self Candidate, others []Candidate) Elected {
	list := append([]Candidate{self}, others...)
	list = slices.DeleteFunc(list, func(c Candidate) bool { return c.Priority == 0 })
	was := self
	r := elect(list)
	// (4): once more if the router's own role is another one now, so that it does not
	// become both.
	if (r.DR == self.Name) != was.saysDR() || (r.BDR == self.Name) != was.saysBDR() {
		for i := range list {
			if list[i].Router == self.Router {
				list[i].DR, list[i].BDR = r.DR, r.BDR
			}
		}
		r = elect(list)
	}
	switch {
	case self.Priority == 0:
		r.State = InterfaceDROther
	case r.DR == self.Name:
		r.State = InterfaceDR
	case r.BDR == self.Name:
		r.State = InterfaceBackup
	default:
		r.State = InterfaceDROther
	}
	return r
}

// elect is steps (2) and (3) of RFC 2328 §9.4.
func elect(list []Candidate) (r Elected) {
	higher := func(a, b *Candidate) bool {
		return b == nil || cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Router, b.Router)) > 0
	}
	var dr, bdr, highest *Candidate
	for i := range list {
		c := &list[i]
		switch {
		case c.saysDR():
			if higher(c, dr) {
				dr = c
			}
			continue // no BDR, whatever else it says
		case c.saysBDR() && higher(c, bdr):
			bdr = c
		}
		if higher(c, highest) {
			highest = c
		}
	}
	if bdr == nil {
		bdr = highest
	}
	if dr == nil {
		dr = bdr
	}
	if dr != nil {
		r.DR = dr.Name
	}
	if bdr != nil {
		r.BDR = bdr.Name
	}
	return r
}
