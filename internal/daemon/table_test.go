package daemon

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"os"
	"time"

	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
)

// tabler is a protocol that offers a table which it reads from a file: a record
// of 18 octets for each prefix, its family, length and address. Where it is so
// configured it withdraws all of it. It keeps nothing of it but its slots, so that
// what a router takes is the router's.
type tabler struct {
	slots *routing.Slots
	file  *os.File
	from  *bufio.Reader // nil = there is nothing to read any more
	n     int
}

const (
	tableHops     = 64
	tableAtOnce   = 1000 // records a step
	tableRecord   = 18
	tableVariable = "ROUTERD_TEST_TABLE" // path of the file
	tableOff      = ".off"               // the name of a file beside it, while nothing is to be offered
)

// tableOf is the protocol that reads the file at path.
func tableOf(path string) unlisted {
	return unlisted{
		Kind: router.Kind{Name: "tabler", Source: routing.SourceEBGP, New: func(s protocol.Start) protocol.Core {
			file, err := os.Open(path)
			if err != nil {
				panic(err)
			}
			return &tabler{slots: s.Slots, file: file, from: bufio.NewReader(file)}
		}},
		config: func() router.ProtocolConfig {
			_, err := os.Stat(path + tableOff)
			return router.ProtocolConfig{Config: err != nil}
		},
	}
}

// Deadline implements protocol.Core: it reads on at once.
func (c *tabler) Deadline() time.Time {
	if c.from == nil {
		return time.Time{}
	}
	return time.Unix(1, 0)
}

// Step implements protocol.Core.
func (c *tabler) Step(_ time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	switch in := in.(type) {
	case protocol.Stop:
		return append(out, protocol.Stopped{})
	case protocol.Configure:
		if c.from == nil { // all has been read: it comes or goes
			for id := range routing.SlotID(c.n) {
				if in.Config.(bool) {
					c.slots.Offer(id)
				} else {
					c.slots.Withdraw(id)
				}
			}
		}
	}
	for range tableAtOnce {
		if c.from == nil {
			break
		}
		var record [tableRecord]byte
		if _, err := io.ReadFull(c.from, record[:]); err != nil {
			if !errors.Is(err, io.EOF) {
				panic(err)
			}
			c.from = nil
			_ = c.file.Close() // it was only read
			break
		}
		c.offer(record)
	}
	return out
}

// offer offers one prefix by one of the next hops, which are behind lan1.
func (c *tabler) offer(record [tableRecord]byte) {
	a := netip.AddrFrom16([16]byte(record[2:]))
	if record[0] == 4 {
		a = netip.AddrFrom4([4]byte(record[2:]))
	}
	id := c.slots.Take(netip.PrefixFrom(a, int(record[1])))
	s := c.slots.At(id)
	s.NextHops, s.Metric = tableHopLists[record[0]/6][c.n*7919%tableHops], 100
	c.slots.Offer(id)
	c.n++
}

// tableHopLists are the next hops of both families, which the RIB resolves.
var tableHopLists = func() (lists [2][tableHops][]routing.NextHop) {
	for i := range tableHops {
		four, six := netip.MustParseAddr("10.0.2.2").As4(), netip.MustParseAddr("2001:db8:2::2").As16()
		four[3] += byte(i)
		six[15] += byte(i)
		for family, a := range []netip.Addr{netip.AddrFrom4(four), netip.AddrFrom16(six)} {
			lists[family][i] = []routing.NextHop{{Address: a, Interface: routing.NoInterface}}
		}
	}
	return lists
}()
