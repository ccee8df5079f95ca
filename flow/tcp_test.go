package flow

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

const (
	fin = FlagFIN
	syn = FlagSYN
	rst = FlagRST
	ack = FlagACK
)

// Both sides of the connections below: the one that began numbers from 1000,
// the other one from 5000, and both scale their windows by 2^7.
const (
	isnF, isnR = 1000, 5000
	offered    = 100 // in a segment without SYN: 12,800 bytes
)

// from is a segment of one direction.
type from struct {
	d Direction
	s Segment
}

func f(flags uint8, seq, ack uint32) from {
	return from{Forward, Segment{Flags: flags, Seq: seq, Ack: ack, Window: offered, Scale: 8}}
}

func r(flags uint8, seq, ack uint32) from {
	return from{Reply, Segment{Flags: flags, Seq: seq, Ack: ack, Window: offered, Scale: 8}}
}

func (s from) data(n uint32) from { s.s.Len = n; return s }

// String is for the names of failures.
func (s from) String() string {
	name := [...]string{"F", "R"}[s.d]
	for _, flag := range []struct {
		bit  uint8
		name string
	}{{syn, " syn"}, {fin, " fin"}, {rst, " rst"}, {ack, " ack"}} {
		if s.s.Flags&flag.bit != 0 {
			name += flag.name
		}
	}
	return fmt.Sprintf("%s %d:%d,%d", name, s.s.Seq, s.s.Len, s.s.Ack)
}

// Ways into each state.
var (
	synF = f(syn, isnF, 0)
	synR = r(syn, isnR, 0)
	// What acknowledges the SYNs.
	synAckF = f(syn|ack, isnF, isnR+1)
	synAckR = r(syn|ack, isnR, isnF+1)
	ackF    = f(ack, isnF+1, isnR+1)
	ackR    = r(ack, isnR+1, isnF+1)
	finF    = f(fin|ack, isnF+1, isnR+1)
	finR    = r(fin|ack, isnR+1, isnF+1)
	rstF    = f(rst|ack, isnF+1, isnR+1)
	rstR    = r(rst|ack, isnR+1, isnF+1)

	// A new connection with the same keys.
	againF = f(syn, 900_000, 0)
	againR = r(syn, 800_000, 0)

	open   = []from{synF, synAckR, ackF}
	closed = append(open[:3:3], finF, r(fin|ack, isnR+1, isnF+2))
	dead   = append(open[:3:3], rstR)

	ways = map[State][]from{
		SynForward:  {synF},
		SynReply:    append(closed[:5:5], againR),
		SynBoth:     {synF, synR},
		AckForward:  {synF, synR, ackF},
		AckReply:    {synF, synAckR},
		PickedUp:    {ackF},
		Established: open,
		FinForward:  append(open[:3:3], finF),
		FinReply:    append(open[:3:3], finR),
		TimeWait:    closed,
		Reset:       dead,
	}
)

// play runs segments and gives the conversation that they leave and whether
// the last one kept it alive.
func play(way []from) (c conversation, alive bool) {
	c = begin(&way[0].s)
	alive = true
	for i := range way[1:] {
		alive = c.step(way[i+1].d, &way[i+1].s)
	}
	return c, alive
}

