package router

import (
	"testing"

	"routerd/routing/protocol"
)

// row is a source that never gives a number twice.
type row struct{ last uint64 }

func (r *row) Uint64() uint64 { r.last++; return r.last }

// No secret of a router tells of another: each is drawn by itself.
func TestSecretsAreDrawnByThemselves(t *testing.T) {
	var seeds []uint64
	kind := Kind{Name: "p", New: func(s protocol.Start) protocol.Core { seeds = append(seeds, s.Seed); return nil }}
	r := New(&row{}, kind, kind)
	seen := map[uint64]string{}
	for name, secret := range map[string][]uint64{
		"flows": r.secrets.Flows[:], "fragments": r.secrets.Fragments[:], "one protocol": seeds[:1], "another": seeds[1:],
		"the neighbours' inbox": r.neighbors.intake.key[:], "the inbox of one protocol": r.protocols[0].admission.key[:],
		"the inbox of another": r.protocols[1].admission.key[:],
	} {
		for _, v := range secret {
			if v == 0 || seen[v] != "" {
				t.Errorf("the secret of %s is %d, which is that of %q; want one of its own", name, v, seen[v])
			}
			seen[v] = name
		}
	}
	if v := r.live.Load(); v.Secrets != r.secrets {
		t.Errorf("the view has the secrets %v, want %v", v.Secrets, r.secrets)
	}
}
