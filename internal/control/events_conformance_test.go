package control

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Opcodes of RFC 6455 §5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// wireFrame is a frame as a client may send it, right or wrong.
type wireFrame struct {
	op       byte
	payload  string
	open     bool // FIN is 0: more fragments follow
	reserved byte // RSV1 to RSV3, as bits 4, 2 and 1
	unmasked bool
	length   int64 // that the header says; 0 for the payload's own
}

// octets encodes the frame (RFC 6455 §5.2).
func (f wireFrame) octets() []byte {
	first := f.op | f.reserved<<4
	if !f.open {
		first |= 0x80
	}
	mask := byte(0x80)
	if f.unmasked {
		mask = 0
	}
	length := f.length
	if length == 0 {
		length = int64(len(f.payload))
	}
	b := []byte{first}
	switch {
	case length >= 0 && length < 126:
		b = append(b, mask|byte(length))
	case length >= 0 && length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(length))
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(f.payload) {
		b = append(b, f.payload[i]^key[i%4])
	}
	return b
}

// dialRaw opens a WebSocket at the socket and returns what is below it.
func dialRaw(t testing.TB, socket string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: routerd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: routerd.v1\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The answer of RFC 6455 §1.3's example.
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		resp.Header.Get("Sec-WebSocket-Protocol") != "routerd.v1" || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("the server answers %s, %v", resp.Status, resp.Header)
	}
	return c, r
}

// readWire reads a frame of the server, which masks none (RFC 6455 §5.1).
func readWire(r io.Reader) (op byte, payload string, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, "", fmt.Errorf("the server sends a frame that begins % x", head)
	}
	length := int64(head[1])
	switch length {
	case 126:
		var n uint16
		err = binary.Read(r, binary.BigEndian, &n)
		length = int64(n)
	case 127:
		err = binary.Read(r, binary.BigEndian, &length)
	}
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, length)
	_, err = io.ReadFull(r, b)
	return head[0] & 0xf, string(b), err
}

// answered says what the server sends after hello, until it sends what ends in
// stop or closes: texts by their type, others by their opcode.
func answered(r io.Reader, stop string) string {
	var list []string
	for {
		op, payload, err := readWire(r)
		switch {
		case err != nil:
			return strings.Join(append(list, "end"), ", ")
		case op == opClose && len(payload) < 2:
			list = append(list, "close")
		case op == opClose:
			list = append(list, fmt.Sprintf("close %d", binary.BigEndian.Uint16([]byte(payload))))
		case op == opPong:
			list = append(list, "pong "+payload)
		case op == opText:
			kind, _, _ := strings.Cut(strings.TrimPrefix(payload, `{"type":"`), `"`)
			if kind != "hello" {
				list = append(list, kind)
			}
		default:
			list = append(list, fmt.Sprintf("opcode %d", op))
		}
		if len(list) > 0 && list[len(list)-1] == stop {
			return strings.Join(list, ", ")
		}
	}
}

