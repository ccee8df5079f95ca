package control

import (
	"context"

	"routerd/internal/show"
	"routerd/internal/topology"
)

// TrafficList is the answer about what the interfaces carry.
type TrafficList struct {
	Seconds    float64            `json:"seconds"` // over which it was measured
	Interfaces []InterfaceTraffic `json:"interfaces" show:",rows"`
}

// InterfaceTraffic is what an interface carries, also as the item of a sample.
type InterfaceTraffic struct {
	Interface string `json:"interface"`
	topology.Rates
}

// trafficQuery selects interfaces. The zero query selects all.
type trafficQuery struct {
	Name string `query:"name,arg,complete=interface"`
}

var trafficNoun = show.Spec[Router, trafficQuery, TrafficList]{
	Path: "traffic",
	Help: show.Help{
		Args: "[INTERFACE]", Short: "What the interfaces carry now: bits, packets and drops a second",
		Long: `What the interfaces carry now, measured over the last second, or over the next one
if no client has followed the traffic. A super-packet counts as the packets that it
carries; DROPS are packets that came in and went no further.`,
		Example: `  routerd show traffic
  routerd show traffic lan0 -w 1s
  routerd events traffic -o json`,
	},
	Ask: func(ctx context.Context, r Router, q trafficQuery) (list TrafficList, err error) {
		if list, err = r.Traffic(ctx); err == nil {
			list.Interfaces, err = named(list.Interfaces, q.Name, "interface %q", func(i *InterfaceTraffic) string { return i.Interface })
		}
		return list, err
	},
}.Noun()

// rateRow is an interface in a table.
type rateRow struct {
	Interface string `show:"interface"`
	Received  string `show:"rx,right"`
	Sent      string `show:"tx,right"`
	RxPackets uint64 `show:"rx packets/s,amount"`
	TxPackets uint64 `show:"tx packets/s,amount"`
	Drops     uint64 `show:"drops/s,amount,bad"`
}

// Drawn implements show.Drawn.
func (t *InterfaceTraffic) Drawn(*show.Screen) any {
	return &rateRow{
		Interface: t.Interface, Received: topology.Rate(t.Received), Sent: topology.Rate(t.Sent),
		RxPackets: uint64(t.RxPackets + 0.5), TxPackets: uint64(t.TxPackets + 0.5), Drops: uint64(t.Drops + 0.5),
	}
}
