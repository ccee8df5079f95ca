package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"routerd/internal/bench"
)

// probe finds out which of some prefixes of a table packets are forwarded by: it sends
// datagrams from one host to addresses in them, and sees which arrive at another.
type probe struct {
	out, in *net.UDPConn
	to      []netip.AddrPort
	seen    []atomic.Bool
}

const (
	probes  = 32                   // prefixes, the last one among them
	probing = 5 * time.Millisecond // between two rounds
	// probePort is one that nobody else has.
	probePort = 40404
)

func newProbe(from, at string, table []netip.Prefix) (p *probe, err error) {
	p = &probe{seen: make([]atomic.Bool, probes)}
	for i := range probes {
		prefix := table[(i+1)*len(table)/probes-1]
		a := prefix.Addr().As4()
		if prefix.Bits() < 32 {
			a[3] |= 1
		}
		p.to = append(p.to, netip.AddrPortFrom(netip.AddrFrom4(a), probePort))
	}
	err = bench.InNamespace(at, func() (err error) {
		p.in, err = net.ListenUDP("udp4", &net.UDPAddr{Port: probePort})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for datagrams: %w", err)
	}
	err = bench.InNamespace(from, func() (err error) {
		p.out, err = net.ListenUDP("udp4", nil)
		return err
	})
	if err != nil {
		p.in.Close()
		return nil, fmt.Errorf("sending datagrams: %w", err)
	}
	go p.read()
	return p, nil
}

func (p *probe) read() {
	var b [8]byte
	for {
		n, err := p.in.Read(b[:])
		if err != nil {
			return
		}
		if i := binary.BigEndian.Uint32(b[:4]); n == 4 && i < probes {
			p.seen[i].Store(true)
		}
	}
}

// missing sends to the prefixes that nothing has arrived by, and complains of them.
func (p *probe) missing() (string, error) {
	missing := 0
	for i := range p.to {
		if p.seen[i].Load() {
			continue
		}
		missing++
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(i))
		_, _ = p.out.WriteToUDPAddrPort(b[:], p.to[i]) // it may be unreachable
	}
	if missing == 0 {
		return "", nil
	}
	return fmt.Sprintf("nothing has arrived by %d of %d prefixes, %v among them", missing, probes, p.to[probes-1].Addr()), nil
}

func (p *probe) close() {
	p.out.Close()
	p.in.Close()
}
