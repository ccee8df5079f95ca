package dataplane

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// syn is h1's TCP packet to dst with these flags and options, every checksum right.
func syn(tb rapid.TB, dst string, flags uint8, options ...byte) []byte {
	p := udp4(dst)
	header := packet.IPv4MinHeader
	if p.Dst.Is6() {
		p, header = udp6(dst), packet.IPv6Header
	}
	p.Proto, p.Size = packet.ProtoTCP, header+packet.TCPMinHeader+len(options)
	b := build(tb, p)
	tcp := packet.TCP(b[header:])
	tcp.SetFlags(flags)
	tcp[12] = byte(len(tcp)/4) << 4
	copy(tcp[packet.TCPMinHeader:], options)
	return complete(b)
}

func mss(n uint16) []byte { return []byte{2, 4, byte(n >> 8), byte(n)} }

// clamping is a network whose interfaces have these settings.
func clamping(n *network, settings map[routing.InterfaceID]MSS) *network {
	n.view.ClampsMSS = true
	for id, m := range settings {
		n.view.Interfaces[id].MSS = m
	}
	return n
}

// TestMSS: lan0 has an MTU of 1500, lan1 of 1400.
func TestMSS(t *testing.T) {
	const synAck = packet.TCPSyn | packet.TCPAck
	type settings = map[routing.InterfaceID]MSS
	usual := append(mss(1460), 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7) // as Linux has them
	for _, tt := range []struct {
		name     string
		settings settings
		dst      string
		flags    uint8
		options  []byte
		want     []byte
	}{
		{"clamp on the way out", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1360)},
		{"clamp on the way in", settings{lan0: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1360)},
		{"clamp over IPv6", settings{lan1: MSSClamp}, "2001:db8:2::2", packet.TCPSyn, mss(1440), mss(1340)},
		{"SYN and ACK", settings{lan1: MSSClamp}, "10.0.2.2", synAck, mss(1460), mss(1360)},
		{"SYN with ECN", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn | packet.TCPEce | packet.TCPCwr, mss(1460), mss(1360)},
		{"a number on the way out", settings{lan1: 1200}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1200)},
		{"a number on the way in", settings{lan0: 1200}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1200)},
		{"a number over IPv6", settings{lan0: 1200}, "2001:db8:2::2", packet.TCPSyn, mss(1440), mss(1200)},
		{"the lower of two numbers", settings{lan0: 1300, lan1: 1200}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1200)},
		{"a number below what clamp gives", settings{lan0: 1300, lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1300)},
		{"a number above what clamp gives", settings{lan0: 1380, lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1360)},
		{"among other options", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, usual, slices.Concat(mss(1360), usual[4:])},
		{"at an odd place", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, []byte{1, 2, 4, 5, 0xb4, 1, 1, 0}, []byte{1, 2, 4, 5, 0x50, 1, 1, 0}},
		{"twice", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, slices.Concat(mss(1460), mss(9000)), slices.Concat(mss(1360), mss(1360))},

		{"never raised", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1200), mss(1200)},
		{"just what is allowed", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1360), mss(1360)},
		{"none is added", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, []byte{1, 1, 1, 0}, []byte{1, 1, 1, 0}},
		{"no options", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, nil, nil},
		{"neither interface has it", settings{bare0: MSSClamp}, "10.0.2.2", packet.TCPSyn, mss(1460), mss(1460)},
		{"an ACK", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPAck, mss(1460), mss(1460)},
		{"SYN and RST", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn | packet.TCPRst, mss(1460), mss(1460)},
		{"behind the end of the options", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, append([]byte{0, 1, 1, 1}, mss(1460)...), append([]byte{0, 1, 1, 1}, mss(1460)...)},
		{"behind a length of zero", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, append([]byte{3, 0, 1, 1}, mss(1460)...), append([]byte{3, 0, 1, 1}, mss(1460)...)},
		{"of another length", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, []byte{2, 3, 5, 0}, []byte{2, 3, 5, 0}},
		{"cut short by the header", settings{lan1: MSSClamp}, "10.0.2.2", packet.TCPSyn, []byte{1, 2, 4, 5}, []byte{1, 2, 4, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := clamping(newNetwork(t), tt.settings)
			n.run(t, lan0, raw(syn(t, tt.dst, tt.flags, tt.options...)))
			want := hops([][]byte{syn(t, tt.dst, tt.flags, tt.want...)})[0]
			if got := n.ports[lan1].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, want) {
				t.Errorf("left as\n%x, want\n%x", data(got), want)
			}
		})
	}
}

