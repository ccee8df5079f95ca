package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/packet"
	"routerd/internal/show"
)

func newExplainCommand(s *session) *cobra.Command {
	return group("explain", "Explain a decision: what would become of a packet, why a route is used, what policies make of it",
		newExplainPacketCommand(s), newExplainRouteCommand(s), newExplainPolicyCommand(s))
}

// packetFlags are the flags that describe a packet.
type packetFlags struct {
	in, src, dst string
	tcp, udp     uint16
	icmp         bool
	srcPort      uint16
	size         int
	dontFragment bool
	ttl          uint8
	// Which flags were given. Their zero values do not tell.
	tcpSet, udpSet, ttlSet, srcPortSet bool
}

func newExplainPacketCommand(s *session) *cobra.Command {
	var f packetFlags
	var out format
	cmd := &cobra.Command{
		Use:   "packet --in INTERFACE --src ADDRESS --dst ADDRESS",
		Short: "Run a made-up packet through the live stages without sending it",
		Long: `Run a made-up packet through the stages and tables that live packets go
through, without sending it, and print what each stage decided, the line of the
configuration that made it so, and what would be sent back.

Without --tcp, --udp or --icmp it is an echo request.`,
		Example: `  routerd explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2
  routerd explain packet --in lan0 --src 10.0.1.2 --dst 192.0.2.1 --tcp 443
  routerd explain packet --in lan0 --src 10.0.1.2 --dst 10.0.2.2 --udp 53 --size 1450 --df
  routerd explain packet --in lan0 --src 2001:db8:1::2 --dst 2001:db8:2::2 --ttl 1 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.given(cmd)
			q, err := f.query()
			if err != nil {
				return err
			}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				x, err := c.ExplainPacket(ctx, q)
				switch {
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, x)
				}
				drawExplanation(s.screen(out == formatWide), x)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.in, "in", "", "the `interface` that the packet comes in by")
	f.add(cmd, "its source `address`", fmt.Sprintf("the `port` it comes from, with --tcp and --udp (default %d)", packet.FirstDynamicPort))
	cmd.RegisterFlagCompletionFunc("in", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return s.keys("interface"), cobra.ShellCompDirectiveNoFileComp
	})
	addFormat(cmd, &out)
	return cmd
}

// add adds the flags that every packet has; src and port are the help of two of them.
func (f *packetFlags) add(cmd *cobra.Command, src, port string) {
	flags := cmd.Flags()
	flags.StringVar(&f.src, "src", "", src)
	flags.StringVar(&f.dst, "dst", "", "its destination `address`")
	flags.Uint16Var(&f.tcp, "tcp", 0, "a TCP SYN to this `port`")
	flags.Uint16Var(&f.udp, "udp", 0, "a UDP datagram to this `port`")
	flags.BoolVar(&f.icmp, "icmp", false, "an ICMP or ICMPv6 echo request")
	flags.Uint16Var(&f.srcPort, "src-port", 0, port)
	flags.IntVar(&f.size, "size", 0, "`bytes` of the whole packet (default: as small as it can be)")
	flags.BoolVar(&f.dontFragment, "df", false, "do not fragment")
	flags.Uint8Var(&f.ttl, "ttl", 0, "its TTL or hop limit, a `number` from 1 to 255 (default 64)")
}

// given notes which flags were given.
func (f *packetFlags) given(cmd *cobra.Command) {
	given := cmd.Flags().Changed
	f.tcpSet, f.udpSet, f.ttlSet, f.srcPortSet = given("tcp"), given("udp"), given("ttl"), given("src-port")
}

func (f *packetFlags) query() (control.PacketQuery, error) {
	switch {
	case f.in == "":
		return control.PacketQuery{}, usagef("--in is missing: the interface that the packet comes in by")
	case f.src == "":
		return control.PacketQuery{}, usagef("--src is missing: an address")
	}
	q, err := f.packet()
	if (f.tcpSet || f.udpSet) && !f.srcPortSet {
		q.SrcPort = packet.FirstDynamicPort
	}
	return q, err
}

// packet is what the flags say of the packet itself. Its source may be missing.
func (f *packetFlags) packet() (control.PacketQuery, error) {
	q := control.PacketQuery{
		In: f.in, Protocol: "icmp", SrcPort: f.srcPort, Size: f.size, DF: f.dontFragment, TTL: f.ttl,
	}
	switch {
	case f.tcpSet && f.udpSet, f.icmp && (f.tcpSet || f.udpSet):
		return q, usagef("--tcp, --udp and --icmp: wanted one of them")
	case f.tcpSet:
		q.Protocol, q.DstPort = "tcp", f.tcp
	case f.udpSet:
		q.Protocol, q.DstPort = "udp", f.udp
	case f.srcPort != 0:
		return q, usagef("--src-port %d: an echo request has no port; wanted with --tcp or --udp", f.srcPort)
	}
	if f.ttlSet && f.ttl == 0 {
		return q, usagef("--ttl 0: wanted 1 to 255")
	}
	if f.size < 0 || f.size > 65535 {
		return q, usagef("--size %d: wanted up to 65535", f.size)
	}
	for _, a := range []struct {
		flag, text string
		to         *netip.Addr
	}{{"--src", f.src, &q.Src}, {"--dst", f.dst, &q.Dst}} {
		if a.text == "" {
			continue
		}
		addr, err := netip.ParseAddr(a.text)
		if err != nil || addr.Zone() != "" {
			return q, usagef("%s %q: wanted an address such as 10.0.0.1", a.flag, a.text)
		}
		*a.to = addr.Unmap()
	}
	switch {
	case f.dst == "":
		return q, usagef("--dst is missing: an address")
	case f.src != "" && q.Src.Is4() != q.Dst.Is4():
		return q, usagef("--src %s --dst %s: both have to be of one family", q.Src, q.Dst)
	}
	return q, nil
}

// originColumn is the rightmost column in which the origins are aligned. The
// origin of a longer text follows it directly.
const originColumn = 72

func drawExplanation(p *show.Screen, x control.PacketExplanation) {
	fmt.Fprintf(p, "%s\ncomes in by %s\n\n", p.Paint(x.Packet, show.Bold), x.In)
	drawSteps(p, x.Steps)
	fmt.Fprintln(p)
	drawVerdict(p, x.Class, x.Verdict, x.Out, x.Sentence)
	switch a := x.Answer; {
	case a == nil && x.Class == "dropped":
		fmt.Fprintln(p, "sent back: nothing")
	case a == nil:
	case a.Out != "":
		fmt.Fprintf(p, "sent back by %s: %s\n", a.Out, a.Packet)
	default:
		fmt.Fprintf(p, "not sent back: %s, %s\n", a.Packet, a.Sentence)
	}
}

func drawSteps(p *show.Screen, steps []control.Step) {
	stage, text := 0, 0
	for _, s := range steps {
		stage = max(stage, len(s.Stage))
		if n := show.Width(s.Text); n <= originColumn {
			text = max(text, n)
		}
	}
	answering := false
	for _, s := range steps {
		if s.Answer && !answering {
			answering = true
			fmt.Fprintln(p, "\nthe router's answer:")
		}
		if s.Origin == "" {
			fmt.Fprintf(p, "%-*s  %s\n", stage, s.Stage, s.Text)
			continue
		}
		blanks := strings.Repeat(" ", max(text-show.Width(s.Text), 0))
		fmt.Fprintf(p, "%-*s  %s%s  %s\n", stage, s.Stage, s.Text, blanks, p.Paint(s.Origin, show.Faint))
	}
}

func drawVerdict(p *show.Screen, class, verdict, out, sentence string) {
	switch class {
	case "passed":
		fmt.Fprintf(p, "%s by %s: %s\n", p.Paint(verdict, show.Good), out, sentence)
	case "local":
		fmt.Fprintf(p, "%s: %s\n", p.Paint(verdict, show.Good), sentence)
	default:
		fmt.Fprintf(p, "%s (%s): %s\n", p.Paint("dropped", show.Bad), verdict, sentence)
	}
}
