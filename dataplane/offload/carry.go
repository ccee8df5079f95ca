package offload

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf/asm"
)

// What the carrier returns, of linux/bpf.h.
const (
	tcxNext = -1 // as if it were not there
	tcxDrop = 2
)

// Flags of bpf_l4_csum_replace.
const (
	pseudoHeader = 1 << 4 // the change is of the pseudo-header: a partial checksum covers it
	zeroIsNone   = 1 << 5 // UDP: zero means that there is no checksum
)

// Offsets of transport checksums in an IPv4 frame.
const (
	sumOfTCP = linkHeader + ip4Header + 16
	sumOfUDP = linkHeader + ip4Header + 6
)

// carry is the program at the device's ingress. It does with a packet that the
// judge has let through what was decided for its flow, and leaves all others
// alone.
func (p *programs) carry() asm.Instructions {
	return join(
		p.note(),
		trim(),
		translate(),
		rewrite(),
		count(),
		p.redirect(),
		p.failed(),
		p.passed(),
		asm.Instructions{
			asm.Mov.Imm(asm.R0, tcxNext).WithSymbol("pass"),
			asm.Return(),
		},
	)
}

// note reads what the judge has left, and takes the mark away, since the packet
// may come by another device yet.
func (p *programs) note() asm.Instructions {
	return join(asm.Instructions{
		asm.Mov.Reg(ctx, asm.R1),
		asm.LoadMem(asm.R1, ctx, noteMark, asm.Word),
		asm.JNE.Imm32(asm.R1, int32(p.mark[0]), "pass"),
		asm.LoadMem(asm.R1, ctx, noteEnd, asm.Word),
		asm.JNE.Imm32(asm.R1, int32(p.mark[1]), "pass"),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(ctx, noteMark, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, ctx, noteSlot, asm.Word),
		asm.StoreMem(asm.RFP, atSlot, asm.R1, asm.Word),
		asm.LoadMapPtr(asm.R1, p.entries),
	}, element(), asm.Instructions{
		asm.Mov.Reg(found, asm.R0),
		asm.LoadMem(total, ctx, noteLength, asm.Word),
		asm.JEq.Imm(total, 0, "passed"),
	})
}

// trim takes the padding of a short frame away (RFC 1812 §5.2.2).
func trim() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, ctx, skbLen, asm.Word),
		asm.JEq.Reg(asm.R1, total, "trimmed"),
		asm.Mov.Reg(asm.R1, ctx),
		asm.Mov.Reg(asm.R2, total),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeTail.Call(),
		asm.JNE.Imm(asm.R0, 0, "failed"),
		asm.LoadMem(wire, found, field(unsafe.Offsetof(entry{}.flags)), asm.Word).WithSymbol("trimmed"),
	}
}