// Each row of the table in tcp.go, each of its columns: what is empty there
// stays as it is here. The FINs here acknowledge as well, as they do.
func TestTCPStates(t *testing.T) {
	type row struct {
		state State
		// SYN of F, SYN of R, ack of F, ack of R, FIN of F, FIN of R, RST of F, RST of R
		to [8]State
	}
	for _, row := range []row{
		{SynForward, [8]State{SynForward, SynBoth, SynForward, SynForward, SynForward, SynForward, Reset, Reset}},
		{SynReply, [8]State{SynBoth, SynReply, SynReply, SynReply, SynReply, SynReply, Reset, Reset}},
		{SynBoth, [8]State{SynBoth, SynBoth, AckForward, AckReply, FinForward, FinReply, Reset, Reset}},
		{AckForward, [8]State{AckForward, AckForward, AckForward, Established, FinForward, FinReply, Reset, Reset}},
		{AckReply, [8]State{AckReply, AckReply, Established, AckReply, FinForward, FinReply, Reset, Reset}},
		{PickedUp, [8]State{PickedUp, PickedUp, PickedUp, Established, FinForward, FinReply, Reset, Reset}},
		{Established, [8]State{Established, Established, Established, Established, FinForward, FinReply, Reset, Reset}},
		{FinForward, [8]State{FinForward, FinForward, FinForward, FinForward, FinForward, TimeWait, FinForward, FinForward}},
		{FinReply, [8]State{FinReply, FinReply, FinReply, FinReply, TimeWait, FinReply, FinReply, FinReply}},
		{TimeWait, [8]State{SynForward, SynReply, TimeWait, TimeWait, TimeWait, TimeWait, TimeWait, TimeWait}},
		{Reset, [8]State{SynForward, SynReply, Established, Established, FinForward, FinReply, Reset, Reset}},
	} {
		t.Run(row.state.String(), func(t *testing.T) {
			way := ways[row.state]
			if c, _ := play(way); c.state() != row.state {
				t.Fatalf("the way %v leads to %v, want %v", way, c.state(), row.state)
			}
			columns := [8]from{againF, againR, ackF, ackR, finF, finR, rstF, rstR}
			if row.state == SynReply { // which numbers anew
				columns[2], columns[4], columns[6] = f(ack, 900_001, 800_001), f(fin|ack, 900_001, 800_001), f(rst|ack, 900_001, 800_001)
				columns[3], columns[5], columns[7] = r(ack, 800_001, 900_001), r(fin|ack, 800_001, 900_001), r(rst|ack, 800_001, 900_001)
			}
			for i, s := range columns {
				c, _ := play(append(way[:len(way):len(way)], s))
				if c.state() != row.to[i] {
					t.Errorf("%v leads to %v, want %v", s, c.state(), row.to[i])
				}
			}
		})
	}
}

