package router

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/routing"
	"routerd/routing/protocol"
)

// The owner closes the ports when it hears that a protocol has said its goodbyes:
// they have left by then.
func TestStoppedComesAfterTheGoodbyes(t *testing.T) {
	r := New(rand.NewPCG(1, 2), Kind{Name: "caller", Source: routing.SourceOSPF, New: func(protocol.Start) protocol.Core { return &caller{} }})
	if err := r.Commit(twoLANs(), now); err != nil {
		t.Fatal(err)
	}
	lan0 := memory.New("lan0", 1500)
	t.Cleanup(func() { lan0.Close() })
	if _, err := r.Attach("lan0", lan0, now); err != nil {
		t.Fatal(err)
	}
	left := -1
	p := r.Protocol("caller")
	p.Owner = func(e protocol.Effect) {
		if _, stopped := e.(protocol.Stopped); stopped {
			left = len(lan0.Sent())
		}
	}
	p.Step(now, say{
		protocol.Send{
			Link: r.View().Named("lan0").ID, Src: netip.MustParseAddr("10.0.1.1"), Dst: netip.MustParseAddr("224.0.0.9"),
			Protocol: packet.ProtoUDP, SrcPort: 520, DstPort: 520, HopLimit: 1, Payload: []byte("goodbye"),
		},
		protocol.Stopped{},
	})
	if left != 1 {
		t.Errorf("%d packets had left when the protocol had stopped, want its goodbye", left)
	}
}
