package localstack

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"routerd/dataplane/port/device"
)

// What waits for anybody is listed: bound to one address or to all, by sockets
// of either family, and not what is tied to one remote endpoint.
func TestListeners(t *testing.T) {
	cfg := config(t)
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l, err := OpenListeners(cfg.Netns)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := func(want string) {
		t.Helper()
		list, err := l.List()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range list {
			address := "any"
			if one.Address.IsValid() {
				address = one.Address.String()
			}
			got = append(got, fmt.Sprintf("%d %s:%d", one.Protocol, address, one.Port))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("listeners %q, want %q", s, want)
		}
	}
	var open []io.Closer
	within := func(f func() (io.Closer, error)) {
		t.Helper()
		err := device.InNamespace(cfg.Netns, func() error {
			c, err := f()
			if err == nil {
				open = append(open, c)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tcp := func(network, address string) {
		t.Helper()
		within(func() (io.Closer, error) { return net.Listen(network, address) })
	}
	udp := func(network, address string) {
		t.Helper()
		within(func() (io.Closer, error) { return net.ListenPacket(network, address) })
	}
	want("")
	tcp("tcp4", "10.0.1.1:80")
	tcp("tcp4", "0.0.0.0:22")
	tcp("tcp", "[::]:179")
	tcp("tcp6", "[2001:db8:1::1]:8080") // of IPv6 alone
	udp("udp4", "10.0.1.1:53")
	udp("udp", ":4789")
	within(func() (io.Closer, error) { return net.Dial("udp", "10.0.1.9:123") })
	want("6 any:22, 6 10.0.1.1:80, 6 any:179, 17 10.0.1.1:53, 17 any:4789")
	for _, c := range open {
		c.Close()
	}
	want("")
}

func TestListenersOfNoNamespace(t *testing.T) {
	if l, err := OpenListeners("lst-none"); err == nil {
		l.Close()
		t.Error("opened a namespace that does not exist")
	}
}