// Whole connections, state by state, and whether each segment keeps the
// session alive.
func TestTCPConnections(t *testing.T) {
	type step struct {
		from
		state State
		alive bool
	}
	for name, steps := range map[string][]step{
		"three-way handshake": {
			{synF, SynForward, true}, {synF, SynForward, true}, {synAckR, AckReply, true}, {synAckR, AckReply, true}, {ackF, Established, true},
		},
		"simultaneous open, RFC 9293 figure 8": {
			{synF, SynForward, true}, {synR, SynBoth, true}, {synAckF, AckForward, true}, {synAckR, Established, true},
		},
		"simultaneous open, the other side acknowledges first": {
			{synF, SynForward, true}, {synR, SynBoth, true}, {synAckR, AckReply, true}, {synAckF, Established, true},
		},
		"half-close by the side that began": {
			{synF, SynForward, true},
			{synAckR, AckReply, true},
			{ackF, Established, true},
			{f(fin|ack, 1001, 5001).data(10), FinForward, true},
			{r(ack, 5001, 1012).data(1000), FinForward, true},
			{f(ack, 1012, 6001), FinForward, true},
			{r(fin|ack, 6001, 1012), TimeWait, true},
			{f(ack, 1012, 6002), TimeWait, true},
		},
		"half-close by the other side": {
			{synF, SynForward, true},
			{synAckR, AckReply, true},
			{ackF, Established, true},
			{r(fin|ack, 5001, 1001), FinReply, true},
			{f(ack, 1001, 5002).data(1000), FinReply, true},
			{r(ack, 5002, 2001), FinReply, true},
			{f(fin|ack, 2001, 5002), TimeWait, true},
		},
		"both close at once": {
			{synF, SynForward, true},
			{synAckR, AckReply, true},
			{ackF, Established, true},
			{finF, FinForward, true},
			{finR, TimeWait, true},
			{f(ack, 1002, 5002), TimeWait, true},
		},
		"refused": {
			{synF, SynForward, true}, {r(rst|ack, 0, 1001), Reset, true}, {r(rst|ack, 0, 1001), Reset, false}, {f(syn, 2000, 0), SynForward, true},
		},
		"a refusal from who has not seen the SYN": {
			{synF, SynForward, true}, {r(rst|ack, 0, 1002), SynForward, false}, {r(rst, 0, 0), SynForward, false}, {r(rst|ack, 0, 1000), SynForward, false},
		},
		"an answer that acknowledges another SYN": {
			{synF, SynForward, true}, {r(syn|ack, 5000, 999), SynForward, false}, {r(syn|ack, 5000, 1002), SynForward, false}, {synAckR, AckReply, true},
		},
		"the SYN with another number before it was answered": {
			{synF, SynForward, true}, {f(syn, 70_000, 0), SynForward, true}, {synAckR, SynForward, false}, {r(syn|ack, 5000, 70_001), AckReply, true},
		},
		"data with the SYN": {
			{synF.data(500), SynForward, true}, {r(syn|ack, 5000, 1501), AckReply, true}, {f(ack, 1501, 5001), Established, true},
		},
		"data with the SYN, refused": {
			{synF.data(500), SynForward, true}, {r(rst|ack, 0, 1501), Reset, true},
		},
		"an acknowledgement of nothing does not establish": {
			{synF, SynForward, true}, {synAckR, AckReply, true}, {f(ack, 1001, 4000), AckReply, true}, {f(ack, 1001, 5002), AckReply, true}, {ackF, Established, true},
		},
		"the server closes before the handshake's end": {
			{synF, SynForward, true}, {synAckR, AckReply, true}, {r(fin|ack, 5001, 1001).data(20), FinReply, true}, {f(fin|ack, 1001, 5022), TimeWait, true},
		},
		"the RST was not accepted": {
			{synF, SynForward, true},
			{synAckR, AckReply, true},
			{ackF, Established, true},
			{f(rst, 1501, 0), Established, false},
			{f(rst, 1101, 0), Reset, true},
			{f(rst, 1101, 0), Reset, false},
			{f(ack, 1001, 5001).data(1), Established, true},
		},
		"reopened from the other side": {
			{synF, SynForward, true},
			{synAckR, AckReply, true},
			{ackF, Established, true},
			{finF, FinForward, true},
			{finR, TimeWait, true},
			{r(syn, 90_000, 0), SynReply, true},
			{r(syn, 90_000, 0), SynReply, true},
			{f(syn|ack, 70_000, 90_001), AckForward, true},
			{r(ack, 90_001, 70_001), Established, true},
		},
		"in mid-stream": {
			{f(ack, 1<<31, 77).data(100), PickedUp, true}, {f(ack, 1<<31+100, 77).data(100), PickedUp, true}, {r(ack, 77, 1<<31+100), Established, true},
		},
		"in mid-stream, at the end of the numbers": {
			{f(ack, 1<<32-100, 77).data(200), PickedUp, true}, {r(ack, 77, 1<<32-50), Established, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c conversation
			for i, s := range steps {
				alive := true
				if i == 0 {
					c = begin(&s.s)
				} else {
					alive = c.step(s.d, &s.s)
				}
				if c.state() != s.state || alive != s.alive {
					t.Fatalf("after segment %d, %v: state %v, alive %t, want %v, %t", i+1, s.from, c.state(), alive, s.state, s.alive)
				}
			}
		})
	}
}

