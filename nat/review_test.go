package nat

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"routerd/flow"
)

// commitAlone begins a reload, and leaves the review to the test.
func (s *site) commitAlone(cfg Config) {
	s.t.Helper()
	r, _, err := s.n.Prepare(cfg, testInterfaces())
	if err != nil {
		s.t.Fatal(err)
	}
	s.n.Commit(r)
}

// hosts makes flows of so many inside endpoints.
func (s *site) hosts(count int) {
	s.t.Helper()
	for i := range count {
		s.outside(fmt.Sprintf("udp 192.168.10.%d:%d > 203.0.113.9:53", 2+i%200, 5000+i/200))
	}
}

// byPool translates the inside network by a pool, in the place of wan0's address.
func byPool() Config {
	cfg := lanOut()
	cfg.Pools = []PoolConfig{{Name: "cgn", Addresses: ranges("203.0.113.32/30")}}
	cfg.Source[0].Method, cfg.Source[0].Pool = FromPool, "cgn"
	return cfg
}

// A reload ends sessions in parts. Meanwhile packets of those that are still to end are
// judged as if they had ended.
func TestReloadEndsInParts(t *testing.T) {
	const count = 2000
	s := newSite(t, lanOut())
	s.hosts(count)
	old := s.outside("udp 192.168.10.201:9999 > 203.0.113.9:53") // the last to be looked at
	s.want("tcp 192.168.10.201:9999 > 203.0.113.9:80", lan, wan, "tcp 198.51.100.2:9999 > 203.0.113.9:80")
	s.commitAlone(byPool())
	if s.live() != count+2 {
		t.Errorf("the commit alone leaves %d sessions, want all %d", s.live(), count+2)
	}
	// Of a connection that has no session any more.
	p := packetOf(key("tcp 192.168.10.201:9999 > 203.0.113.9:80"), lan)
	p.TCP.Flags = rst
	if got := s.pass(p, wan); got.Verdict.Label() != "nat_invalid_state" {
		t.Errorf("a segment of a connection that ended: %v as %s, want nat_invalid_state", got.Verdict, text(got.To))
	}
	if got := s.flow("udp 203.0.113.9:53 > "+old, wan, lan); got != "udp 203.0.113.9:53 > "+old {
		t.Errorf("from outside to the endpoint of a flow that ended: %s, want it untranslated, for the router itself", got)
	}
	error4 := Packet{Key: key("icmp 203.0.113.77 > 198.51.100.2"), Inner: key("udp " + old + " > 203.0.113.9:53"), Error: true, In: wan}
	if got := s.pass(error4, lan); got.Session != NoSession {
		t.Errorf("an ICMP error about a flow that ended belongs to session %d", got.Session)
	}
	// Begun anew, by the new rule.
	dry := packetOf(key("udp 192.168.10.201:9999 > 203.0.113.9:53"), lan)
	dry.Dry = true
	first := s.pass(dry, wan)
	if !first.New || text(first.To) == "udp "+old+" > 203.0.113.9:53" {
		t.Errorf("a flow that ended is explained as %s, new: %v", text(first.To), first.New)
	}
	if again := s.pass(packetOf(dry.Key, lan), wan); again.To != first.To {
		t.Errorf("explained as %s, sent as %s", text(first.To), text(again.To))
	}
	for last, parts := s.live(), 1; ; parts++ {
		more := s.n.Review()
		if ended := last - s.live(); ended > reviewAtOnce {
			t.Fatalf("part %d ends %d sessions, want at most %d", parts, ended, reviewAtOnce)
		}
		if last = s.live(); !more {
			if parts < count/reviewAtOnce {
				t.Errorf("%d parts, want %d at least", parts, count/reviewAtOnce)
			}
			break
		}
	}
	if s.live() != 1 || s.n.Reviewing() || len(s.n.poolByID) != 1 {
		t.Errorf("%d sessions and %d pools are left, want the one begun anew, and its pool", s.live(), len(s.n.poolByID))
	}
	s.wantSound()
}

// A second reload ends what the first one has left; reloads that end nothing look at
// nothing.
func TestReloadBehindReload(t *testing.T) {
	s := newSite(t, lanOut())
	s.hosts(1000)
	s.commitAlone(byPool())
	s.commitAlone(lanOut())
	if s.n.Reviewing() || s.live() != 0 {
		t.Errorf("after two reloads %d sessions are left, of rules that are gone", s.live())
	}
	s.commit(lanOut())
	s.hosts(1000)
	s.commitAlone(lanOut())
	if s.n.Reviewing() || s.live() != 1000 {
		t.Errorf("the same again: %d sessions are left, want all 1000, and that none is looked at", s.live())
	}
	s.wantSound()
}

// Permissions are recorded in parts when the filtering becomes address-dependent, while
// sessions begin and end; until then the filtering before counts.
func TestFilteringChangesInParts(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newSite(t, lanOut())
		s.hosts(1000)
		cfg := lanOut()
		cfg.Filtering = AddressDependent
		s.commitAlone(cfg)
		stranger := "udp 203.0.113.200:9 > 198.51.100.2:5000"
		if got := s.flow(stranger, wan, lan); got == "nat_filtered" {
			t.Errorf("seed %d: an endpoint that the filtering before admits is refused before the sessions have been looked at", seed)
		}
		for more := true; more; more = s.n.Review() {
			for range 20 {
				from := fmt.Sprintf("192.168.10.%d:%d", 2+random.IntN(200), 5000+random.IntN(5))
				if random.IntN(2) == 0 {
					s.n.mu.Lock()
					s.n.sessions.Delete(s.n.sessions.Find(key("udp "+from+" > 203.0.113.9:53")).Session, s.n.release)
					s.n.mu.Unlock()
				} else {
					s.outside(fmt.Sprintf("udp %s > 203.0.113.%d:53", from, 9+random.IntN(3)))
				}
			}
		}
		s.wantSound()
		if got := s.flow("udp 203.0.113.201:9 > 198.51.100.2:"+strconv.Itoa(mapped(s)), wan, lan); got != "nat_filtered" {
			t.Errorf("seed %d: afterwards one whom no session permits is not refused: %s", seed, got)
		}
	}
}

// mapped is the outside port of some inside endpoint.
func mapped(s *site) (number int) {
	s.n.each(func(x *flow.Session) {
		if x.Owner != 0 {
			number = int(x.Reply.DstPort)
		}
	})
	return number
}

// permissionsOf is what the sessions permit, for wantSound.
func (s *site) permissionsOf() map[permission]uint32 {
	want := map[permission]uint32{}
	s.n.each(func(x *flow.Session) {
		if x.Owner != 0 {
			want[permission{x.Owner, x.Reply.Src}]++
		}
		if (x.Forward.Dst != x.Reply.Src || x.Forward.DstPort != x.Reply.SrcPort) && destinationOf(x.Rule) == 0 {
			want[permission{s.n.mappings.outside(x.Forward.Dst, x.Forward.Proto, x.Forward.DstPort), x.Reply.Dst}]++
		}
	})
	return want
}
