package wire

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/corpus"
	"routerd/routing/keys"
)

// rebuild checks what must hold of any octets: they are refused, or what they
// decode to is built again to the same, up to what receivers ignore.
func rebuild(t *testing.T, raw []byte) Refusal {
	t.Helper()
	var p Packet
	r := Decode(raw, &p)
	if !r.OK() {
		return r
	}
	length := int(raw[2])<<8 | int(raw[3])
	want := bytes.Clone(raw[:length])
	clear(want[checksumAt:HeaderSize]) // built without authentication
	for _, refused := range p.Refused {
		r = refused.Refusal
	}
	if !r.OK() {
		return r // built again without these
	}
	switch p.Type {
	case TypeHello:
		want[HeaderSize+6] = byte(p.LLS.mark(p.Hello.Options)) // the block was damaged
	case TypeDescription:
		want[HeaderSize+2] = byte(p.LLS.mark(p.Description.Options))
	case TypeRequest:
		for i, request := range p.Requests {
			if request.Type == 0xffff { // any type beyond 16 bits
				copy(want[HeaderSize+i*RequestSize:], []byte{0, 0, 0xff, 0xff})
			}
		}
	}
	got := p.Append(nil, nil, 0, 0)
	clear(got[checksumAt : checksumAt+2])
	if !bytes.Equal(got[:length], want) {
		t.Errorf("built again\n%x, want\n%x", got, want)
	}
	if block := p.LLS.TLVs; p.LLS.Present {
		at := length + int(p.Auth.Length) + llsHeader
		if !bytes.Equal(got[length+llsHeader:], block) || !bytes.Equal(raw[at:at+len(block)], block) {
			t.Errorf("block built again\n%x, want\n%x", got[length:], raw[at:])
		}
	}
	return r
}

// Every captured packet gives the same octets again, or is refused for a reason
// that is known.
func TestCorpusPackets(t *testing.T) {
	packets := corpus.Hex(t, "ospfv2")
	if len(packets) < 60 {
		t.Fatalf("read %d packets, want at least 60", len(packets))
	}
	check(t, packets, wrong)
}

// wrong is what the captures have: two packets whose senders wrote the checksum
// with its octets exchanged, and one that was changed after it was captured, so
// that its LSA is wrong too.
var wrong = map[Reason]int{Checksum: 3, LSAChecksum: 1}

// check rebuilds all and wants so many refused for each reason; those with a wrong
// checksum are looked at again with a right one.
func check(t *testing.T, packets [][]byte, want map[Reason]int) {
	t.Helper()
	got := map[Reason]int{}
	for _, raw := range packets {
		r := rebuild(t, raw)
		if r.Reason == Checksum {
			got[Checksum]++
			r = rebuild(t, sum(bytes.Clone(raw)))
		}
		if !r.OK() {
			got[r.Reason]++
		}
		if want[r.Reason] == 0 && !r.OK() {
			t.Errorf("%x: refused: %v", raw, r)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of %d packets refused: %v, want %v", len(packets), got, want)
	}
	t.Logf("%d packets, refused: %v", len(packets), got)
}

// captured gives what the captures carry as OSPF version 2, each once.
func captured(tb testing.TB) [][]byte {
	tb.Helper()
	var packets [][]byte
	seen := map[string]bool{}
	for _, ip := range corpus.Packets(tb) {
		if len(ip) < 20 || ip[0]>>4 != 4 || ip[9] != Protocol || ip[6]&0x3f != 0 || ip[7] != 0 {
			continue
		}
		head, length := int(ip[0]&15)*4, int(ip[2])<<8|int(ip[3])
		if head > length || length > len(ip) || seen[string(ip[head:length])] {
			continue
		}
		seen[string(ip[head:length])] = true
		packets = append(packets, ip[head:length])
	}
	return packets
}

func TestCorpusCaptures(t *testing.T) {
	packets := captured(t)
	if len(packets) < 60 {
		t.Fatalf("%d packets of OSPF in the captures, want at least 60", len(packets))
	}
	check(t, packets, wrong)
}

func vectors(tb testing.TB) map[string][]byte {
	tb.Helper()
	return corpus.Vectors(tb, "ospfv2")
}

// The vectors give the same octets again, digests included.
func TestCorpusVectors(t *testing.T) {
	algorithms := map[string]keys.Algorithm{"SHA256": keys.HMACSHA256, "SHA384": keys.HMACSHA384, "SHA512": keys.HMACSHA512}
	got := vectors(t)
	if len(got) < 12 {
		t.Fatalf("%d vectors, want at least 12", len(got))
	}
	for name, raw := range got {
		t.Run(name, func(t *testing.T) {
			if raw[0] != version {
				l := LSA(raw)
				if r := l.Check(); !r.OK() {
					t.Fatalf("refused: %v", r)
				}
				h := l.Header()
				if back := AppendLSA(nil, &h, Opaque(l.Body())); !bytes.Equal(back, raw) {
					t.Errorf("built again\n%x, want\n%x", back, raw)
				}
				return
			}
			var s *Sealer
			for word, a := range algorithms {
				if strings.Contains(name, word) {
					s, _ = NewSealer(AuthCryptographic, a, 1, []byte("HOLO"))
				}
			}
			var p Packet
			if r := Decode(raw, &p); !r.OK() {
				t.Fatalf("refused: %v", r)
			}
			if r := s.Verify(raw, &p, 0); !r.OK() || p.LLS.Present != strings.HasSuffix(name, "LLS") {
				t.Errorf("verified: %v, block %v", r, p.LLS.Present)
			}
			if back := p.Append(nil, s, p.Auth.Sequence, 0); !bytes.Equal(back, raw) {
				t.Errorf("built again\n%x, want\n%x", back, raw)
			}
		})
	}
}

// fuzzed gives what another implementation's fuzzing came upon: it is mostly
// malformed, and begins with an IPv4 header.
func fuzzed(tb testing.TB) [][]byte {
	tb.Helper()
	dir := corpus.Dir(tb)
	if dir == "" {
		return nil
	}
	out := tb.TempDir()
	if text, err := exec.Command("tar", "-xJf", filepath.Join(dir, "fuzz", "frr-corpi.tar.xz"), "-C", out, "frr-corpi/ospfd").CombinedOutput(); err != nil {
		tb.Logf("unpack the fuzzed packets: %v: %s", err, text)
		return nil
	}
	var packets [][]byte
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		packets = append(packets, raw, raw[min(len(raw), 20):])
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return packets
}

// Whatever fuzzing found elsewhere is refused, or built again to the same.
func TestCorpusFuzzed(t *testing.T) {
	packets := fuzzed(t)
	if len(packets) == 0 {
		t.Skip("the fuzzed packets cannot be unpacked here")
	}
	count := map[Reason]int{}
	for _, raw := range packets {
		count[rebuild(t, raw).Reason]++
		// Their checksums are seldom right: with a right one more is read.
		if len(raw) >= HeaderSize && raw[15] < 2 && len(raw) < 1<<16 {
			raw = bytes.Clone(raw)
			raw[0], raw[14] = version, 0
			count[rebuild(t, sum(raw)).Reason]++
		}
	}
	t.Logf("%d packets: %v", len(packets), count)
}
