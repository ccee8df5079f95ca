package corpus

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BGPMessage is a BGP message of an MRT file, header and all.
type BGPMessage struct {
	File string
	// FourOctetAS: AS numbers have four octets; AddPath: prefixes have path
	// identifiers.
	FourOctetAS, AddPath bool
	Octets               []byte
}

// Types and subtypes of MRT records (RFC 6396 §4, RFC 8050).
const (
	mrtBGP4MP   = 16
	mrtBGP4MPET = 17
)

// mrtMessages say which subtypes are messages, with AS numbers of how many octets and
// whether with path identifiers.
var mrtMessages = map[uint16]struct {
	as    int
	paths bool
}{1: {2, false}, 4: {4, false}, 6: {2, false}, 7: {4, false}, 8: {2, true}, 9: {4, true}, 10: {2, true}, 11: {4, true}}

// BGPMessages gives the messages of all files under mrt/, in their order. Records of
// other types are skipped, and a file that is cut is read up to there.
func BGPMessages(tb testing.TB) []BGPMessage {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "mrt", "*"))
	if err != nil {
		tb.Fatalf("list the MRT files: %v", err)
	}
	var list []BGPMessage
	for _, path := range files {
		data, err := unpacked(path)
		if err != nil {
			tb.Fatalf("read %s: %v", path, err)
		}
		for len(data) >= 12 {
			kind, sub := binary.BigEndian.Uint16(data[4:]), binary.BigEndian.Uint16(data[6:])
			n := int(binary.BigEndian.Uint32(data[8:]))
			if 12+n > len(data) {
				break
			}
			record := data[12 : 12+n]
			data = data[12+n:]
			if kind == mrtBGP4MPET && n >= 4 {
				record = record[4:] // microseconds
			} else if kind != mrtBGP4MP {
				continue
			}
			form, ok := mrtMessages[sub]
			if !ok || len(record) < 2*form.as+4 {
				continue
			}
			head := 2*form.as + 4 + 8
			if binary.BigEndian.Uint16(record[2*form.as+2:]) == 2 { // IPv6
				head += 24
			}
			if len(record) > head {
				list = append(list, BGPMessage{filepath.Base(path), form.as == 4, form.paths, record[head:]})
			}
		}
	}
	return list
}

func unpacked(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(path, ".gz"):
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case strings.HasSuffix(path, ".bz2"):
		return io.ReadAll(bzip2.NewReader(bytes.NewReader(data)))
	}
	return data, nil
}
