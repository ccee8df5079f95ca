package lab

import (
	"fmt"
	"slices"
	"strings"
)

// ospfPlan is a network of OSPF routers, each of which any kind of router can be:
// the same is said to routerd, BIRD and FRR in their own words.
type ospfPlan struct {
	seats []ospfSeat
	nets  []ospfNet
	areas map[int]ospfArea
}

// ospfSeat is one router. Its number, from 1, is the last part of its router ID
// 10.255.0.N and of its addresses.
type ospfSeat struct {
	name string
	// externals are prefixes that lead nowhere and are announced.
	externals []string
	metric    int
	type1     bool
	// virtual is the seat at the other end of a virtual link, through an area.
	virtual string
	through int
	// more is what only one kind is told.
	more map[Kind]string
}

// ospfNet is a network: between two seats, of several on a switch, or of one with
// its host h and the network's number. It is 10.0.L.0/24 by its number, from 1,
// and ethL everywhere.
type ospfNet struct {
	area    int
	seats   []string
	costs   []int // of each seat; 10 if absent
	ptp     bool
	host    bool
	lan     bool           // a switch though two seats are on it
	prefers map[string]int // priorities, 1 if absent
	auth    string         // md5 or an HMAC
	mtu     int
}

// ospfArea is how an area is not as it is by itself.
type ospfArea struct {
	kind    string // stub or nssa
	totally bool
	ranges  map[string]string // seat to the prefix that it puts the area's networks in
}

// The timers of all networks.
const ospfHello, ospfDead, ospfSecret = 1, 4, "verysecret"

func (p *ospfPlan) number(seat string) int {
	return 1 + slices.IndexFunc(p.seats, func(s ospfSeat) bool { return s.name == seat })
}

func (p *ospfPlan) id(seat string) string { return fmt.Sprintf("10.255.0.%d", p.number(seat)) }

// on gives the numbers of the networks that a seat is on, from 1.
func (p *ospfPlan) on(seat string) (list []int) {
	for n, x := range p.nets {
		if slices.Contains(x.seats, seat) {
			list = append(list, n+1)
		}
	}
	return list
}

func (p *ospfPlan) address(seat string, net int) string {
	return fmt.Sprintf("10.0.%d.%d", net, p.number(seat))
}

func (x *ospfNet) cost(seat string) int {
	if at := slices.Index(x.seats, seat); at < len(x.costs) {
		return x.costs[at]
	}
	return 10
}

func (x *ospfNet) priority(seat string) int {
	if n, ok := x.prefers[seat]; ok {
		return n
	}
	return 1
}

