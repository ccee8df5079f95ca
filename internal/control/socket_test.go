package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestListen(t *testing.T) {
	// In a directory of its own, which it makes.
	path := filepath.Join(t.TempDir(), "run", "r1.sock")
	old := syscall.Umask(0)
	l, err := Listen(path, os.Getegid())
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v; want mode 0660", info.Mode(), err)
	}
	if _, err := Listen(path, os.Getegid()); err == nil || !strings.Contains(err.Error(), "another process answers there") {
		t.Errorf("a second listener: %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the second listener has harmed the first: %v", err)
	} else {
		c.Close()
	}
	// What a killed process leaves: a socket that nobody listens to.
	l.UnixListener.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	if l, err = Listen(path, os.Getegid()); err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("closing leaves the socket: %v", err)
	}
}

func TestListenNotASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r1.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, os.Getegid()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

func TestListenTooLong(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("x", 107-len(dir)-1)
	l, err := Listen(filepath.Join(dir, name), os.Getegid())
	if err != nil {
		t.Fatalf("a path of 107 bytes: %v", err)
	}
	l.Close()
	if _, err := Listen(filepath.Join(dir, name+"x"), os.Getegid()); err == nil || !strings.Contains(err.Error(), "has 108 bytes, wanted up to 107") {
		t.Errorf("a path of 108 bytes: %v", err)
	}
}

func TestFindSocket(t *testing.T) {
	t.Setenv(SocketVariable, "")
	empty, one, many, named := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for _, path := range []string{
		filepath.Join(one, "r1.sock"), filepath.Join(one, "r1.lock"),
		filepath.Join(many, "a.sock"), filepath.Join(many, "b.sock"),
		filepath.Join(named, "a.sock"), filepath.Join(named, "routerd.sock"),
	} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		chosen, variable string
		dirs             []string
		want             string
	}{
		{"/x.sock", "/y.sock", []string{one}, "/x.sock"},
		{"unix:///x.sock", "", []string{one}, "/x.sock"},
		{"", "/y.sock", []string{one}, "/y.sock"},
		{"", "", []string{one}, one + "/r1.sock"},
		{"", "", []string{empty, one}, one + "/r1.sock"},
		{"", "", []string{named}, named + "/routerd.sock"},
		{"", "", []string{empty}, empty + "/routerd.sock"},
		{"", "", []string{many}, ""},
	} {
		t.Setenv(SocketVariable, c.variable)
		got, err := FindSocket(c.chosen, c.dirs)
		var several *AmbiguousError
		if got != c.want || (c.want == "") != errors.As(err, &several) {
			t.Errorf("FindSocket(%q, %v) with %q: %q, %v; want %q", c.chosen, c.dirs, c.variable, got, err, c.want)
		}
		if several != nil && len(several.Sockets) != 2 {
			t.Errorf("of the two sockets it names %v", several.Sockets)
		}
	}
}

func TestSocketDirs(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	dirs := SocketDirs()
	if dirs[len(dirs)-1] != "/run/routerd" {
		t.Errorf("%v does not end with the system's", dirs)
	}
	if own := dirs[0] == "/run/user/1000/routerd"; own != (os.Getuid() != 0) {
		t.Errorf("%v as uid %d", dirs, os.Getuid())
	}
	several := &AmbiguousError{[]string{"/run/routerd/a.sock", "/run/routerd/b.sock"}}
	const want = "choosing a router to ask: several run here; name one with --socket or ROUTERD_SOCKET: /run/routerd/a.sock, /run/routerd/b.sock"
	if several.Error() != want {
		t.Errorf("got %q, want %q", several, want)
	}
}
