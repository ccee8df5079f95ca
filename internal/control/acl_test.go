package control

import (
	"context"
	"testing"
	"time"
)

func (f *fake) ACL(ctx context.Context) (ACL, error) {
	hit := began.Add(90 * time.Minute).UTC()
	return ACL{
		Sessions4: 12_345, Sessions6: 678, MaxSessions: 262_144,
		Rules: []ACLRule{
			{List: "router", Action: "drop", Packets: 3, Bytes: 252, LastHit: &hit, Uses: []string{"local"}, Origin: "r1.toml:60"},
			{List: "wan-in", Rule: "web", Action: "accept", Limited: 21, Limits: &ACLUsage{1_234, 5}, Packets: 4_321, Bytes: 259_260, LastHit: &hit, Uses: []string{"wan0 in", "wan1 in"}, Origin: "r1.toml:52"},
			{List: "wan-in", Rule: "telnet", Action: "reject", Log: true, Uses: []string{"wan0 in", "wan1 in"}, Origin: "r1.toml:56"},
			{List: "wan-in", Action: "drop", Packets: 98_765_432, Bytes: 4_000_000_000, LastHit: &hit, Uses: []string{"wan0 in", "wan1 in"}, Origin: "r1.toml:50"},
		},
	}, f.answer(ctx)
}

func (f *fake) ClearACL(ctx context.Context) error {
	f.cleared = true
	return f.answer(ctx)
}

// What the client gives of the filter is what the router gave, and clearing
// reaches it.
func TestACLClient(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	defer c.Close()
	got, err := c.ACL(t.Context())
	if err != nil || got.Sessions6 != 678 || len(got.Rules) != 4 || got.Rules[3].Packets != 98_765_432 || got.Rules[2].LastHit != nil {
		t.Errorf("%+v, %v; want what the router said", got, err)
	}
	if err := c.ClearACL(t.Context()); err != nil || !f.cleared {
		t.Errorf("clearing: %v, and the router was asked: %v", err, f.cleared)
	}
	if _, err := nounAt(Nouns(), "acl").Ask(t.Context(), f, &aclQuery{Name: "lan-in"}); err == nil {
		t.Error("a list that does not exist is shown")
	}
}
