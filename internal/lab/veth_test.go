package lab

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Three routers in a row; the stand-ins leave their devices alone.
const linkedRouters = `name = "NAME"
[node]
r1 = { kind = "router" }
r2 = { kind = "router" }
r3 = { kind = "router" }
[[link]]
endpoints = ["r1:right", "r2:left"]
mtu = 1400
[[link]]
endpoints = ["r2:right", "r3:left"]
`

// device looks at the device of a node.
func (b *bench) device(node, name string) (link netlink.Link, err error) {
	err = inNamespace(b.namespace(node), func() error {
		link, err = netlink.LinkByName(name)
		return err
	})
	return link, err
}

// change changes a device of a node by hand.
func (b *bench) change(node, name string, how func(netlink.Link) error) {
	b.t.Helper()
	err := inNamespace(b.namespace(node), func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return how(link)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestVeth(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters)
	if want, said := fmt.Sprintf("     veth %[1]s-r1:right - %[1]s-r2:left, mtu 1400\n", b.Topology.Name), b.up(); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	for _, c := range []struct {
		node, device string
		mtu          int
	}{{"r1", "right", 1400}, {"r2", "left", 1400}, {"r2", "right", 1500}, {"r3", "left", 1500}} {
		link, err := b.device(c.node, c.device)
		if err != nil {
			t.Errorf("%s of %s: %v", c.device, c.node, err)
			continue
		}
		if a := link.Attrs(); link.Type() != "veth" || a.MTU != c.mtu || a.Flags&net.FlagUp == 0 {
			t.Errorf("%s of %s is a %s with mtu %d, flags %v, want a veth with mtu %d, up", c.device, c.node, link.Type(), a.MTU, a.Flags, c.mtu)
		}
		b.change(c.node, c.device, func(link netlink.Link) error {
			addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
			if len(addresses) > 0 {
				t.Errorf("%s of %s has the addresses %v, want none", c.device, c.node, addresses)
			}
			return err
		})
	}
	if s, err := b.readState(); err != nil || !slices.EqualFunc(s.Veths, b.plan.Veths, Veth.equal) {
		t.Errorf("the state has %v (%v), want %v", s.Veths, err, b.plan.Veths)
	}
	said := b.up()
	for _, want := range []string{
		fmt.Sprintf("veth %[1]s-r1:right - %[1]s-r2:left is there\n", b.Topology.Name),
		fmt.Sprintf("r1   routerd runs, pid %d\n", b.pid("r1").PID),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("a second up said:\n%s\nwant in it: %s", said, want)
		}
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

// Linux is late to tell of the carrier of a device whose number is its peer's.
func TestVethEndsHaveDifferentNumbers(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters)
	b.up()
	// Namespaces that count alike, and then one where the next numbers are
	// taken.
	for _, taken := range []int{0, 24} {
		b.change("r1", "lo", func(netlink.Link) error {
			for n := range taken {
				attrs := netlink.NewLinkAttrs()
				attrs.Name, attrs.Index = fmt.Sprintf("o%d", n), 10+2*n
				if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
					return err
				}
			}
			return nil
		})
		for i := range 6 {
			v := Veth{Ends: [2]Device{
				{Namespace: b.namespace("r1"), Name: fmt.Sprintf("x%d-%d", taken, i)}, {Namespace: b.namespace("r3"), Name: fmt.Sprintf("x%d-%d", taken, i)},
			}, MTU: 1500}
			if err := v.make(); err != nil {
				t.Fatal(err)
			}
			if !v.there() {
				t.Errorf("%v was made and is not there", v)
			}
			link, err := b.device("r1", v.Ends[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			if a := link.Attrs(); a.Index == a.ParentIndex {
				t.Errorf("both ends of %v have the number %d", v, a.Index)
			}
		}
	}
	// One that an earlier version made.
	b.change("r1", "right", netlink.LinkDel)
	old := b.plan.Veths[0]
	b.change("r1", "lo", func(netlink.Link) error {
		far, err := netns.GetFromName(old.Ends[1].Namespace)
		if err != nil {
			return err
		}
		defer far.Close()
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU, attrs.Index = old.Ends[0].Name, old.MTU, 99
		for range 100 { // until the other namespace has counted as far
			err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: old.Ends[1].Name, PeerMTU: uint32(old.MTU), PeerNamespace: netlink.NsFd(int(far))})
			if err != nil {
				return err
			}
			link, err := netlink.LinkByName(attrs.Name)
			if err != nil || sameNumber(link.Attrs()) {
				return err
			}
			if err := netlink.LinkDel(link); err != nil {
				return err
			}
		}
		return errors.New("no pair of the same number came about")
	})
	for _, d := range old.Ends {
		if err := d.raise(); err != nil {
			t.Fatal(err)
		}
	}
	if old.there() {
		t.Error("a pair whose ends have the same number counts as there")
	}
}

