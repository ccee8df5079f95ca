package offload

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// The registers of both programs. R0 is what a call returns, R1 to R5 are its
// arguments, R6 to R9 outlive it.
const (
	ctx   = asm.R6 // the packet
	found = asm.R7 // the flow's entry, once it is found
	total = asm.R8 // bytes of the packet by its IP header
	wire  = asm.R9 // bytes of the longest packet that it becomes on the wire
)

// Offsets in struct __sk_buff of linux/bpf.h.
const (
	skbLen         = 0
	skbMark        = 8
	skbProtocol    = 16
	skbVLANPresent = 20
	skbIfindex     = 40
	skbNote        = 48 // cb, five words of 32 bits
	skbGSOSize     = 176
)

// note is what the judge leaves in the packet for the carrier: a mark that
// nobody else knows, in the first and last word, so that nothing that lies there
// by chance is taken for it.
const (
	noteMark   = skbNote
	noteSlot   = skbNote + 4
	noteLength = skbNote + 8  // bytes of the frame without padding; 0 if the socket gets the packet
	notePieces = skbNote + 12 // packets that a super-packet carries; 0 for a packet that is none
	noteSocket = notePieces   // which socket gets it
	noteEnd    = skbNote + 16
)

// Offsets on the stack. A frame is read there so that its IP header lies at a
// multiple of 4, which loads from the stack need.
const (
	atIP    = -64
	atFrame = atIP - linkHeader
	atSlot  = -4 // also other keys of four bytes
	atParts = -8
	atTCP   = -12 // length and flags of the TCP header
	atOther = -84 // 1 for a packet that is not carried though its flow is
)

// Lengths of headers.
const (
	linkHeader = 14
	ip4Header  = 20
	ip6Header  = 40
	tcpHeader  = 20
	udpHeader  = 8
)

// family is what the two families differ in.
type family struct {
	name      string
	ethertype int32
	header    int16 // length of the IP header
	hops      int16 // offset of TTL or hop limit
	proto     int16 // offset of protocol or next header
	key       int16 // offset of the addresses, with which the key begins
	flows     int   // descriptor of the table of flows
}

// judge is the program that the packet sockets of a device run before they take
// a packet: does the cache carry it? If so the socket does not get it, and the
// carrier, which runs next on the same packet, finds the answer in the packet.
// So each packet is judged once, and goes one way.
//
// Whatever is not plain goes to the socket, and there to the stages. There is one
// program for each socket, which has its number in it.
func (p *programs) judge(socket int) asm.Instructions {
	four := family{"ipv4", unix.ETH_P_IP, ip4Header, 8, 9, 12, p.flows4}
	six := family{"ipv6", unix.ETH_P_IPV6, ip6Header, 7, 6, 8, p.flows6}
	return join(
		which(&four, &six),
		p.one(&four), p.one(&six),
		p.valid(),
		p.ready(socket),
		p.answer(),
		p.await(socket),
		asm.Instructions{ // the socket gets all of the packet
			asm.Mov.Imm(asm.R0, -1).WithSymbol("pass"),
			asm.Return(),
		},
	)
}

// which tells the families apart. A tag (802.1Q) makes the packet one of another
// network.
func which(four, six *family) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(ctx, asm.R1),
		asm.LoadMem(asm.R1, ctx, skbVLANPresent, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "pass"),
		asm.LoadMem(asm.R1, ctx, skbProtocol, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.JEq.Imm(asm.R1, four.ethertype, four.name),
		asm.JEq.Imm(asm.R1, six.ethertype, six.name),
		asm.Ja.Label("pass"),
	}
}

// one judges the headers of one family, and looks for the flow.
func (p *programs) one(f *family) asm.Instructions {
	return join(
		f.read(),
		f.network(),
		f.transport(),
		f.find(),
	)
}