// areasOf gives the areas of a seat, ascending.
func (p *ospfPlan) areasOf(seat string) (list []int) {
	for _, n := range p.on(seat) {
		if a := p.nets[n-1].area; !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	slices.Sort(list)
	return list
}

// topology is the lab with these kinds in the seats. keys is the file with the
// secret for routerd.
func (p *ospfPlan) topology(kinds map[string]Kind, keys string) string {
	var b strings.Builder
	b.WriteString("name = \"NAME\"\n")
	for _, s := range p.seats {
		fmt.Fprintf(&b, "[node.%s]\nkind = %q\n", s.name, kinds[s.name])
		switch kinds[s.name] {
		case KindRouter:
			b.WriteString(p.routerd(&s, keys))
		case KindBIRD:
			fmt.Fprintf(&b, "config = \"\"\"\n%s\"\"\"\n", p.bird(&s))
		case KindFRR:
			fmt.Fprintf(&b, "config = \"\"\"\n%s\"\"\"\n", p.frr(&s))
		}
	}
	for n, x := range p.nets {
		p.links(&b, n+1, &x)
	}
	return b.String()
}

func (p *ospfPlan) links(b *strings.Builder, n int, x *ospfNet) {
	mtu := ""
	if x.mtu != 0 {
		mtu = fmt.Sprintf("mtu = %d\n", x.mtu)
	}
	end := func(seat string) (string, string) {
		e := fmt.Sprintf("%s:eth%d", seat, n)
		return e, fmt.Sprintf("%q = [%q]", e, p.address(seat, n)+"/24")
	}
	switch {
	case x.host:
		e, address := end(x.seats[0])
		fmt.Fprintf(b, "[node.h%d]\nkind = \"host\"\n[[link]]\nendpoints = [%q, \"h%d:eth0\"]\naddresses = { %s, \"h%d:eth0\" = [\"10.0.%d.100/24\"] }\n%s", n, e, n, address, n, n, mtu)
	case len(x.seats) == 2 && !x.lan:
		e1, a1 := end(x.seats[0])
		e2, a2 := end(x.seats[1])
		fmt.Fprintf(b, "[[link]]\nendpoints = [%q, %q]\naddresses = { %s, %s }\n%s", e1, e2, a1, a2, mtu)
	default:
		fmt.Fprintf(b, "[node.sw%d]\nkind = \"switch\"\n", n)
		for _, seat := range x.seats {
			e, a := end(seat)
			fmt.Fprintf(b, "[[link]]\nendpoints = [%q, \"sw%d:%s\"]\naddresses = { %s }\n%s", e, n, seat, a, mtu)
		}
	}
}

// routerd is a seat in routerd's words.
func (p *ospfPlan) routerd(s *ospfSeat, keys string) string {
	var b strings.Builder
	at := "node." + s.name + ".config"
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[%s.ospf]\nrouter-id = %q", at, p.id(s.name))
	if len(s.externals) > 0 {
		kind := 2
		if s.type1 {
			kind = 1
		}
		line("redistribute.static = { metric = %d, metric-type = %d }", s.metric, kind)
	}
	for _, e := range s.externals {
		line("[[%s.static.route]]\nprefix = %q\naction = \"blackhole\"", at, e)
	}
	for _, n := range p.on(s.name) {
		x := &p.nets[n-1]
		line("[%s.ospf.interface.eth%d]\narea = %d\ncost = %d", at, n, x.area, x.cost(s.name))
		if x.host {
			line("passive = true")
			continue
		}
		line("hello-interval = \"%ds\"\ndead-interval = \"%ds\"", ospfHello, ospfDead)
		network := "broadcast"
		if x.ptp {
			network = "point-to-point"
		} else {
			line("priority = %d", x.priority(s.name))
		}
		line("network = %q", network)
		if x.auth != "" {
			line("auth = { type = %q, keys = \"ospf\" }", x.auth)
		}
	}
	if keys != "" {
		line("[[%s.keys.ospf]]\nid = 7\nfile = %q", at, keys)
	}
	for _, a := range p.areasOf(s.name) {
		area := p.areas[a]
		if area.kind != "" {
			line("[%s.ospf.area.%d]\ntype = %q\nno-summary = %t", at, a, area.kind, area.totally)
		}
		if r := area.ranges[s.name]; r != "" {
			line("[%s.ospf.area.%d.range.%q]", at, a, r)
		}
	}
	if s.virtual != "" {
		line("[%s.ospf.area.%d.virtual-link.%q]\nhello-interval = \"%ds\"\ndead-interval = \"%ds\"", at, s.through, p.id(s.virtual), ospfHello, ospfDead)
	}
	b.WriteString(s.more[KindRouter])
	return b.String()
}

// bird is a seat in BIRD's words.
func (p *ospfPlan) bird(s *ospfSeat) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("log stderr all;\nrouter id %s;\nprotocol device { scan time 1; }\nprotocol direct { ipv4; }\nprotocol kernel { ipv4 { export where source ~ [ RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ]; }; merge paths yes; }", p.id(s.name))
	export := "none"
	if len(s.externals) > 0 {
		line("protocol static { ipv4; ")
		for _, e := range s.externals {
			line("route %s blackhole;", e)
		}
		line("}")
		export = fmt.Sprintf("filter { if source != RTS_STATIC then reject; ospf_metric2 = %d; accept; }", s.metric)
		if s.type1 {
			export = fmt.Sprintf("filter { if source != RTS_STATIC then reject; ospf_metric1 = %d; accept; }", s.metric)
		}
	}
	line("protocol ospf v2 o {\necmp yes;\nmerge external yes;\nrfc1583compat yes;\nipv4 { import all; export %s; };", export)
	for _, a := range p.areasOf(s.name) {
		line("area %d {", a)
		area := p.areas[a]
		if area.kind != "" {
			line("%s;", area.kind)
			if area.totally {
				line("summary no;")
			} else if area.kind == "stub" || area.kind == "nssa" {
				line("summary yes;")
			}
			if area.kind == "stub" {
				line("default cost 1;")
			}
		}
		if r := area.ranges[s.name]; r != "" {
			line("networks { %s; };", r)
		}
		for _, n := range p.on(s.name) {
			if x := &p.nets[n-1]; x.area == a {
				p.birdInterface(line, s, n, x)
			}
		}
		if s.virtual != "" && a == s.through {
			line("virtual link %s { transmit delay 1; hello %d; dead %d; };", p.id(s.virtual), ospfHello, ospfDead)
		}
		line("};")
	}
	b.WriteString("}\n" + s.more[KindBIRD])
	return b.String()
}

