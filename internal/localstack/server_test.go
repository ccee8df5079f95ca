package localstack

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// A service listens as long as the stack has its address, whenever that comes and
// however often the stack goes; it says why it does not, once for each reason.
func TestServer(t *testing.T) {
	p := newPair(t)
	said := make(chan error, 100)
	v := p.streams.Serve(at("10.7.0.9:8443"), func(err error) { said <- err })
	accepted, ended := make(chan net.Conn), make(chan error, 1)
	go func() {
		for {
			c, err := v.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	hears := func(says string) {
		t.Helper()
		select {
		case err := <-said:
			if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
				t.Fatalf("it says %v, want %q", err, says)
			}
		case <-time.After(time.Minute):
			t.Fatalf("it does not say %q within a minute", says)
		}
	}
	meets := func() (here, far net.Conn) {
		t.Helper()
		far = p.mustDial("10.7.0.9:8443", "", 0)
		select {
		case here = <-accepted:
		case <-time.After(time.Minute):
			t.Fatal("no connection within a minute")
		}
		t.Cleanup(func() { here.Close() })
		return here, far
	}
	hears("no such address")
	p.ip("-n", p.here, "address", "add", "10.7.0.9/24", "dev", "v0")
	p.streams.Readdress()
	hears("")
	here, far := meets()
	if got, want := here.RemoteAddr().String(), far.LocalAddr().String(); got != want {
		t.Errorf("it comes from %s, want %s", got, want)
	}
	p.streams.Down(errors.New("its device has gone"))
	if _, err := here.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a connection of a stack that is gone: %v", err)
	}
	hears("its device has gone")
	if err := p.streams.Up(p.here); err != nil {
		t.Fatal(err)
	}
	hears("")
	meets()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end within a minute")
	}
	if err := v.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
}
