package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"routerd/internal/events"
	"routerd/internal/show"
)

// Subprotocol is the subprotocol of WebSocket that events are sent by.
const Subprotocol = "routerd.v1"

// Status codes of RFC 6455 §7.4.2 for private use, with which a client is put out.
const (
	StatusRevoked websocket.StatusCode = 4401 // its token or certificate was revoked or has expired
	StatusStalled websocket.StatusCode = 4408 // it did not read
)

// socket follows events by WebSocket.
func (f *follower) socket(w http.ResponseWriter, req *http.Request) error {
	if offered := req.Header.Values("Sec-WebSocket-Protocol"); len(offered) > 0 && !speaks(offered) {
		return show.BadRequest("the subprotocols offered are %.200q: wanted %s among them", strings.Join(offered, ", "), Subprotocol)
	}
	corked := &corkable{ResponseWriter: w}
	c, err := websocket.Accept(corked, req, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}})
	if err != nil {
		f.log.Debug("accepting a WebSocket", "err", err)
		return nil // it was answered
	}
	defer c.CloseNow()
	c.SetReadLimit(events.MaxFrame)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.ctx)) // that of a request ends with Hijack
	defer cancel()
	f.ctx = ctx
	frames := make(chan []byte)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		readFrames(ctx, c, corked.conn, frames)
	}()
	conn := corked.conn
	// A server that stops does not wait for a client that does not read.
	defer context.AfterFunc(f.serving, func() { time.AfterFunc(closingTime, func() { conn.Close() }) })()
	emit := func(frame []byte) {
		conn.cork()
		_ = c.Write(context.Background(), websocket.MessageText, frame) // it only fails once the connection is closed, as flush finds
	}
	why := f.follow(frames, emit, func() reason { return conn.uncork(f.events.stalled()) })
	put := putOuts[why]
	if put.code == 0 {
		c.CloseNow()
	} else {
		closeWithin(c, conn, put.code, put.text)
	}
	cancel()
	<-reading
	return nil
}

// putOuts are the status with which a connection is closed, and its words; none
// where there is nobody to tell.
var putOuts = [...]struct {
	code websocket.StatusCode
	text string
}{
	reasonStopping: {websocket.StatusGoingAway, "the router stops serving here"},
	reasonRevoked:  {StatusRevoked, "the token or certificate was revoked or has expired"},
	reasonRefused:  {websocket.StatusPolicyViolation, events.ErrRefused.Error()},
	reasonStalled:  {StatusStalled, "what was sent was not read"},
}

// closingTime is how long the other side has to say that it closes too.
const closingTime = time.Second

// closeWithin closes a connection, and waits only for a short time for the other
// side to say that it does too.
func closeWithin(c *websocket.Conn, conn *corkedConn, code websocket.StatusCode, text string) {
	hurry := time.AfterFunc(closingTime, func() { conn.Close() })
	defer hurry.Stop()
	c.Close(code, text)
}

func speaks(offered []string) bool {
	for _, list := range offered {
		if slices.ContainsFunc(strings.Split(list, ","), func(p string) bool { return strings.EqualFold(strings.TrimSpace(p), Subprotocol) }) {
			return true
		}
	}
	return false
}

// readFrames reads a client's frames until ctx is done or the connection ends,
// and closes the channel then. It closes the connection of a client that sends
// what it may not.
func readFrames(ctx context.Context, c *websocket.Conn, conn *corkedConn, frames chan<- []byte) {
	defer close(frames)
	for {
		kind, raw, err := c.Read(ctx)
		switch {
		case err != nil:
			if ctx.Err() == nil && websocket.CloseStatus(err) == -1 {
				conn.refuse()
				conn.drain()
			}
			return
		case kind != websocket.MessageText:
			closeWithin(c, conn, websocket.StatusUnsupportedData, "wanted text frames")
			return
		case !utf8.Valid(raw): // RFC 6455 §8.1; the library does not look
			closeWithin(c, conn, websocket.StatusInvalidFramePayloadData, "wanted UTF-8")
			return
		}
		select {
		case frames <- raw:
		case <-ctx.Done():
			return
		}
	}
}

// corkable is a ResponseWriter whose hijacked connection is a corkedConn.
type corkable struct {
	http.ResponseWriter
	conn *corkedConn
}

// writeBuffer is the size of the buffer between the library and a corkedConn,
// which gathers what is written.
const writeBuffer = 256

// Hijack implements http.Hijacker.
func (c *corkable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := rw.Writer.Buffered(); n > 0 {
		return nil, nil, errors.Join(fmt.Errorf("taking over a connection: %d bytes wait to be written", n), conn.Close())
	}
	c.conn = &corkedConn{Conn: conn}
	return c.conn, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(c.conn, writeBuffer)), nil
}
