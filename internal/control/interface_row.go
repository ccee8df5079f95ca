package control

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"routerd/internal/show"
)

// interfaceQuery selects interfaces. The zero query selects all.
type interfaceQuery struct {
	Name string `query:"name,arg,complete=interface"`
}

var interfaceNoun = show.Spec[Router, interfaceQuery, InterfaceList]{
	Path: "interface",
	Help: show.Help{
		Aliases: []string{"interfaces"}, Args: "[NAME]",
		Short: "Interfaces with their state, addresses and traffic",
		Long: `Interfaces with their state, addresses and traffic.

HOST SIDE is the kernel's end of the port, as namespace:device. A
super-packet of many segments counts as that many packets. DROPS counts packets
that came in by the interface and went no further; show drops says why.

STATE is up or down, or says why the interface has no device: missing, it has
not been there yet; gone, it was deleted; waiting, it is there and cannot be
taken. NOTE says more. Such an interface is served as soon as its device can be
had; nothing has to be reloaded.`,
	},
	Ask: func(ctx context.Context, r Router, q interfaceQuery) (list InterfaceList, err error) {
		if list.Interfaces, err = r.Interfaces(ctx); err == nil {
			list.Interfaces, err = named(list.Interfaces, q.Name, "interface %q", func(i *Interface) string { return i.Name })
		}
		return list, err
	},
}.Noun()

// interfaceRow is an interface in a table, with a line for each address and, on
// a wide screen, for each multicast group.
type interfaceRow struct {
	Name      string       `show:"interface"`
	Kind      string       `show:"kind"`
	State     show.Cell    `show:"state"`
	MTU       int          `show:"mtu,right"`
	Addresses []show.Cell  `show:"address,lines"`
	HostSide  string       `show:"host side,optional"`
	Received  trafficRow   `show:",inline"`
	Sent      sentRow      `show:",inline"`
	Drops     uint64       `show:"drops,amount"`
	Table     string       `show:"table,wide"`
	URPF      string       `show:"urpf,wide"`
	MSS       string       `show:"mss,wide,optional"`
	Offload   string       `show:"carries,wide,optional"`
	Carried   uint64       `show:"carried,amount,wide,blank,optional"`
	Queues    int          `show:"queues,right,wide,blank"`
	Origin    string       `show:"origin,wide"`
	Groups    []netip.Addr `show:"groups,lines,wide,optional"`
	Note      string       `show:"note,optional"`
}

type trafficRow struct {
	Packets uint64 `show:"rx packets,amount"`
	Bytes   uint64 `show:"rx bytes,bytes"`
	Supers  uint64 `show:"rx super,amount,wide"`
}

type sentRow struct {
	Packets uint64 `show:"tx packets,amount"`
	Bytes   uint64 `show:"tx bytes,bytes"`
	Supers  uint64 `show:"tx super,amount,wide"`
}

// Drawn implements show.Drawn.
func (f *Interface) Drawn(s *show.Screen) any {
	row := &interfaceRow{
		Name: f.Name, Kind: f.Kind, State: show.Cell{Text: f.State, Style: show.Bad}, MTU: f.MTU, Addresses: f.addressCells(),
		Received: trafficRow(f.Received), Sent: sentRow(f.Sent), Drops: f.Drops,
		Table: f.Table, URPF: f.URPF, MSS: f.MSS, Origin: f.Origin, Note: f.Why,
	}
	if f.State == StateUp {
		row.State.Style = show.Good
	}
	f.drawOffload(s, row)
	if s.Wide && f.Multicast != nil {
		row.Groups = f.Multicast.Groups
	}
	if f.Port == nil {
		return row
	}
	row.Queues = f.Port.Queues
	if h := f.Port.Host; h != nil {
		row.HostSide = h.String()
		if len(h.Lacks) > 0 && f.Why == "" {
			row.Note = strings.Join(h.Lacks, "; ")
		}
	}
	if s.Wide && f.Port.LateCarrier && row.Note == "" {
		row.Note = "a lost carrier is seen up to 1 s late: the veth's peer has the same index"
	}
	return row
}

// drawOffload says in a row whether the kernel carries flows, and why not.
func (f *Interface) drawOffload(s *show.Screen, row *interfaceRow) {
	o := f.Offload
	switch {
	case o == nil:
	case o.Carries || o.Why == "":
		row.Offload, row.Carried = o.Mode, o.Carried.Packets
	case s.Wide:
		row.Offload, row.Carried = "no: "+o.Why, o.Carried.Packets
	case f.State == StateUp && o.Mode != "off":
		row.Note = "the kernel carries no flows: " + o.Why
	}
}

// String returns namespace:device, or the device alone.
func (h Host) String() string {
	if h.Netns == "" {
		return h.Device
	}
	return h.Netns + ":" + h.Device
}

// addressCells returns the addresses of an interface, each with the reason why
// the router does not use it, if so. Unused ones come last.
func (f *Interface) addressCells() (list []show.Cell) {
	for _, a := range f.Addresses {
		c := show.Cell{Text: a.String()}
		if slices.ContainsFunc(f.Own, func(o OwnAddress) bool { return o.Address == a && o.State == "tentative" }) {
			c.Text += " tentative"
		}
		list = append(list, c)
	}
	for _, o := range f.Own {
		if !slices.Contains(f.Addresses, o.Address) && o.State == "duplicate" {
			list = append(list, show.Cell{Text: o.Address.String() + " duplicate", Style: show.Bad})
		}
	}
	return list
}