// closing is the payload of a close frame.
func closing(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// The server accepts what RFC 6455 allows, and refuses what it forbids with the
// status that it names.
func TestWebSocketConformance(t *testing.T) {
	const subscribe = `{"op":"subscribe","id":1,"topics":["log"]}`
	text := wireFrame{op: opText, payload: subscribe}
	tests := []struct {
		name   string
		frames []wireFrame
		stop   string // the last frame to wait for, if the server goes on
		want   string
	}{
		// Framing, §5.2.
		{"text", []wireFrame{text}, "bookmark", "bookmark"},
		{"two texts", []wireFrame{text, text}, "error", "bookmark, error"},
		{"length in 16 bits", []wireFrame{{op: opText, payload: subscribe + strings.Repeat(" ", 200)}}, "bookmark", "bookmark"},
		{"empty text", []wireFrame{{op: opText}}, "error", "error"},
		{"unmasked", []wireFrame{{op: opText, payload: subscribe, unmasked: true}}, "", "close 1002, end"},
		{"negative length", []wireFrame{{op: opText, length: -1}}, "", "close 1002, end"},

		// Reserved bits, without an extension.
		{"RSV1", []wireFrame{{op: opText, payload: subscribe, reserved: 4}}, "", "close 1002, end"},
		{"RSV2", []wireFrame{{op: opText, payload: subscribe, reserved: 2}}, "", "close 1002, end"},
		{"RSV3", []wireFrame{{op: opText, payload: subscribe, reserved: 1}}, "", "close 1002, end"},
		{"RSV1 of a ping", []wireFrame{{op: opPing, reserved: 4}}, "", "close 1002, end"},

		// Opcodes.
		{"opcode 3", []wireFrame{{op: 3}}, "", "close 1002, end"},
		{"opcode 7", []wireFrame{{op: 7, payload: "x"}}, "", "close 1002, end"},
		{"opcode 11", []wireFrame{{op: 11}}, "", "close 1002, end"},
		{"opcode 15", []wireFrame{{op: 15, payload: "x"}}, "", "close 1002, end"},
		{"binary", []wireFrame{{op: opBinary, payload: subscribe}}, "", "close 1003, end"},

		// Pings and pongs, §5.5.
		{"ping", []wireFrame{{op: opPing, payload: "are you there"}}, "pong are you there", "pong are you there"},
		{"empty ping", []wireFrame{{op: opPing}}, "pong ", "pong "},
		{"longest ping", []wireFrame{{op: opPing, payload: strings.Repeat("p", 125)}}, "pong " + strings.Repeat("p", 125), "pong " + strings.Repeat("p", 125)},
		{"ping of 126", []wireFrame{{op: opPing, payload: strings.Repeat("p", 126)}}, "", "close 1002, end"},
		{"ping in fragments", []wireFrame{{op: opPing, open: true}, {op: opContinuation}}, "", "close 1002, end"},
		{"pong that nobody asked for", []wireFrame{{op: opPong, payload: "x"}, text}, "bookmark", "bookmark"},

		// Fragments, §5.4.
		{"two fragments", []wireFrame{{op: opText, payload: subscribe[:9], open: true}, {op: opContinuation, payload: subscribe[9:]}}, "bookmark", "bookmark"},
		{"empty fragments", []wireFrame{
			{op: opText, open: true}, {op: opContinuation, payload: subscribe, open: true}, {op: opContinuation},
		}, "bookmark", "bookmark"},
		{"a ping between fragments", []wireFrame{
			{op: opText, payload: subscribe[:9], open: true}, {op: opPing, payload: "p"}, {op: opContinuation, payload: subscribe[9:]},
		}, "bookmark", "pong p, bookmark"},
		{"continuation of nothing", []wireFrame{{op: opContinuation, payload: subscribe}}, "", "close 1002, end"},
		{"a text between fragments", []wireFrame{{op: opText, payload: subscribe[:9], open: true}, text}, "", "close 1002, end"},
		{"binary in fragments", []wireFrame{{op: opBinary, open: true}, {op: opContinuation}}, "", "close 1003, end"},

		// UTF-8, §8.1.
		{"UTF-8", []wireFrame{{op: opText, payload: `{"op":"κόσμε"}`}}, "error", "error"},
		{"no UTF-8", []wireFrame{{op: opText, payload: "{\"op\":\"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80\"}"}}, "", "close 1007, end"},
		{"UTF-8 cut off", []wireFrame{{op: opText, payload: "{\"op\":\"\xce"}}, "", "close 1007, end"},
		{"UTF-8 over two fragments", []wireFrame{{op: opText, payload: "{\"op\":\"\xce", open: true}, {op: opContinuation, payload: "\xba\"}"}}, "error", "error"},
		{"overlong UTF-8", []wireFrame{{op: opText, payload: "\xc0\xaf"}}, "", "close 1007, end"},
		{"above U+10FFFF", []wireFrame{{op: opText, payload: "\xf4\x90\x80\x80"}}, "", "close 1007, end"},

		// Close, §5.5.1 and §7.4.
		{"close", []wireFrame{{op: opClose, payload: closing(1000, "bye")}}, "", "close 1000, end"},
		{"close without a status", []wireFrame{{op: opClose}}, "", "close, end"},
		{"close of the application", []wireFrame{{op: opClose, payload: closing(4999, "")}}, "", "close 4999, end"},
		{"close with half a status", []wireFrame{{op: opClose, payload: "\x03"}}, "", "close 1002, end"},
		{"close with status 999", []wireFrame{{op: opClose, payload: closing(999, "")}}, "", "close 1002, end"},
		{"close with status 1005", []wireFrame{{op: opClose, payload: closing(1005, "")}}, "", "close 1002, end"},
		{"close with status 1006", []wireFrame{{op: opClose, payload: closing(1006, "")}}, "", "close 1002, end"},
		{"close with status 2999", []wireFrame{{op: opClose, payload: closing(2999, "")}}, "", "close 1002, end"},
		{"text after close", []wireFrame{{op: opClose, payload: closing(1000, "")}, text}, "", "close 1000, end"},

		// Limits.
		{"longest text", []wireFrame{{op: opText, payload: subscribe + strings.Repeat(" ", 16<<10-len(subscribe))}}, "bookmark", "bookmark"},
		{"too long", []wireFrame{{op: opText, payload: strings.Repeat(" ", 16<<10+1)}}, "", "close 1009, end"},
		{"too long in fragments", []wireFrame{
			{op: opText, payload: strings.Repeat(" ", 10<<10), open: true}, {op: opContinuation, payload: strings.Repeat(" ", 10<<10)},
		}, "", "close 1009, end"},
		{"a length that is only said", []wireFrame{{op: opText, payload: strings.Repeat(" ", 17<<10), length: 1 << 40}}, "", "close 1009, end"},
	}
	socket, _ := serveEvents(t, &fake{}, newEvents())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, r := dialRaw(t, socket)
			var all []byte
			for _, f := range test.frames {
				all = append(all, f.octets()...)
			}
			if _, err := c.Write(all); err != nil {
				t.Fatal(err)
			}
			if got := answered(r, test.stop); got != test.want {
				t.Errorf("the server sends %s; want %s", got, test.want)
			}
		})
	}
}