// read copies the headers to the stack, up to the length of a UDP header.
func (f *family) read() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, ctx).WithSymbol(f.name),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atFrame),
		asm.Mov.Imm(asm.R4, int32(linkHeader+f.header+udpHeader)),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "pass"), // it is shorter
	}
}

// network makes the checks of RFC 1812 §5.2.2 and RFC 8200 §3 that a header can
// fail, and leaves to the stages what needs more than the rewrite: options,
// fragments, hops that have run out.
func (f *family) network() asm.Instructions {
	lengths := asm.Instructions{
		// The frame must hold the packet. What it has beyond is padding, which
		// a super-packet has none of.
		asm.LoadMem(asm.R1, ctx, skbLen, asm.Word),
		asm.Sub.Imm(asm.R1, linkHeader),
		asm.JGT.Reg(total, asm.R1, "pass"),
		asm.LoadMem(wire, ctx, skbGSOSize, asm.Word),
		asm.JEq.Imm(wire, 0, f.name+"-long"),
		asm.JNE.Reg(total, asm.R1, "pass"),
		// Forwarding needs a hop limit above one (RFC 1812 §5.3.1).
		asm.LoadMem(asm.R1, asm.RFP, atIP+f.hops, asm.Byte).WithSymbol(f.name + "-long"),
		asm.JLE.Imm(asm.R1, 1, "pass"),
	}
	if f.header == ip6Header {
		return append(asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, atIP, asm.Byte),
			asm.And.Imm(asm.R1, 0xf0),
			asm.JNE.Imm(asm.R1, 6<<4, "pass"),
			asm.LoadMem(total, asm.RFP, atIP+4, asm.Half),
			asm.HostTo(asm.BE, total, asm.Half),
			asm.Add.Imm(total, ip6Header),
		}, lengths...)
	}
	return join(asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, atIP, asm.Byte),
		asm.JNE.Imm(asm.R1, 4<<4|ip4Header/4, "pass"), // options too
		asm.LoadMem(asm.R1, asm.RFP, atIP+6, asm.Half),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.JSet.Imm(asm.R1, 0x3fff, "pass"), // more fragments, or an offset
		asm.LoadMem(total, asm.RFP, atIP+2, asm.Half),
		asm.HostTo(asm.BE, total, asm.Half),
	}, lengths, checksum4())
}

// checksum4 adds the words of the IPv4 header up: a packet whose checksum is
// wrong is the stages' to drop.
func checksum4() asm.Instructions {
	s := asm.Instructions{asm.Mov.Imm(asm.R1, 0)}
	for at := int16(0); at < ip4Header; at += 4 {
		s = append(s, asm.LoadMem(asm.R2, asm.RFP, atIP+at, asm.Word), asm.Add.Reg(asm.R1, asm.R2))
	}
	s = append(s, fold(asm.R1, asm.R2, 32)...)
	s = append(s, fold(asm.R1, asm.R2, 16)...)
	return append(s, asm.JNE.Imm(asm.R1, 0xffff, "pass"))
}

// fold adds the upper part of a sum to the lower one, until it has no more than
// bits; spare is another register.
func fold(sum, spare asm.Register, bits int32) (s asm.Instructions) {
	for range 2 {
		s = append(s,
			asm.Mov.Reg(spare, sum),
			asm.RSh.Imm(spare, bits),
			asm.LSh.Imm(sum, 64-bits),
			asm.RSh.Imm(sum, 64-bits),
			asm.Add.Reg(sum, spare),
		)
	}
	return s
}

