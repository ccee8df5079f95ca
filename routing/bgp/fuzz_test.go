package bgp

import (
	"slices"
	"testing"
	"time"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// FuzzSession gives a session inputs in any order: each octet of script is one, and
// raw is what is read at some. Streams are used as the driver allows, and the owner
// hears of each beginning and end once.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 2, 3, 4, 6}, []byte{1})
	f.Add([]byte{0, 1, 2, 3, 4, 5, 7, 8, 9, 10}, theirs())
	f.Add([]byte{0, 2, 3, 4, 1, 11, 12, 13, 8, 7, 14, 0, 9}, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
	f.Fuzz(func(t *testing.T, script, raw []byte) {
		if len(script) > 200 || len(raw) > 5000 {
			return
		}
		c := config(1, 2)
		if len(raw)%2 == 1 {
			c.DelayOpen = time.Second
		}
		o := newSide(t, "a", c, 1)
		now := epoch
		accepted := protocol.AcceptedStream
		opened := map[protocol.StreamID]bool{} // false: it was closed
		var ids []protocol.StreamID
		carry := func(out []protocol.Effect) {
			messages(t, out)
			for _, e := range out {
				switch e := e.(type) {
				case protocol.Dial:
					if _, was := opened[e.ID]; was {
						t.Fatalf("stream %d is dialled twice", e.ID)
					}
					opened[e.ID] = true
					ids = append(ids, e.ID)
				case protocol.Write:
					if !opened[e.ID] {
						t.Fatalf("stream %d is written after its end", e.ID)
					}
				case protocol.CloseStream:
					if !opened[e.ID] {
						t.Fatalf("stream %d is closed twice", e.ID)
					}
					opened[e.ID] = false
				}
			}
		}
		last := func(back int) protocol.StreamID {
			if len(ids) <= back {
				return 0
			}
			return ids[len(ids)-1-back]
		}
		input := func(id protocol.StreamID, in protocol.Input) {
			if opened[id] {
				carry(o.session.Input(now, in, nil))
			}
		}
		for _, op := range script {
			id := last(int(op) % 2)
			switch op % 15 {
			case 0:
				carry(o.session.Start(now, nil))
			case 1, 11:
				accepted++
				opened[accepted] = true
				ids = append(ids, accepted)
				carry(o.session.Accept(now, protocol.Connected{ID: accepted, Room: protocol.StreamRoom}, nil))
			case 2:
				if id&protocol.AcceptedStream == 0 {
					input(id, protocol.Connected{ID: id, Room: protocol.StreamRoom})
				}
			case 3, 12:
				input(id, protocol.Read{ID: id, Data: theirs()})
			case 4, 13:
				input(id, protocol.Read{ID: id, Data: wire.AppendKeepalive(nil)})
			case 5:
				input(id, protocol.Read{ID: id, Data: slices.Clone(raw)})
			case 6:
				if opened[id] {
					opened[id] = false
					carry(o.session.Input(now, protocol.Closed{ID: id, Err: protocol.ErrStreamReset}, nil))
				}
			case 7:
				input(id, protocol.Written{ID: id, Room: protocol.StreamRoom})
			case 8:
				carry(o.session.Stop(now, wire.Shutdown(wire.CeaseAdminShutdown, ""), nil))
			case 9:
				carry(o.session.Restart(now, wire.Notification{Code: wire.CodeCease}, nil))
			case 10:
				now = now.Add(time.Second)
			default:
				now = now.Add(40 * time.Second)
			}
			for range 100 {
				a := o.alarms.Due(now)
				if a == nil {
					break
				}
				carry(a.Of.Due(now, nil))
			}
			open := 0
			for id, is := range opened {
				if is {
					open++
				}
				if is != o.session.Owns(id) {
					t.Fatalf("stream %d is open %v, and owned %v", id, is, o.session.Owns(id))
				}
			}
			if up := o.session.State() == Established; open > 2 || o.ups-o.downs != map[bool]int{true: 1}[up] {
				t.Fatalf("%d streams are open; %v, up %d times, down %d", open, o.session.State(), o.ups, o.downs)
			}
		}
	})
}
