package localstack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"routerd/dataplane/port/device"
)

// Inhabitants lists the programs that run in the namespace called name, such as
// those of `routerd shell`, as "nc (pid 1234)". When the namespace loses its
// name and the stack's device, they go on without a network.
func Inhabitants(name string) []string {
	home, err := os.Stat(device.NamespacePath(name))
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		ns, err := os.Stat(filepath.Join(dir, "ns/net"))
		if err != nil || !os.SameFile(home, ns) {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		list = append(list, fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), pid))
	}
	return list
}
