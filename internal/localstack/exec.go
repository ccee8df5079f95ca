package localstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// Exec replaces the calling process by a program inside the namespace. It
// returns only on error.
func Exec(netns string, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	fd, err := unix.Open(device.NamespacePath(netns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening network namespace %q: %w", netns, err)
	}
	runtime.LockOSThread() // the thread that calls execve(2) is the one that stays
	if err := unix.Setns(fd, unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		return fmt.Errorf("entering network namespace %q: %w; it takes root: try sudo", netns, err)
	} else if err != nil {
		return fmt.Errorf("entering network namespace %q: %w", netns, err)
	}
	return fmt.Errorf("running %s: %w", path, unix.Exec(path, argv, os.Environ()))
}
