package access

import "fmt"

// Peer is the process at the other end of a unix socket, as the kernel knew it
// when it connected.
type Peer struct {
	UID    uint32   `json:"uid"`
	Groups []uint32 `json:"groups"` // its own first
}

// Roles say which peers of a unix socket have which role. The value is shared
// and must not be changed.
type Roles struct {
	UID map[uint32]Role
	GID map[uint32]Role
	// Own is the user that the router runs as.
	Own uint32
}

// Peer identifies a peer. Root and the router's own user are admins, whatever
// the maps say. For others the entry of the user decides; without one the
// highest of the entries of its groups; without any, who can open the socket
// may read.
func (r *Roles) Peer(p Peer) Identity {
	id := Identity{Name: fmt.Sprintf("uid %d", p.UID), Role: Nobody, Source: "unix socket", Peer: &p}
	role, named := r.UID[p.UID]
	switch {
	case p.UID == 0 || p.UID == r.Own:
		id.Role = Admin
	case named:
		id.Role = role
	default:
		for _, g := range p.Groups {
			id.Role = max(id.Role, r.GID[g])
		}
		id.Role = max(id.Role, Read)
	}
	return id
}