// transport judges the header behind, as address translation does too. What
// opens or ends a connection, or belongs to none (RFC 9293 §3.10.7.4: no ACK), is
// the stages' to see, and so are UDP's super-packets: that one may be a tunnel's,
// whose segments are longer than it says, cannot be seen here. Their flow is
// looked up all the same, since what follows them must not overtake them.
func (f *family) transport() asm.Instructions {
	at := int16(atIP) + f.header
	done, isTCP, other := f.name+"-whole", f.name+"-tcp", f.name+"-other"
	return asm.Instructions{
		asm.StoreImm(asm.RFP, atParts, 0, asm.Word),
		asm.StoreImm(asm.RFP, atOther, 0, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, atIP+f.proto, asm.Byte),
		asm.JEq.Imm(asm.R1, unix.IPPROTO_TCP, isTCP),
		asm.JNE.Imm(asm.R1, unix.IPPROTO_UDP, "pass"),

		asm.JNE.Imm(wire, 0, other),
		asm.LoadMem(asm.R1, asm.RFP, at+4, asm.Half),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.JLT.Imm(asm.R1, udpHeader, "pass"),
		asm.Add.Imm(asm.R1, int32(f.header)),
		asm.JGT.Reg(asm.R1, total, "pass"),
		asm.Mov.Reg(wire, total),
		asm.Ja.Label(done),

		asm.Mov.Reg(asm.R1, ctx).WithSymbol(isTCP),
		asm.Mov.Imm(asm.R2, int32(linkHeader+f.header+12)),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atTCP),
		asm.Mov.Imm(asm.R4, 4),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(asm.R1, asm.RFP, atTCP+1, asm.Byte),
		asm.And.Imm(asm.R1, flagFIN|flagSYN|flagRST|flagACK),
		asm.JNE.Imm(asm.R1, flagACK, other),
		asm.LoadMem(asm.R1, asm.RFP, atTCP, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.LSh.Imm(asm.R1, 2), // bytes of the header
		asm.JLT.Imm(asm.R1, tcpHeader, "pass"),
		asm.Add.Imm(asm.R1, int32(f.header)),
		asm.JGT.Reg(asm.R1, total, "pass"),
		asm.Mov.Reg(asm.R2, wire),
		asm.Mov.Reg(wire, total),
		asm.JEq.Imm(asm.R2, 0, done),
		// A super-packet: as many packets as it has segments, each with all
		// headers.
		asm.Mov.Reg(asm.R3, total),
		asm.Sub.Reg(asm.R3, asm.R1),
		asm.Add.Reg(asm.R3, asm.R2),
		asm.Sub.Imm(asm.R3, 1),
		asm.Div.Reg(asm.R3, asm.R2),
		asm.JEq.Imm(asm.R3, 0, "pass"),
		asm.StoreMem(asm.RFP, atParts, asm.R3, asm.Word),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.JGT.Reg(asm.R1, total, done),
		asm.Mov.Reg(wire, asm.R1),
		asm.Ja.Label(done),

		asm.StoreImm(asm.RFP, atOther, 1, asm.Word).WithSymbol(other),
		asm.Mov.Imm(asm.R1, 0).WithSymbol(done), // a place to jump to
	}
}

// TCP's flags (RFC 9293 §3.1).
const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

// find looks the flow up. The key lies in the packet already, but for its end.
func (f *family) find() asm.Instructions {
	end := int16(atIP) + f.header + 4 // behind the ports
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, atIP+f.proto, asm.Byte),
		asm.LoadMem(asm.R2, ctx, skbIfindex, asm.Word),
		asm.StoreMem(asm.RFP, end, asm.R2, asm.Word),
		asm.StoreMem(asm.RFP, end+4, asm.R1, asm.Word),
		asm.LoadMapPtr(asm.R1, f.flows),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(atIP+f.key)),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.RFP, atSlot, asm.R1, asm.Word),
		asm.Ja.Label("valid"),
	}
}

