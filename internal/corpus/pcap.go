package corpus

import (
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Packets gives the IP packets of every capture under pcap/, each once, in the
// order of the files, as captured: they may be truncated or malformed. Captures
// with unknown link types are skipped.
func Packets(tb testing.TB) [][]byte {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	var packets [][]byte
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(dir, "pcap"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return readCapture(path, func(ip []byte) {
			if !seen[string(ip)] {
				seen[string(ip)] = true
				packets = append(packets, ip)
			}
		})
	})
	if err != nil {
		tb.Fatalf("read the captures: %v", err)
	}
	return packets
}

// readCapture passes every IP packet of one file to add. A damaged capture is
// read up to the damage: some are damaged on purpose.
func readCapture(path string, add func([]byte)) error {
	var r interface {
		gopacket.PacketDataSource
		LinkType() layers.LinkType
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch filepath.Ext(path) {
	case ".pcap":
		r, err = pcapgo.NewReader(f)
	case ".pcapng":
		r, err = pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{SkipUnknownVersion: true})
	default:
		return nil
	}
	if err != nil {
		return nil //nolint:nilerr // not a capture that the reader knows
	}
	for {
		data, _, err := r.ReadPacketData()
		if err == io.EOF || err != nil {
			return nil //nolint:nilerr // see above
		}
		if ip := network(r.LinkType(), data); len(ip) > 0 {
			add(ip)
		}
	}
}

// Link types by their numbers in the pcap file format, which differ from the
// library's constants.
const (
	linkRawBSD = 12
	linkLoop   = 108
	linkIPv4   = 228
	linkIPv6   = 229
)

// network gives the IP packet after the link header, or nil.
func network(link layers.LinkType, b []byte) []byte {
	switch int(link) {
	case int(layers.LinkTypeEthernet):
		return afterEtherType(b, 12)
	case int(layers.LinkTypeRaw), linkRawBSD, linkIPv4, linkIPv6:
		return b
	case int(layers.LinkTypeNull), linkLoop:
		if len(b) > 4 {
			return b[4:]
		}
	case int(layers.LinkTypeLinuxSLL):
		return afterEtherType(b, 14)
	}
	return nil
}

func isIP(etherType uint16) bool { return etherType == 0x0800 || etherType == 0x86dd }

// afterEtherType gives what follows the EtherType at offset at and up to two
// VLAN tags, if that is IP.
func afterEtherType(b []byte, at int) []byte {
	for range 3 {
		if len(b) < at+2 {
			return nil
		}
		t := binary.BigEndian.Uint16(b[at:])
		if isIP(t) {
			return b[at+2:]
		}
		if t != 0x8100 && t != 0x88a8 {
			return nil
		}
		at += 4
	}
	return nil
}
