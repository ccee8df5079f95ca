package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"routerd/internal/packet"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/rib"
	"routerd/routing/rip"
	"routerd/routing/rip/wire"
)

// ripScript is a script that knows RIP, and listens to what ends say of it.
type ripScript struct {
	*Script
	heard map[*End][]string // of those that are watched
}

func newRIPScript(seed uint64) *Script {
	s := &ripScript{NewScript(seed), map[*End][]string{}}
	s.Network.Watch = s.listen
	s.Commands = map[string]func(*Script, []string, []string) (string, error){
		"rip":    func(_ *Script, w, l []string) (string, error) { return s.doSpeak(rip.RIP, w, l) },
		"ripng":  func(_ *Script, w, l []string) (string, error) { return s.doSpeak(rip.RIPng, w, l) },
		"table":  s.doTable,
		"until":  s.doUntil,
		"watch":  s.doWatch,
		"said":   s.doSaid,
		"say":    s.doSay,
		"events": s.doEvents,
		"crash":  s.doCrash,
		"start":  s.doStart,
		"stop":   s.doStop,
	}
	return s.Script
}

// doSpeak: rip ROUTER [update=D] [invalid=D] [flush=D] [paths=N] [default=METRIC]
// [redistribute=SOURCE:METRIC], then a line for each interface.
func (s *ripScript) doSpeak(p rip.Protocol, words, lines []string) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("want %v ROUTER", p)
	}
	n, cfg, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	c := rip.DefaultConfig(p)
	var redistribute []rib.Redistribution
	for _, w := range words[1:] {
		if err := ripOption(&c, &redistribute, w); err != nil {
			return "", fmt.Errorf("%s: %w", w, err)
		}
	}
	for _, l := range lines {
		f := strings.Fields(l)
		ic := rip.DefaultInterface()
		for _, w := range f[1:] {
			if err := ripInterfaceOption(&ic, w); err != nil {
				return "", fmt.Errorf("%s: %w", w, err)
			}
		}
		c.Interfaces[f[0]] = ic
	}
	if err := c.Check(); err != nil {
		return "", err
	}
	speak(cfg, c, redistribute...)
	return "", n.Apply(*cfg)
}

func ripOption(c *rip.Config, redistribute *[]rib.Redistribution, word string) (err error) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "update":
		c.Update, err = time.ParseDuration(value)
	case "invalid":
		c.Invalid, err = time.ParseDuration(value)
	case "flush":
		c.Flush, err = time.ParseDuration(value)
	case "paths":
		c.MaximumPaths, err = strconv.Atoi(value)
	case "default":
		c.DefaultInformation = &rip.Origination{}
		_, err = fmt.Sscan(value, &c.DefaultInformation.Metric)
	case "redistribute":
		name, metric, _ := strings.Cut(value, ":")
		r := rib.Redistribution{Source: routing.SourceStatic}
		if name != r.Source.String() {
			return fmt.Errorf("want static:METRIC")
		}
		_, err = fmt.Sscan(metric, &r.Metric)
		*redistribute = append(*redistribute, r)
	default:
		err = fmt.Errorf("want update, invalid, flush, paths, default or redistribute")
	}
	return err
}

func ripInterfaceOption(i *rip.InterfaceConfig, word string) (err error) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "passive":
		i.Passive = true
	case "neighbor":
		var a netip.Addr
		a, err = netip.ParseAddr(value)
		i.Neighbors = append(i.Neighbors, a)
	case "metric":
		_, err = fmt.Sscan(value, &i.Metric)
	case "horizon":
		i.SplitHorizon, err = rip.ParseSplitHorizon(value)
	case "receive":
		versions := map[string]rip.Versions{"1": rip.Version1, "2": rip.Version2, "any": rip.AnyVersion}
		v, ok := versions[value]
		if i.Receive = v; !ok {
			err = fmt.Errorf("want 1, 2 or any")
		}
	case "key":
		var k keys.Key
		k, err = ripKey(value)
		i.Auth.Keys = append(i.Auth.Keys, k)
	default:
		err = fmt.Errorf("want passive, neighbor, metric, horizon, receive or key")
	}
	return err
}