func (p *ospfPlan) birdInterface(line func(string, ...any), s *ospfSeat, n int, x *ospfNet) {
	line("interface \"eth%d\" {\ncost %d;", n, x.cost(s.name))
	if x.host {
		line("stub yes;\n};")
		return
	}
	line("hello %d; dead %d; priority %d; tx length %d;", ospfHello, ospfDead, x.priority(s.name), 1500)
	if x.ptp {
		line("type ptp;")
	} else {
		line("type broadcast;")
	}
	if x.auth != "" {
		algorithm := ""
		if x.auth != "md5" {
			algorithm = "algorithm " + strings.Replace(x.auth, "-", " ", 1) + ";"
		}
		line("authentication cryptographic;\npassword %q { id 7; %s };", ospfSecret, algorithm)
	}
	line("};")
}

// frr is a seat in FRR's words.
func (p *ospfPlan) frr(s *ospfSeat) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, e := range s.externals {
		line("ip route %s blackhole", e)
	}
	line("router ospf\n ospf router-id %s\nexit", p.id(s.name)) // first: an interface would choose one
	for _, n := range p.on(s.name) {
		x := &p.nets[n-1]
		line("interface eth%d\n ip ospf cost %d", n, x.cost(s.name))
		if x.host {
			line(" ip ospf passive\n ip ospf area %d\nexit", x.area)
			continue
		}
		network := "broadcast"
		if x.ptp {
			network = "point-to-point"
		}
		line(" ip ospf hello-interval %d\n ip ospf dead-interval %d\n ip ospf priority %d\n ip ospf network %s", ospfHello, ospfDead, x.priority(s.name), network)
		if x.auth != "" {
			line(" ip ospf authentication message-digest\n ip ospf message-digest-key 7 md5 %s", ospfSecret)
		}
		line(" ip ospf area %d\nexit", x.area) // last: it waits for as long as is said by then
	}
	line("router ospf\n timers throttle spf 5 50 1000\n maximum-paths 8")
	if len(s.externals) > 0 {
		kind := 2
		if s.type1 {
			kind = 1
		}
		line(" redistribute static metric %d metric-type %d", s.metric, kind)
	}
	for _, a := range p.areasOf(s.name) {
		area := p.areas[a]
		if area.kind != "" {
			totally := ""
			if area.totally {
				totally = " no-summary"
			}
			line(" area %d %s%s", a, area.kind, totally)
		}
		if r := area.ranges[s.name]; r != "" {
			line(" area %d range %s", a, r)
		}
	}
	if s.virtual != "" {
		line(" area %d virtual-link %s", s.through, p.id(s.virtual))
		line(" area %d virtual-link %s hello-interval %d dead-interval %d", s.through, p.id(s.virtual), ospfHello, ospfDead)
	}
	line("exit")
	b.WriteString(s.more[KindFRR])
	return b.String()
}