// translate updates the transport checksum by what changes (RFC 1624 §3). The
// kernel knows whether the checksum is partial: such a one covers the addresses
// and not the ports.
func translate() asm.Instructions {
	sum := func(by uintptr, flags int32, skip string) asm.Instructions {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, ctx),
			asm.Mov.Imm(asm.R2, sumOfTCP),
			asm.Mov.Imm(asm.R3, 0),
			asm.LoadMem(asm.R4, found, field(by), asm.Word),
			asm.Mov.Imm(asm.R5, flags),
			asm.JSet.Imm(wire, flagUDP, skip+"-udp"),
			asm.Ja.Label(skip + "-sum"),
			asm.Mov.Imm(asm.R2, sumOfUDP).WithSymbol(skip + "-udp"),
			asm.Or.Imm(asm.R5, zeroIsNone),
			asm.FnL4CsumReplace.Call().WithSymbol(skip + "-sum"),
			asm.JNE.Imm(asm.R0, 0, "failed"),
		}
	}
	return join(
		asm.Instructions{
			asm.JSet.Imm(wire, flagTranslate, "translate"),
			asm.Ja.Label("translated"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("translate"),
		},
		sum(unsafe.Offsetof(entry{}.addresses), pseudoHeader, "addresses"),
		asm.Instructions{
			asm.JSet.Imm(wire, flagPorts, "ports"),
			asm.Ja.Label("translated"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("ports"),
		},
		sum(unsafe.Offsetof(entry{}.portsum), 0, "ports"),
	)
}

// rewrite copies the headers to the stack, writes what was decided into them,
// and copies them back: one call for all of them, and none for packets that are
// not carried. (Stores into the packet itself would have the kernel copy the
// headers of every packet that the socket has taken.)
func rewrite() asm.Instructions {
	links := field(unsafe.Offsetof(entry{}.links))
	return join(
		headers(),
		asm.Instructions{
			asm.LoadMem(asm.R1, found, links, asm.Half),
			asm.StoreMem(asm.RFP, atFrame, asm.R1, asm.Half),
			asm.LoadMem(asm.R1, found, links+2, asm.Word),
			asm.StoreMem(asm.RFP, atFrame+2, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, found, links+6, asm.Word),
			asm.StoreMem(asm.RFP, atFrame+6, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, found, links+10, asm.Half),
			asm.StoreMem(asm.RFP, atFrame+10, asm.R1, asm.Half),
			asm.LoadMem(asm.R1, asm.RFP, atIP, asm.Byte),
			asm.JEq.Imm(asm.R1, 4<<4|ip4Header/4, "rewrite4"),

			asm.LoadMem(asm.R1, asm.RFP, atIP+7, asm.Byte),
			asm.Sub.Imm(asm.R1, 1),
			asm.StoreMem(asm.RFP, atIP+7, asm.R1, asm.Byte),
			asm.Ja.Label("store"),
		},
		rewrite4(),
		asm.Instructions{
			asm.Mov.Reg(asm.R1, ctx).WithSymbol("store"),
			asm.Mov.Imm(asm.R2, 0),
			asm.Mov.Reg(asm.R3, asm.RFP),
			asm.Add.Imm(asm.R3, atFrame),
			asm.Mov.Imm(asm.R4, rewritten),
			asm.Mov.Imm(asm.R5, 0),
			asm.FnSkbStoreBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "failed"),
		},
	)
}

// headers copies the headers to the stack, up to the ports of an IPv4 packet.
func headers() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, ctx).WithSymbol("translated"),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atFrame),
		asm.Mov.Imm(asm.R4, rewritten),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "failed"),
	}
}

// rewritten is how much of a frame changes at most.
const rewritten = linkHeader + ip4Header + 4

// rewrite4 writes the ends as they leave, which without translation are those
// that are there, and lowers the TTL (RFC 1812 §5.3.1). The checksum becomes
// HC' = ~(~HC + ~m + m') (RFC 1624 §3, eqn. 3).
func rewrite4() asm.Instructions {
	return join(
		asm.Instructions{
			asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.src)), asm.Word).WithSymbol("rewrite4"),
			asm.StoreMem(asm.RFP, atIP+12, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.dst)), asm.Word),
			asm.StoreMem(asm.RFP, atIP+16, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.ports)), asm.Word),
			asm.StoreMem(asm.RFP, atIP+ip4Header, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, asm.RFP, atIP+8, asm.Byte),
			asm.Sub.Imm(asm.R1, 1),
			asm.StoreMem(asm.RFP, atIP+8, asm.R1, asm.Byte),
			asm.LoadMem(asm.R1, asm.RFP, atIP+10, asm.Half),
			asm.Xor.Imm(asm.R1, 0xffff),
			asm.LoadMem(asm.R2, found, field(unsafe.Offsetof(entry{}.header)), asm.Word),
			asm.Add.Reg(asm.R1, asm.R2),
		},
		fold(asm.R1, asm.R2, 32),
		fold(asm.R1, asm.R2, 16),
		asm.Instructions{
			asm.Xor.Imm(asm.R1, 0xffff),
			asm.StoreMem(asm.RFP, atIP+10, asm.R1, asm.Half),
		},
	)
}