// TestMSSPartial: a checksum that the port completes does not count the options.
func TestMSSPartial(t *testing.T) {
	for _, dst := range []string{"10.0.2.2", "2001:db8:2::2", "10.0.4.2", "2001:db8:4::2"} {
		n := clamping(newNetwork(t), map[routing.InterfaceID]MSS{lan0: 1200})
		b := syn(t, dst, packet.TCPSyn, append([]byte{1}, append(mss(1460), 1, 1, 0)...)...)
		l4 := 20
		if b[0]>>4 == 6 {
			l4 = 40
		}
		tcp := packet.TCP(b[l4:])
		pseudo := packet.PseudoHeaderSum4(b[12:16], b[16:20], packet.ProtoTCP, len(tcp))
		if l4 == 40 {
			pseudo = packet.PseudoHeaderSum6(b[8:24], b[24:40], packet.ProtoTCP, len(tcp))
		}
		tcp.SetChecksum(pseudo)
		n.run(t, lan0, memory.Packet{Data: b, Offload: port.Offload{NeedsChecksum: true, ChecksumStart: uint16(l4), ChecksumOffset: 16}})
		out := lan1
		if dst == "10.0.4.2" || dst == "2001:db8:4::2" {
			out = bare0 // which completes none, so it has been
		}
		want := hops([][]byte{syn(t, dst, packet.TCPSyn, append([]byte{1}, append(mss(1200), 1, 1, 0)...)...)})[0]
		got := n.ports[out].Take()
		if len(got) != 1 {
			t.Fatalf("to %s: %d packets, want one", dst, len(got))
		}
		if got[0].Offload.NeedsChecksum {
			packet.TCP(want[l4:]).SetChecksum(pseudo)
		}
		if !bytes.Equal(got[0].Data, want) {
			t.Errorf("to %s left as\n%x, want\n%x", dst, got[0].Data, want)
		}
	}
}

// TestMSSTranslated: with address translation too, towards both sides.
func TestMSSTranslated(t *testing.T) {
	n := clamping(newNATNetwork(t), map[routing.InterfaceID]MSS{lan1: MSSClamp})
	n.run(t, lan0, raw(syn(t, "10.0.2.2", packet.TCPSyn, mss(1460)...)))
	sent := n.ports[lan1].Take()
	if len(sent) != 1 {
		t.Fatalf("%d packets left, want the SYN", len(sent))
	}
	out := packet.IPv4(slices.Clone(sent[0].Data))
	if out.Src() == addr("10.0.1.2") || !bytes.Equal(out[40:44], mss(1360)) || !bytes.Equal(complete(slices.Clone(out)), out) {
		t.Fatalf("left as %x, want it translated, with 1360 and a right checksum", []byte(out))
	}
	back := slices.Clone(out)
	copy(back[12:16], out[16:20])
	copy(back[16:20], out[12:16])
	copy(back[20:22], out[22:24])
	copy(back[22:24], out[20:22])
	tcp := packet.TCP(back[20:])
	tcp.SetFlags(packet.TCPSyn | packet.TCPAck)
	binary.BigEndian.PutUint32(tcp[8:], packet.TCP(out[20:]).Seq()+1)
	copy(back[40:], mss(1460))
	packet.IPv4(back).FillChecksum()
	complete(back)
	n.run(t, lan1, raw(back))
	sent = n.ports[lan0].Take()
	if len(sent) != 1 {
		t.Fatalf("%d packets came back, want the SYN and ACK", len(sent))
	}
	in := packet.IPv4(sent[0].Data)
	if in.Dst() != addr("10.0.1.2") || !bytes.Equal(in[40:44], mss(1360)) || !bytes.Equal(complete(slices.Clone(in)), in) {
		t.Errorf("came back as %x, want it for 10.0.1.2, with 1360 and a right checksum", []byte(in))
	}
}

// TestMSSOfTheStack: the router's own connections go over the same links, and
// the MTU of its stack is that of none.
func TestMSSOfTheStack(t *testing.T) {
	n := clamping(newStackNetwork(t), map[routing.InterfaceID]MSS{lan0: MSSClamp})
	n.view.Interfaces[lan0].MTU = 1300
	n.view.Stack.MTU = 600
	n.run(t, lan0, raw(syn(t, "10.0.1.1", packet.TCPSyn, mss(1460)...)))
	if got := n.ports[stackID].Take(); len(got) != 1 || !bytes.Equal(got[0].Data[40:44], mss(1260)) {
		t.Errorf("the stack got %x, want 1260", data(got))
	}
}

func TestMSSExplained(t *testing.T) {
	for _, tt := range []struct {
		options []byte
		set     MSS
		want    string
	}{
		{mss(1460), MSSClamp, `its maximum segment size, 1460, becomes 1360 (mss = "clamp" of lan1)`},
		{mss(1460), 1200, "its maximum segment size, 1460, becomes 1200 (mss = 1200 of lan1)"},
		{mss(1000), 1200, "its maximum segment size, 1000, stays: at most 1200 (mss = 1200 of lan1) is allowed"},
		{nil, MSSClamp, `it says no maximum segment size, and is given none; a larger one would become 1360 (mss = "clamp" of lan1)`},
	} {
		n := clamping(newNetwork(t), map[routing.InterfaceID]MSS{lan1: tt.set})
		x := Explain(n.view, lan0, syn(t, "10.0.2.2", packet.TCPSyn, tt.options...), testNow)
		var said []string
		for _, s := range x.Steps {
			if s.Stage == "mss" {
				said = append(said, s.Text)
			}
		}
		if strings.Join(said, "; ") != tt.want || x.Verdict != verdict.Forwarded {
			t.Errorf("%v: %q (%s), want %q", tt.set, said, x.Verdict, tt.want)
		}
	}
}

