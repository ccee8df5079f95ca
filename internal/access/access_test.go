package access

import (
	"context"
	"errors"
	"testing"
)

// Root and the router's own user cannot be locked out, an entry of the user
// goes before those of its groups, and of these the highest counts.
func TestPeer(t *testing.T) {
	roles := &Roles{
		UID: map[uint32]Role{0: Read, 900: Read, 1000: Operate, 1001: Read, 1002: Admin},
		GID: map[uint32]Role{10: Operate, 11: Admin, 12: Read},
		Own: 900,
	}
	for _, c := range []struct {
		uid    uint32
		groups []uint32
		want   Role
	}{
		{0, nil, Admin},
		{900, []uint32{12}, Admin},
		{1000, nil, Operate},
		{1000, []uint32{11}, Operate},
		{1001, []uint32{10, 11}, Read},
		{1002, nil, Admin},
		{2000, nil, Read},
		{2000, []uint32{13}, Read},
		{2000, []uint32{12, 10}, Operate},
		{2000, []uint32{11, 10, 12}, Admin},
	} {
		id := roles.Peer(Peer{c.uid, c.groups})
		if id.Role != c.want {
			t.Errorf("uid %d of the groups %v: %v, want %v", c.uid, c.groups, id.Role, c.want)
		}
		if id.Name == "" || id.Source != "unix socket" || id.Ended != nil {
			t.Errorf("uid %d: %+v", c.uid, id)
		}
	}
	// As it is without any configuration.
	if got := (&Roles{Own: 5}).Peer(Peer{UID: 6}); got.Role != Read {
		t.Errorf("without roles another user: %v, want read", got.Role)
	}
}

func TestMay(t *testing.T) {
	for have := Nobody; have <= Admin; have++ {
		for need := Nobody; need <= Admin; need++ {
			if got, want := have.May(need), have != Nobody && have >= need; got != want {
				t.Errorf("%v may what takes %v: %t, want %t", have, need, got, want)
			}
		}
	}
}

func TestRoleText(t *testing.T) {
	for _, name := range RoleNames() {
		var r Role
		if err := r.UnmarshalText([]byte(name)); err != nil || r.String() != name {
			t.Errorf("%q is read as %v, %v", name, r, err)
		}
	}
	for r := Nobody; r <= Admin; r++ { // as an audit has them
		text, err := r.MarshalText()
		var again Role
		if err := errors.Join(err, again.UnmarshalText(text)); err != nil || again != r {
			t.Errorf("%v is written as %q and read as %v, %v", r, text, again, err)
		}
	}
	if err := new(Role).UnmarshalText([]byte("root")); err == nil {
		t.Error("root is read as a role")
	}
	for _, name := range []string{"", "nobody", "Admin", "root"} {
		var r Role
		if err := r.Set(name); err == nil || r != Nobody {
			t.Errorf("%q is read as %v without an error", name, r)
		}
	}
}

// Nobody has rights by not being known.
func TestFrom(t *testing.T) {
	if id := From(context.Background()); id.Role.May(Nobody) {
		t.Errorf("a context without an identity gives %+v, which may something", id)
	}
	want := Identity{Name: "uid 7", Role: Operate, Source: "unix socket"}
	if id := From(With(context.Background(), want)); id != want {
		t.Errorf("got %+v, want %+v", id, want)
	}
}