// RFC 5961 §3.2: an RST counts in the window of its receiver only.
func TestTCPWindow(t *testing.T) {
	const window = offered << 7
	for _, tt := range []struct {
		name string
		way  []from
		last from
		want State
	}{
		{"RST at its left edge", open, r(rst, isnR+1, 0), Reset},
		{"RST left of it", open, r(rst, isnR, 0), Established},
		// What the handshake's ACK offered, up to the next power of two.
		{"RST within it", open, r(rst, isnR+1+window, 0), Reset},
		{"RST right of it", open, r(rst, isnR+1+2*window, 0), Established},
		{"RST far off", open, r(rst, isnR+1+1<<31, 0), Established},
		{"RST of F at its left edge", append(open[:3:3], ackR), f(rst, isnF+1, 0), Reset},
		{"RST of F right of it", append(open[:3:3], ackR), f(rst, isnF+1+2*window, 0), Established},
		// R has offered 100 bytes in its SYN, which is never scaled, and nothing since.
		{"RST right of an unscaled window", open, f(rst, isnF+1+129, 0), Established},
		{"RST of what was already acknowledged", append(open[:3:3], r(ack, isnR+1, isnF+1).data(1000), f(ack, isnF+1, isnR+1001)), r(rst, isnR+1000, 0), Established},
		{"RST that follows data", append(open[:3:3], r(ack, isnR+1, isnF+1).data(1000)), r(rst, isnR+1001, 0), Reset},
		{"FIN of what was already acknowledged", append(open[:3:3], r(ack, isnR+1, isnF+1).data(1000), f(ack, isnF+1, isnR+1001)), r(fin|ack, isnR+1, isnF+1).data(500), Established},
		{"FIN right of the window", open, r(fin|ack, isnR+1+2*window, isnF+1), Established},
		{"FIN that acknowledges what was not sent", open, r(fin|ack, isnR+1, isnF+2), Established},
		{"FIN behind data that was lost on the way", open, r(fin|ack, isnR+1+window-1, isnF+1), FinReply},
		{"RST before the SYN was answered", []from{synF}, f(rst, isnF+1, 0), Reset},
		{"RST off before the SYN was answered", []from{synF}, f(rst, isnF+2, 0), SynForward},
		{"RST over the end of the numbers", []from{
			f(syn, 1<<32-1, 0), r(syn|ack, 1<<32-50, 0), f(ack, 0, 1<<32-49), r(ack, 1<<32-49, 0).data(100), f(ack, 0, 51),
		}, r(rst, 51, 0), Reset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c, _ := play(append(tt.way[:len(tt.way):len(tt.way)], tt.last)); c.state() != tt.want {
				t.Errorf("%v leads to %v, want %v", tt.last, c.state(), tt.want)
			}
		})
	}
}

// RFC 7323 §2.2: windows are scaled only if both sides have offered to.
func TestTCPWindowScale(t *testing.T) {
	scaled := func(s from, scale uint8) from { s.s.Scale = scale; return s }
	for _, tt := range []struct {
		name string
		f, r uint8 // 1 + shift, 0 without the option
		want uint32
	}{
		{"neither", 0, 0, 128},
		{"the side that began alone", 8, 0, 128},
		{"the other side alone", 0, 8, 128},
		{"both", 8, 3, 16384},
		{"by nothing", 1, 8, 128},
		{"by too much", 200, 8, 1 << 21}, // 14 is the most: 100 << 14 = 1,638,400
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := play([]from{scaled(synF, tt.f), scaled(synAckR, tt.r), ackF})
			if got := c.window(Forward); got != tt.want {
				t.Errorf("the window of F is %d, want %d", got, tt.want)
			}
		})
	}
}

// A sender that does not know the sequence numbers of a connection cannot end it:
// segments outside of the windows leave it established.
func TestTCPBlindSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _ := play(append(open[:3:3], ackR))
		var known [2]track
		for range rapid.IntRange(1, 50).Draw(t, "segments") {
			known = c.tracks
			d := Direction(rapid.IntRange(0, 1).Draw(t, "direction"))
			s := Segment{
				Flags: rapid.Uint8().Draw(t, "flags"), Scale: rapid.Uint8().Draw(t, "scale"), Window: rapid.Uint16().Draw(t, "window"),
				Ack: rapid.Uint32().Draw(t, "ack"), Len: rapid.Uint32Range(0, 1<<16).Draw(t, "len"),
			}
			// The windows are 2^14 at most, and data counts from either end.
			const span = 1<<14 + 2
			s.Seq = known[d.Other()].ack() + span + rapid.Uint32Range(0, 1<<32-1-3*span-1<<16).Draw(t, "seq")
			c.step(d, &s)
			if c.state() != Established || c.tracks != known {
				t.Fatalf("%v leads to %v with %x, want it to leave %x", from{d, s}, c.state(), c.tracks, known)
			}
		}
	})
}