// naiveMSS lowers the sizes in a list of options as one would by hand.
func naiveMSS(options []byte, limit uint16) []byte {
	out := slices.Clone(options)
	for rest := out; len(rest) > 0 && rest[0] != 0; {
		switch {
		case rest[0] == 1:
			rest = rest[1:]
			continue
		case len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest):
			return out
		case rest[0] == 2 && rest[1] == 4 && binary.BigEndian.Uint16(rest[2:]) > limit:
			binary.BigEndian.PutUint16(rest[2:], limit)
		}
		rest = rest[rest[1]:]
	}
	return out
}

// TestMSSProperty compares with lowering by hand and a full count, for options
// of any kind.
func TestMSSProperty(t *testing.T) {
	n := clamping(newNetwork(t), map[routing.InterfaceID]MSS{})
	option := rapid.OneOf(
		rapid.Just([]byte{1}),
		rapid.Map(rapid.Uint16(), mss),
		rapid.Just([]byte{4, 2}),
		rapid.Map(rapid.Byte(), func(b byte) []byte { return []byte{3, 3, b} }),
		rapid.SliceOfN(rapid.Byte(), 1, 5),
	)
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.Uint16Range(MinMSS, MaxMSS).Draw(r, "limit")
		n.view.Interfaces[lan1].MSS = MSS(limit)
		options := slices.Concat(rapid.SliceOfN(option, 0, 10).Draw(r, "options")...)
		options = options[:min(len(options), 40)/4*4]
		dst := rapid.SampledFrom([]string{"10.0.2.2", "2001:db8:2::2"}).Draw(r, "dst")
		n.run(r, lan0, raw(syn(r, dst, packet.TCPSyn, options...)))
		want := hops([][]byte{syn(r, dst, packet.TCPSyn, naiveMSS(options, limit)...)})[0]
		if got := n.ports[lan1].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, want) {
			r.Fatalf("options %x, limit %d: left as\n%x, want\n%x", options, limit, data(got), want)
		}
	})
}

// FuzzMSS lowers the sizes in any TCP header: what is read lies inside it, the
// sum stays right, and no size above the limit is left.
func FuzzMSS(f *testing.F) {
	for _, o := range [][]byte{mss(1460), {1, 2, 4, 5, 0xb4, 1, 1, 0}, {2, 4, 5}, {3, 0, 2, 4, 9, 9}, {0xfe, 0xff}} {
		f.Add(uint16(1200), byte(len(o)/4+5), false, o)
	}
	f.Fuzz(func(t *testing.T, limit uint16, words byte, partial bool, options []byte) {
		limit = max(limit, 1)
		tcp := packet.TCP(append(make([]byte, packet.TCPMinHeader), options...))
		tcp[12] = words << 4
		tcp.SetChecksum(packet.Checksum(tcp))
		if !tcp.Valid() {
			return
		}
		before := slices.Clone(tcp)
		was := lowerMSS(tcp, int(limit), partial)
		end := tcp.HeaderLen()
		if want := naiveMSS(before[packet.TCPMinHeader:end], limit); !bytes.Equal(tcp[packet.TCPMinHeader:end], want) {
			t.Fatalf("options %x became %x, want %x", before[packet.TCPMinHeader:end], tcp[packet.TCPMinHeader:end], want)
		}
		if !bytes.Equal(tcp[end:], before[end:]) || (was != 0) == bytes.Equal(tcp, before) && !partial {
			t.Fatalf("%x became %x, and %d is said to be lowered", []byte(before), []byte(tcp), was)
		}
		if s := packet.Sum(tcp, 0); !partial && s != 0xffff && s != 0 {
			t.Fatalf("the sum is %04x after %x became %x", s, []byte(before), []byte(tcp))
		}
		if again := lowerMSS(tcp, int(limit), partial); again != 0 {
			t.Fatalf("%d is lowered again", again)
		}
	})
}

// TestMSSAllocatesNothing and costs nothing where no packet opens a connection.
func TestMSSAllocatesNothing(t *testing.T) {
	n := clamping(newNetwork(t), map[routing.InterfaceID]MSS{lan1: MSSClamp})
	b := NewBatch(BatchSize, &Counters{}, nil)
	p := raw(syn(t, "10.0.2.2", packet.TCPSyn, mss(1460)...))
	run := func() {
		fill(b, lan0, p, p, p)
		Process(n.view, b, testNow)
		for i := range b.egress {
			b.egress[i].reset()
		}
	}
	run()
	if got := testing.AllocsPerRun(50, run); got != 0 {
		t.Errorf("%v allocations per batch, want none", got)
	}
}

func data(list []memory.Packet) [][]byte {
	var out [][]byte
	for _, p := range list {
		out = append(out, p.Data)
	}
	return out
}