// valid asks whether the decision still stands and is about this packet: is the
// frame for the router, has none of the causes that would end the decision come
// about, and does it fit the egress? It is asked once for each packet; the store
// of a cause ends it for all packets that are judged later.
func (p *programs) valid() asm.Instructions {
	s := join(asm.Instructions{
		asm.LoadMapPtr(asm.R1, p.entries).WithSymbol("valid"),
	}, element(), asm.Instructions{
		asm.Mov.Reg(found, asm.R0),
		asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.live)), asm.Word),
		asm.JEq.Imm(asm.R1, 0, "pass"),
	})
	own := field(unsafe.Offsetof(entry{}.own))
	s = append(s,
		asm.LoadMem(asm.R1, asm.RFP, atFrame, asm.Half),
		asm.LoadMem(asm.R2, found, own, asm.Half),
		asm.JNE.Reg(asm.R1, asm.R2, "pass"),
		asm.LoadMem(asm.R1, asm.RFP, atFrame+2, asm.Word),
		asm.LoadMem(asm.R2, found, own+2, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, "pass"),
		asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.mtu)), asm.Word),
		asm.JLE.Reg(wire, asm.R1, "fits"),
		asm.StoreImm(asm.RFP, atOther, 1, asm.Word),
		// The slot moves to where the keys of causes do not overwrite it.
		asm.LoadMem(wire, asm.RFP, atSlot, asm.Word).WithSymbol("fits"),
	)
	for i := range int16(maxCauses) {
		s = append(s,
			asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.causes))+4*i, asm.Word),
			asm.StoreMem(asm.RFP, atSlot, asm.R1, asm.Word),
			asm.LoadMapPtr(asm.R1, p.causes),
		)
		s = append(s, element()...)
		s = append(s,
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.LoadMem(asm.R2, found, field(unsafe.Offsetof(entry{}.epochs))+4*i, asm.Word),
			asm.JNE.Reg(asm.R1, asm.R2, "pass"),
		)
	}
	return s
}

// element looks up, in the map of R1, the element whose number is on the stack.
func element() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atSlot),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	}
}

// ready has the packet wait in the socket, as it were, while one of its flow is
// there, or in user space: the number that the latest of those has must be among
// those that are finished, and be one of this socket's (hand.go).
func (p *programs) ready(socket int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, atOther, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "await"),
		asm.LoadMapValue(asm.R2, p.hands, uint32(socket*handSize+handFinished)),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.DWord),
		asm.LoadMem(asm.R1, found, field(unsafe.Offsetof(entry{}.awaits)), asm.DWord),
		asm.JGT.Reg(asm.R1, asm.R2, "await"),
		asm.RSh.Imm(asm.R1, serialShift),
		asm.RSh.Imm(asm.R2, serialShift),
		asm.JNE.Reg(asm.R1, asm.R2, "await"),
	}
}

// answer leaves the note and keeps the packet from the socket.
func (p *programs) answer() asm.Instructions {
	return join(asm.Instructions{
		asm.Add.Imm(total, linkHeader),
		asm.StoreMem(ctx, noteLength, total, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, atParts, asm.Word),
		asm.StoreMem(ctx, notePieces, asm.R1, asm.Word),
	}, p.sign(), asm.Instructions{
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	})
}

// await leaves a note that the packet is to be counted once it is in the socket.
func (p *programs) await(socket int) asm.Instructions {
	return join(asm.Instructions{
		asm.Mov.Imm(asm.R1, 0).WithSymbol("await"),
		asm.StoreMem(ctx, noteLength, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R1, int32(socket)),
		asm.StoreMem(ctx, noteSocket, asm.R1, asm.Word),
	}, p.sign())
}

// sign completes a note.
func (p *programs) sign() asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(ctx, noteSlot, wire, asm.Word),
		asm.Mov.Imm32(asm.R1, int32(p.mark[0])),
		asm.StoreMem(ctx, noteMark, asm.R1, asm.Word),
		asm.Mov.Imm32(asm.R1, int32(p.mark[1])),
		asm.StoreMem(ctx, noteEnd, asm.R1, asm.Word),
	}
}

func field(offset uintptr) int16 { return int16(offset) }

func join(parts ...asm.Instructions) (all asm.Instructions) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
