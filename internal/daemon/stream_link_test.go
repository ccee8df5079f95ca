package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// unnumbered is a core that talks from fe80::1 to fe80::2, or the other way round,
// on every link: the first dials and says nothing, the second says by which link
// it was dialled.
type unnumbered struct {
	own, other netip.Addr
	dials      bool
	names      map[routing.InterfaceID]string
	link       map[protocol.StreamID]string
	last       protocol.StreamID
	due        time.Time

	mu    *sync.Mutex
	heard map[string]string // by the name of the link
	why   map[string]error  // there is no connection
}

func (u *unnumbered) Deadline() time.Time { return u.due }

func (u *unnumbered) Step(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.due.IsZero() && !now.Before(u.due) {
		u.due = time.Time{}
		for link := range u.names {
			out = u.dial(link, out)
		}
	}
	switch in := in.(type) {
	case protocol.Configure:
		if !u.dials {
			out = append(out, protocol.Listen{ID: 1, Local: netip.MustParseAddrPort("[::]:179"), StreamOptions: protocol.StreamOptions{TTL: 255}})
		}
	case protocol.LinkUp:
		if u.names[in.Link] == "" && strings.HasPrefix(in.Name, "core") && holds(in.Addresses, u.own) {
			u.names[in.Link] = in.Name
			if u.dials {
				return u.dial(in.Link, out)
			}
			out = append(out, protocol.SetPeer{ID: 1, StreamPeer: protocol.StreamPeer{
				Remote: netip.PrefixFrom(u.other, 128), Link: in.Link, StreamOptions: protocol.StreamOptions{TTL: 255, MinTTL: 255},
			}})
		}
	case protocol.Connected:
		if !u.dials {
			out = append(out, protocol.Write{ID: in.ID, Data: []byte(u.names[in.Link])})
		}
	case protocol.Read:
		u.heard[u.link[in.ID]] += string(in.Data)
	case protocol.Closed:
		u.why[u.link[in.ID]], u.due = in.Err, now.Add(100*time.Millisecond)
	case protocol.Stop:
		out = append(out, protocol.Stopped{})
	}
	return out
}

// dial connects by a link, by which nothing was heard yet.
func (u *unnumbered) dial(link routing.InterfaceID, out []protocol.Effect) []protocol.Effect {
	if !u.dials || u.heard[u.names[link]] != "" {
		return out
	}
	u.last++
	u.link[u.last] = u.names[link]
	return append(out, protocol.Dial{
		ID: u.last, Local: netip.AddrPortFrom(u.own, 4000), Remote: netip.AddrPortFrom(u.other, 179), Link: link,
		StreamOptions: protocol.StreamOptions{TTL: 255, MinTTL: 255},
	})
}

func holds(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

// Two cables with the same link-local addresses at both, and connections of the
// same addresses and ports on each: nothing of one comes by the other.
func TestSameLinkLocalAddressesOnTwoLinks(t *testing.T) {
	base := newSite(t)
	var mu sync.Mutex
	cores := [2]*unnumbered{}
	for i := range cores {
		ns := base.core(i)
		base.must("ip", "netns", "add", ns)
		t.Cleanup(func() { base.must("ip", "netns", "del", ns) })
	}
	for _, cable := range []string{"core0", "core1"} {
		base.must("ip", "link", "add", cable, "netns", base.core(0), "type", "veth", "peer", "name", cable, "netns", base.core(1))
		for i := range cores {
			base.must("ip", "-n", base.core(i), "link", "set", cable, "up")
		}
	}
	for i := range cores {
		s := &site{t: t, dir: t.TempDir(), hosts: base.hosts}
		s.config = filepath.Join(s.dir, "routerd.toml")
		text := fmt.Sprintf("name = \"r%d\"\n[api]\nlisten = [\"unix://%s\"]\n[local-stack]\nnetns = %q\n", i+1, s.socket(), strings.Replace(base.hosts[i], "-h", "-stack", 1))
		for _, cable := range []string{"core0", "core1"} {
			text += fmt.Sprintf("[interface.%s]\nkind = \"packet\"\nnetns = %q\naddresses = [\"fe80::%d/64\"]\n", cable, base.core(i), i+1)
		}
		if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cores[i] = &unnumbered{
			own: netip.MustParseAddr(fmt.Sprintf("fe80::%d", i+1)), other: netip.MustParseAddr(fmt.Sprintf("fe80::%d", 2-i)), dials: i == 0,
			names: map[routing.InterfaceID]string{}, link: map[protocol.StreamID]string{}, mu: &mu, heard: map[string]string{}, why: map[string]error{},
		}
		o := s.options()
		o.more = []unlisted{{
			Kind:   router.Kind{Name: "unnumbered", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core { return cores[i] }},
			config: func() router.ProtocolConfig { return router.ProtocolConfig{Config: true} },
		}}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, o) }()
		s.ready(done)
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("r%d ended with: %v", i+1, err)
			}
		})
	}
	wait(t, "r2 to say by which link it was dialled", func() error {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range []string{"core0", "core1"} {
			if got := cores[0].heard[name]; got != name {
				return fmt.Errorf("by %s it says %q; no connections: %v", name, got, cores[0].why)
			}
		}
		return nil
	})
}