// count counts the packet for its flow. Packets of one flow may come by several
// processors.
func count() asm.Instructions {
	plus := func(counter uintptr, by asm.Register) asm.Instruction {
		return asm.AddAtomic.Mem(found, by, asm.DWord, field(counter))
	}
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 1),
		plus(unsafe.Offsetof(entry{}.frames), asm.R1),
		asm.LoadMem(asm.R2, ctx, notePieces, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "single"),
		plus(unsafe.Offsetof(entry{}.supers), asm.R1),
		asm.Sub.Reg(asm.R2, asm.R1),
		plus(unsafe.Offsetof(entry{}.more), asm.R2),
		asm.LoadMem(asm.R1, ctx, noteLength, asm.Word).WithSymbol("single"),
		plus(unsafe.Offsetof(entry{}.bytes), asm.R1),
		asm.FnKtimeGetCoarseNs.Call(), // a tick is enough for idle times, and the exact time costs more
		asm.StoreMem(found, field(unsafe.Offsetof(entry{}.last)), asm.R0, asm.DWord),
	}
}

// redirect sends the packet on: to the other end of a veth at once, or by the
// device, with the mark by which the device's own rule lets the router's packets
// out.
func (p *programs) redirect() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.egress)), asm.Word),
		asm.Mov.Imm(asm.R2, 0),
		asm.JSet.Imm(wire, flagPeer, "peer"),
		asm.Mov.Imm32(asm.R3, int32(p.outMark)),
		asm.StoreMem(ctx, skbMark, asm.R3, asm.Word),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.FnRedirectPeer.Call().WithSymbol("peer"),
		asm.Return(),
	}
}

// failed counts a packet that the kernel had no memory to change. The socket has
// not got it, so it is lost, as a packet for which the kernel has no memory is.
func (p *programs) failed() asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R1, p.lost, 0).WithSymbol("failed"),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, tcxDrop),
		asm.Return(),
	}
}

// passed gives a packet of a flow that its socket has just got the socket's next
// number, which the flow's next packets wait for. A flow's packets may come by two
// processors at once: the higher number stays. Whoever fails at this four times
// has four others' numbers there, of packets that came later.
func (p *programs) passed() asm.Instructions {
	awaits := field(unsafe.Offsetof(entry{}.awaits))
	s := asm.Instructions{
		asm.LoadMem(asm.R1, ctx, noteSocket, asm.Word).WithSymbol("passed"),
		asm.JGE.Imm(asm.R1, maxSockets, "pass"),
		asm.Mul.Imm(asm.R1, handSize),
		asm.LoadMapValue(asm.R2, p.hands, 0),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.Mov.Imm(asm.R3, 1),
		exchange(asm.FetchAdd, asm.R2, asm.R3, handPassed),
		asm.Add.Imm(asm.R3, 1),
		asm.Mov.Reg(asm.R4, asm.R3),
		asm.RSh.Imm(asm.R4, serialShift),
		asm.LoadMem(asm.R0, found, awaits, asm.DWord),
	}
	for i := range 4 {
		try := fmt.Sprintf("try-%d", i)
		s = append(s,
			asm.Mov.Reg(asm.R5, asm.R0), // what should be replaced
			asm.RSh.Imm(asm.R0, serialShift),
			asm.JNE.Reg(asm.R0, asm.R4, try), // another socket's, or none
			asm.JGE.Reg(asm.R5, asm.R3, "pass"),
			asm.Mov.Reg(asm.R0, asm.R5).WithSymbol(try),
			exchange(asm.CmpXchg, found, asm.R3, awaits),
			asm.JEq.Reg(asm.R0, asm.R5, "pass"),
		)
	}
	return s
}

// exchange is an atomic operation that gives what was there before. Package asm
// takes from the constant which one it is, and does not put it there.
func exchange(op asm.AtomicOp, to, from asm.Register, offset int16) asm.Instruction {
	i := op.Mem(to, from, asm.DWord, offset)
	i.Constant = int64(op >> 8)
	return i
}
