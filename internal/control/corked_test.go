package control

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A connection that is ended while another goroutine gathers what it writes still
// sends that, and the close frame behind it.
func TestDrainWritesWhatIsGathered(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	c := &corkedConn{Conn: served}
	c.cork()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	c.refuse()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.drain()
	}()
	client.SetDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(client)
	if want := "hello\x88\x02\x03\xea"; err != nil || string(got) != want {
		t.Errorf("the client reads %q, %v; want %q", got, err, want)
	}
	client.Close()
	<-ended
}
