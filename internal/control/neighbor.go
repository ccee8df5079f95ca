package control

import (
	"net/netip"
	"net/url"
	"strconv"
)

// NeighborQuery chooses neighbours. The zero query is all of them.
type NeighborQuery struct {
	Interface string
	Address   netip.Addr
	Family    int // 4 or 6; 0 = both; of no effect on ClearNeighbors
}

// NeighborList is the answer to /v1/neighbor.
type NeighborList struct {
	Neighbors []Neighbor   `json:"neighbors"`
	Own       []OwnAddress `json:"own_addresses,omitempty"` // of the router on the same links
}

// OwnAddress is an address of the router's on an Ethernet link, and whether it
// may use it there.
type OwnAddress struct {
	Address   netip.Prefix `json:"address"` // host bits kept
	Interface string       `json:"interface"`
	State     string       `json:"state"` // tentative: being asked for | usable | duplicate: another station has it
}

// Neighbor is one station on an Ethernet link.
type Neighbor struct {
	Address   netip.Addr `json:"address"`
	MAC       string     `json:"mac,omitempty"` // absent while incomplete or failed
	Interface string     `json:"interface"`
	State     string     `json:"state"`  // failed | incomplete | reachable | stale | delay | probe | static
	Age       float64    `json:"age"`    // seconds since the MAC was learned or confirmed; while incomplete since the first packet, while failed since then
	Held      int        `json:"held"`   // packets that wait for the answer
	Router    bool       `json:"router"` // by its own advertisement
}

// ClearResult is what a clear has done.
type ClearResult struct {
	Cleared int `json:"cleared"` // neighbours
}

func (q *query) neighbor() NeighborQuery {
	return NeighborQuery{Interface: q.text("interface"), Address: q.addr("address")}
}

// values puts the query into a URL's form.
func (q NeighborQuery) values() url.Values {
	v := url.Values{}
	if q.Interface != "" {
		v.Set("interface", q.Interface)
	}
	if q.Address.IsValid() {
		v.Set("address", q.Address.String())
	}
	if q.Family != 0 {
		v.Set("family", strconv.Itoa(q.Family))
	}
	return v
}
