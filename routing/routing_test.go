package routing

import "testing"

// The administrative distances are FRR's, which people know by heart.
func TestDefaultDistances(t *testing.T) {
	for _, tt := range []struct {
		source   Source
		name     string
		distance uint8
	}{
		{SourceConnected, "connected", 0},
		{SourceStatic, "static", 1},
		{SourceEBGP, "ebgp", 20},
		{SourceOSPF, "ospf", 110},
		{SourceRIP, "rip", 120},
		{SourceIBGP, "ibgp", 200},
		{Source(99), "unknown", 255},
	} {
		if tt.source.String() != tt.name || tt.source.DefaultDistance() != tt.distance {
			t.Errorf("source %d is %s with distance %d, want %s with %d",
				tt.source, tt.source, tt.source.DefaultDistance(), tt.name, tt.distance)
		}
	}
}

func TestActionWords(t *testing.T) {
	for a, want := range map[Action]string{
		Forward: "forward", Blackhole: "blackhole", Unreachable: "unreachable", Prohibit: "prohibit",
		Local: "local", Broadcast: "broadcast", Action(99): "unknown",
	} {
		if a.String() != want {
			t.Errorf("action %d is %q, want %q", uint8(a), a, want)
		}
	}
}