// ripKey reads ID:ALGORITHM:SECRET[:FROM-UNTIL[:FROM-UNTIL]]: when it is used
// to send and when accepted, both counted from the beginning.
func ripKey(text string) (k keys.Key, err error) {
	f := strings.Split(text, ":")
	if len(f) < 3 || len(f) > 5 {
		return k, fmt.Errorf("want ID:ALGORITHM:SECRET[:FROM-UNTIL[:FROM-UNTIL]]")
	}
	if _, err = fmt.Sscan(f[0], &k.ID); err != nil {
		return k, err
	}
	if k.Algorithm, err = keys.ParseAlgorithm(f[1]); err != nil {
		return k, err
	}
	k.Secret = []byte(f[2])
	for i, l := range []*keys.Lifetime{&k.Send, &k.Accept} {
		if len(f) <= 3+i {
			break
		}
		from, until, _ := strings.Cut(f[3+i], "-")
		for at, text := range map[*time.Time]string{&l.From: from, &l.Until: until} {
			if text == "" {
				continue
			}
			d, err := time.ParseDuration(text)
			if err != nil {
				return k, err
			}
			*at = Epoch.Add(d)
		}
	}
	return k, nil
}

// doTable: table ROUTER prints what its RIP machines know.
func (s *ripScript) doTable(_ *Script, words, _ []string) (string, error) {
	n, _, err := s.Router(strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
		for _, r := range machineOf(n, p).Routes(netip.Prefix{}, 1<<20) {
			line := fmt.Sprintf("%-20s %-13s %2d", r.Prefix, r.State, r.Metric)
			if r.Tag != 0 {
				line += fmt.Sprintf(" tag %d", r.Tag)
			}
			var ways []string
			for _, w := range r.Paths {
				ways = append(ways, fmt.Sprintf("%s %s", w.NextHop, n.Router.View().Interface(w.Interface).Name))
			}
			slices.Sort(ways)
			if len(ways) > 0 {
				line += " by " + strings.Join(ways, ", ")
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String(), nil
}

// doUntil: until ROUTER PREFIX METRIC|gone LIMIT waits until the router
// forwards so, and says how long that took.
func (s *ripScript) doUntil(_ *Script, words, _ []string) (string, error) {
	if len(words) != 4 {
		return "", fmt.Errorf("want until ROUTER PREFIX METRIC|gone LIMIT")
	}
	n, _, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	prefix, err := netip.ParsePrefix(words[1])
	if err != nil {
		return "", err
	}
	limit, err := time.ParseDuration(words[3])
	if err != nil {
		return "", err
	}
	has := "gone"
	for began := s.Network.Now(); ; {
		has = "gone"
		if e := n.Router.FIB().Get(prefix); e != nil {
			has = fmt.Sprint(e.Metric)
		}
		passed := s.Network.Now().Sub(began)
		if has == words[2] {
			return fmt.Sprintf("after %v\n", passed), nil
		}
		if passed >= limit {
			return fmt.Sprintf("not within %v: %s\n", limit, has), nil
		}
		if err := s.Network.Run(10 * time.Millisecond); err != nil {
			return "", err
		}
	}
}

// end gives the end that is written "r1:eth0".
func (s *ripScript) end(text string) (*End, error) {
	name, iface, _ := strings.Cut(text, ":")
	n, _, err := s.Router(name)
	if err != nil {
		return nil, err
	}
	e := n.End(iface)
	if e == nil {
		return nil, fmt.Errorf("%s has no port %q", name, iface)
	}
	return e, nil
}

// doWatch: watch END... has it written down what these say from now on.
func (s *ripScript) doWatch(_ *Script, words, _ []string) (string, error) {
	for _, w := range words {
		e, err := s.end(w)
		if err != nil {
			return "", err
		}
		s.heard[e] = []string{}
	}
	return "", nil
}

// listen writes down the RIP packets of an end that is watched.
func (s *ripScript) listen(from *End, frame []byte) {
	if s.heard[from] == nil {
		return
	}
	first := layers.LayerTypeEthernet
	if from.Link == nil {
		if first = layers.LayerTypeIPv4; frame[0]>>4 == 6 {
			first = layers.LayerTypeIPv6
		}
	}
	decoded := gopacket.NewPacket(frame, first, gopacket.Default)
	udp, _ := decoded.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if udp == nil {
		return
	}
	protocol := rip.RIP
	switch udp.DstPort {
	case 520:
	case 521:
		protocol = rip.RIPng
	default:
		return
	}
	var p wire.Packet
	to := decoded.NetworkLayer().NetworkFlow().Dst()
	if err := protocol.Decode(udp.Payload, &p); err != nil {
		s.heard[from] = append(s.heard[from], fmt.Sprintf("to %v: %v", to, err))
		return
	}
	line := fmt.Sprintf("response to %v:", to)
	if p.Command == wire.Request {
		line = fmt.Sprintf("request to %v", to)
	}
	if p.Auth.Type == wire.AuthCryptographic {
		line += fmt.Sprintf(" [key %d]", p.Auth.KeyID)
	}
	for _, e := range p.Entries {
		line += fmt.Sprintf(" %v=%d", e.Prefix, e.Metric)
	}
	s.heard[from] = append(s.heard[from], line)
}

// doSaid: said END prints what it said since it is watched, or since the last
// time, what was said several times once.
func (s *ripScript) doSaid(_ *Script, words, _ []string) (string, error) {
	e, err := s.end(strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	lines := s.heard[e]
	if lines == nil {
		return "", fmt.Errorf("nobody watches %s", e)
	}
	s.heard[e] = []string{}
	return counted(lines), nil
}

// counted is the lines in order, each once, with how often it came.
func counted(lines []string) string {
	var order []string
	count := map[string]int{}
	for _, l := range lines {
		if count[l]++; count[l] == 1 {
			order = append(order, l)
		}
	}
	var b strings.Builder
	for _, l := range order {
		if count[l] > 1 {
			l += fmt.Sprintf(" (%d times)", count[l])
		}
		b.WriteString(l + "\n")
	}
	if len(order) == 0 {
		return "nothing\n"
	}
	return b.String()
}

// doSay: say ROUTER STUB SOURCE VERSION ADDRESS=METRIC... is a response of a
// router on a stub; of version 1 by broadcast, of version 2 to the group.
func (s *ripScript) doSay(_ *Script, words, _ []string) (string, error) {
	if len(words) < 5 {
		return "", fmt.Errorf("want say ROUTER STUB SOURCE VERSION ADDRESS=METRIC...")
	}
	n, _, err := s.Router(words[0])
	if err != nil {
		return "", err
	}
	src, err := netip.ParseAddr(words[2])
	if err != nil {
		return "", err
	}
	p := wire.Packet{Command: wire.Response, Version: 2}
	dst := netip.MustParseAddr("224.0.0.9")
	if words[3] == "1" {
		p.Version, dst = 1, netip.MustParseAddr("255.255.255.255")
	}
	for _, w := range words[4:] {
		text, metric, _ := strings.Cut(w, "=")
		e := wire.Entry{NoMask: p.Version == 1}
		if e.NoMask {
			text += "/32" // which is not said
		}
		if e.Prefix, err = netip.ParsePrefix(text); err != nil {
			return "", err
		}
		if _, err := fmt.Sscan(metric, &e.Metric); err != nil {
			return "", err
		}
		p.Entries = append(p.Entries, e)
	}
	n.Inject(words[1], udp(src, dst, rip.RIP.Append(nil, &p, wire.Seal{})))
	return "", s.Network.Run(time.Millisecond)
}

// udp is an IPv4 packet between the ports of RIP, without a UDP checksum.
func udp(src, dst netip.Addr, payload []byte) []byte {
	b := make([]byte, packet.IPv4MinHeader+packet.UDPHeader+len(payload))
	ip := packet.IPv4(b)
	ip[0] = 0x45
	ip.SetTotalLen(len(b))
	ip.SetTTL(1)
	ip.SetProtocol(packet.ProtoUDP)
	ip.SetSrc(src)
	ip.SetDst(dst)
	ip.FillChecksum()
	u := packet.UDP(b[packet.IPv4MinHeader:])
	binary.BigEndian.PutUint16(u, 520)
	binary.BigEndian.PutUint16(u[2:], 520)
	u.SetLength(packet.UDPHeader + len(payload))
	copy(u[packet.UDPHeader:], payload)
	return b
}

// doEvents: events ROUTER prints what its machines reported since the last
// time.
func (s *ripScript) doEvents(_ *Script, words, _ []string) (string, error) {
	n, _, err := s.Router(strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	var lines []string
	for _, e := range n.Events {
		line := fmt.Sprintf("%s on %s", e.What, n.Router.View().Interface(e.Link).Name)
		if e.Neighbor.IsValid() {
			line += fmt.Sprintf(" from %v", e.Neighbor)
		}
		if e.Err != nil {
			line += fmt.Sprintf(": %v", e.Err)
		}
		lines = append(lines, line)
	}
	n.Events = nil
	return counted(lines), nil
}

// doCrash: crash ROUTER
func (s *ripScript) doCrash(_ *Script, words, _ []string) (string, error) {
	n, _, err := s.Router(strings.Join(words, " "))
	if err == nil {
		n.Crash()
	}
	return "", err
}

// doStart: start ROUTER begins anew what has crashed.
func (s *ripScript) doStart(_ *Script, words, _ []string) (string, error) {
	n, cfg, err := s.Router(strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	return "", n.Apply(*cfg)
}

// doStop: stop ROUTER has it say goodbye.
func (s *ripScript) doStop(_ *Script, words, _ []string) (string, error) {
	n, _, err := s.Router(strings.Join(words, " "))
	if err == nil {
		n.Stop()
	}
	return "", err
}
