package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connectAs connects to a unix socket as another user, with that user's groups: the
// kernel tells the router of the credentials of the thread.
func connectAs(path string, uid, gid int, groups ...uint32) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = becomeOnThisThread(uid, gid, groups)
		}
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		}
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		if err != nil {
			done <- result{nil, err}
			return
		}
		c, err := net.FileConn(f)
		done <- result{c, err}
	}()
	r := <-done
	return r.conn, r.err
}

// becomeOnThisThread changes the user and groups of one thread, unlike the
// functions of package syscall.
func becomeOnThisThread(uid, gid int, groups []uint32) error {
	list := unsafe.Pointer(unsafe.SliceData(groups)) // nil for none
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(list), 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
		return errno
	}
	return nil
}

// The roles that the configuration gives to users and groups are those of the
// peers of the socket, after a reload also on connections that are open.
func TestRolesOfPeers(t *testing.T) {
	s := newSite(t)
	for _, dir := range []string{filepath.Dir(s.dir), s.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.setGroup("4")
	s.start()
	users := []struct {
		uid, gid int
		groups   []uint32
		client   http.Client
	}{{uid: 65534, gid: 4}, {uid: 1000, gid: 100, groups: []uint32{7, 4}}, {uid: 0, gid: 0}}
	for i := range users {
		u := &users[i]
		u.client.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return connectAs(s.socket(), u.uid, u.gid, u.groups...)
		}}
		defer u.client.CloseIdleConnections()
	}
	if _, err := connectAs(s.socket(), 65534, 100); err == nil {
		t.Error("somebody who is not of the group has connected")
	}
	for _, c := range []struct {
		roles string
		want  string // for each user: may it show, clear, reload?
	}{
		{"", "yes no no, yes no no, yes yes yes"},
		{"[api.role.uid]\n\"65534\" = \"operate\"\n\"0\" = \"read\"\n", "yes yes no, yes no no, yes yes yes"},
		{"[api.role.gid]\n\"7\" = \"operate\"\n\"4\" = \"read\"\n", "yes no no, yes yes no, yes yes yes"},
		{"[api.role.gid]\n\"4\" = \"admin\"\n[api.role.uid]\n\"1000\" = \"read\"\n", "yes yes yes, yes no no, yes yes yes"},
	} {
		s.write(c.roles)
		s.setGroup("4")
		if _, err := s.client().Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range users {
			got = append(got, strings.Join([]string{
				may(t, &users[i].client, http.MethodGet, "version"),
				may(t, &users[i].client, http.MethodPost, "clear/arp"),
				may(t, &users[i].client, http.MethodPost, "reload"),
			}, " "))
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("with the roles\n%s\ngot  %s\nwant %s", c.roles, got, c.want)
		}
	}
}

// may tells whether a request is allowed.
func may(t *testing.T, c *http.Client, method, noun string) string {
	t.Helper()
	req, err := http.NewRequest(method, "http://routerd/v1/"+noun, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	switch resp.StatusCode {
	case http.StatusOK:
		return "yes"
	case http.StatusForbidden:
		return "no"
	}
	return fmt.Sprintf("%s: %s", resp.Status, body)
}