// What is not the handshake of RFC 6455 §4.2.1 is refused.
func TestWebSocketHandshakesRefused(t *testing.T) {
	socket, _ := serveEvents(t, &fake{}, newEvents())
	good := map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "other, routerd.v1",
	}
	tests := []struct {
		header, value string
		want          int
	}{
		{"Sec-WebSocket-Protocol", "other, routerd.v1", http.StatusSwitchingProtocols},
		{"Sec-WebSocket-Protocol", "", http.StatusSwitchingProtocols},
		{"Upgrade", "h2c, WebSocket", http.StatusSwitchingProtocols},
		{"Sec-WebSocket-Protocol", "routerd.v2", http.StatusBadRequest},
		{"Sec-WebSocket-Version", "12", http.StatusBadRequest},
		{"Sec-WebSocket-Key", "", http.StatusBadRequest},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", http.StatusBadRequest},
		{"Sec-WebSocket-Key", "<script>", http.StatusBadRequest},
		{"Connection", "keep-alive", http.StatusUpgradeRequired},
		{"Origin", "https://evil.example", http.StatusForbidden},
		{"Origin", "http://routerd", http.StatusSwitchingProtocols},
	}
	for _, test := range tests {
		t.Run(test.header+" "+test.value, func(t *testing.T) {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			fmt.Fprint(c, "GET /v1/events HTTP/1.1\r\nHost: routerd\r\n")
			for name, value := range good {
				if name != test.header {
					fmt.Fprintf(c, "%s: %s\r\n", name, value)
				}
			}
			if test.value != "" {
				fmt.Fprintf(c, "%s: %s\r\n", test.header, test.value)
			}
			fmt.Fprint(c, "\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.want {
				t.Errorf("status %d, want %d", resp.StatusCode, test.want)
			}
		})
	}
}

// A client that is cut off anywhere, or sends garbage, takes nobody with it.
func FuzzWebSocket(f *testing.F) {
	f.Add(wireFrame{op: opText, payload: `{"op":"subscribe","id":1,"snapshot":true}`}.octets())
	f.Add(append(wireFrame{op: opText, open: true}.octets(), wireFrame{op: opPing, payload: "p"}.octets()...))
	f.Add(wireFrame{op: opClose, payload: closing(1000, "")}.octets())
	f.Add([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	e := newEvents()
	e.Stalled = 100 * time.Millisecond
	socket, _ := serveEvents(f, &fake{}, e)
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, r := dialRaw(t, socket)
		c.Write(sent)
		c.(*net.UnixConn).CloseWrite()
		for range 1000 {
			if _, _, err := readWire(r); err != nil {
				return
			}
		}
		t.Fatal("the server never ends")
	})
}
