package access

import (
	"fmt"
	"slices"
)

// Role is what somebody may do. Each role may do all that the lower ones may.
type Role uint8

// The roles. The zero Role may do nothing.
const (
	Nobody Role = iota
	Read
	Operate
	Admin
)

var roleNames = []string{"nobody", "read", "operate", "admin"}

// RoleNames are the names of the roles that can be given, from the lowest.
func RoleNames() []string { return slices.Clone(roleNames[Read:]) }

func (r Role) String() string { return roleNames[r] }

// May reports whether r may do what takes the role needed.
func (r Role) May(needed Role) bool { return r != Nobody && r >= needed }

// Set parses the name of a role that can be given.
func (r *Role) Set(name string) error {
	i := slices.Index(roleNames, name)
	if i < int(Read) {
		return fmt.Errorf("wanted read, operate or admin")
	}
	*r = Role(i)
	return nil
}

// MarshalText gives the name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses the name of a role, that of nobody too.
func (r *Role) UnmarshalText(text []byte) error {
	i := slices.Index(roleNames, string(text))
	if i < 0 {
		return fmt.Errorf("the role %q: wanted one of %v", text, roleNames)
	}
	*r = Role(i)
	return nil
}