// Whatever happens to the link between r1 and r2, a second up has it as it
// was; the routers at it start anew, and no other.
func TestVethMends(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct {
		name   string
		damage func(b *bench)
	}{
		{"removed", func(b *bench) { b.change("r1", "right", netlink.LinkDel) }},
		{"of another MTU", func(b *bench) {
			b.change("r2", "left", func(l netlink.Link) error { return netlink.LinkSetMTU(l, 1300) })
		}},
		{"down", func(b *bench) { b.change("r2", "left", netlink.LinkSetDown) }},
		{"another device of that name", func(b *bench) {
			b.change("r1", "right", netlink.LinkDel)
			b.change("r2", "lo", func(netlink.Link) error {
				attrs := netlink.NewLinkAttrs()
				attrs.Name, attrs.MTU = "left", 1400
				return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "other", PeerMTU: 1400})
			})
		}},
		{"a new namespace at one end", func(b *bench) {
			if err := removeNamespace(b.namespace("r1")); err != nil {
				b.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, linkedRouters)
			b.up()
			old := [...]process{b.pid("r1"), b.pid("r2"), b.pid("r3")}
			c.damage(b)
			if b.plan.Veths[0].there() {
				t.Fatal("it counts as there")
			}
			said := b.up()
			if !b.plan.Veths[0].there() || !b.plan.Veths[1].there() {
				t.Errorf("the pairs are not there; up said:\n%s", said)
			}
			if b.pid("r1") == old[0] || b.pid("r2") == old[1] || b.pid("r3") != old[2] {
				t.Errorf("want r1 and r2 started again, and r3 not; up said:\n%s", said)
			}
		})
	}
}

// An end that leads elsewhere than the topology says, though all the names
// and numbers are the same.
func TestVethLeadsElsewhere(t *testing.T) {
	needsRoot(t)
	b := newBench(t, hostsOnly+"[node.h3]\nkind = \"host\"\n[node.h4]\nkind = \"host\"\n")
	b.up()
	pair := func(one, other string) Veth {
		return Veth{Ends: [2]Device{{Namespace: b.namespace(one), Name: "x"}, {Namespace: b.namespace(other), Name: "x"}}, MTU: 1500}
	}
	for _, v := range []Veth{pair("h1", "h2"), pair("h3", "h4")} {
		if err := v.make(); err != nil {
			t.Fatal(err)
		}
		if !v.there() {
			t.Errorf("%v was made and is not there", v)
		}
	}
	if wrong := pair("h1", "h4"); wrong.there() {
		t.Errorf("%v counts as there", wrong)
	}
	// Making it takes both away that are in its way.
	if err := pair("h1", "h4").make(); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"h2", "h3"} {
		if _, err := b.device(node, "x"); err == nil {
			t.Errorf("%s still has its end", node)
		}
	}
}

func TestUpRemovesALinkThatTheTopologyLost(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters)
	b.up()
	r1 := b.pid("r1")
	b.load(strings.Replace(linkedRouters[:strings.LastIndex(linkedRouters, "[[link]]")], "NAME", b.Topology.Name, 1))
	want := fmt.Sprintf("no longer in the topology: removed veth %[1]s-r2:right - %[1]s-r3:left, mtu 1500\n", b.Topology.Name)
	if said := b.up(); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	if _, err := b.device("r2", "right"); err == nil {
		t.Error("r2 still has its end")
	}
	if b.pid("r1") != r1 {
		t.Error("r1, which has no part in it, was started again")
	}
}

// A failed up takes back the pairs it made, also between namespaces that were
// there before.
func TestFailedUpTakesBackItsVeth(t *testing.T) {
	needsRoot(t)
	b := newBench(t, linkedRouters)
	b.up()
	old := b.pid("r1")
	b.load(strings.Replace(linkedRouters, "NAME", b.Topology.Name, 1) + "[[link]]\nendpoints = [\"r1:far\", \"r3:far\"]\n")
	t.Setenv("STAND_IN", "exit")
	if err := b.Up(t.Context(), &b.out); err == nil {
		t.Fatal("up passed with a router that ends")
	}
	if _, err := b.device("r3", "far"); err == nil {
		t.Error("the new pair was left")
	}
	if _, err := b.device("r1", "right"); err != nil {
		t.Errorf("the pair that was there before: %v", err)
	}
	if old.alive() {
		t.Error("r1 runs with its old configuration")
	}
}
