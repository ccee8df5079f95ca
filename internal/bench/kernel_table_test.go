package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"routerd/internal/corpus"
)

// BenchmarkKernelTable gives the kernel's forwarding table the public table over 64
// next hops, by netlink in a namespace of its own, and reports what a route took of
// time and memory, and what a lookup takes: with addresses anywhere, and inside
// random prefixes, asked by a program of BPF, since a system call for each would
// take longer than the lookup. What that program takes without lookups is left out.
//
// Memory is what the kernel's own allocations grew by, on the whole machine.
func BenchmarkKernelTable(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("the kernel's table needs root")
	}
	all := corpus.Table(b)
	for _, six := range []bool{false, true} {
		name := map[bool]string{false: "IPv4", true: "IPv6"}[six]
		b.Run(name, func(b *testing.B) {
			list := slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return p.Addr().Is6() != six })
			for b.Loop() {
				kernelTable(b, list, six)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func kernelTable(b *testing.B, list []netip.Prefix, six bool) {
	// The namespace, and with it the table, goes with the thread, which ends since
	// it is not unlocked.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			link, err := kernelRouter()
			if err != nil {
				return err
			}
			memory, began := tableMemory(), time.Now()
			if err := loadKernel(list, link, six); err != nil {
				return err
			}
			b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(len(list)), "load-ns/route")
			b.ReportMetric((tableMemory()-memory)/float64(len(list)), "B/route")
			for _, inside := range []bool{false, true} {
				ns, err := kernelLookups(addressesOf(list, six, inside), link, six, inside)
				if err != nil {
					return fmt.Errorf("lookups: %w", err)
				}
				b.ReportMetric(ns, map[bool]string{false: "anywhere-ns", true: "inside-ns"}[inside])
			}
			return nil
		}()
	}()
	if err := <-done; err != nil {
		b.Skipf("the kernel's table cannot be measured here: %v", err)
	}
}

// kernelRouter has this thread be in a namespace of its own that forwards, and
// gives the number of a link with next hops.
func kernelRouter() (int, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return 0, fmt.Errorf("making a namespace: %w", err)
	}
	h, err := netlink.NewHandle()
	if err != nil {
		return 0, err
	}
	defer h.Close()
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "hops0"}, PeerName: "hops1"}); err != nil {
		return 0, fmt.Errorf("making a link: %w", err)
	}
	for _, name := range []string{"hops1", "hops0"} {
		l, err := h.LinkByName(name)
		if err == nil {
			err = h.LinkSetUp(l)
		}
		if err != nil {
			return 0, fmt.Errorf("bringing up a link: %w", err)
		}
	}
	l, err := h.LinkByName("hops0")
	if err != nil {
		return 0, err
	}
	for _, text := range []string{"10.255.0.1/24", "fd00:ffff::1/64"} {
		p := netip.MustParsePrefix(text)
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}, Flags: unix.IFA_F_NODAD}
		if err := h.AddrAdd(l, a); err != nil {
			return 0, fmt.Errorf("adding %s: %w", text, err)
		}
	}
	for _, path := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte("1"), 0); err != nil {
			return 0, fmt.Errorf("forwarding: %w", err)
		}
	}
	return l.Attrs().Index, nil
}

// tableMemory is what the kernel has allocated for itself, in bytes.
func tableMemory() (sum float64) {
	time.Sleep(100 * time.Millisecond) // what is freed after a grace period
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:SUnreclaim|VmallocUsed|Percpu):\s*(\d+) kB`).FindAllSubmatch(text, -1) {
		kb, _ := strconv.ParseFloat(string(m[1]), 64)
		sum += kb * 1024
	}
	return sum
}

// loadKernel adds the routes, many in each message.
func loadKernel(list []netip.Prefix, link int, six bool) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening netlink: %w", err)
	}
	defer unix.Close(fd)
	family, width := byte(unix.AF_INET), 4
	first := netip.MustParseAddr("10.255.0.2")
	if six {
		family, width, first = unix.AF_INET6, 16, netip.MustParseAddr("fd00:ffff::2")
	}
	var hops [64][]byte
	for i := range hops {
		hops[i], first = first.AsSlice(), first.Next()
	}
	var b []byte
	attribute := func(kind uint16, value []byte) {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	}
	size := unix.SizeofNlMsghdr + unix.SizeofRtMsg + 3*4 + 4 + 2*width
	for i, p := range list {
		flags := uint16(unix.NLM_F_REQUEST | unix.NLM_F_CREATE)
		if i == len(list)-1 {
			flags |= unix.NLM_F_ACK
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(size))
		b = binary.NativeEndian.AppendUint16(b, unix.RTM_NEWROUTE)
		b = binary.NativeEndian.AppendUint16(b, flags)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // no number, to the kernel
		b = append(b, family, byte(p.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0)
		attribute(unix.RTA_DST, p.Addr().AsSlice())
		attribute(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(link)))
		attribute(unix.RTA_GATEWAY, hops[i*7919%len(hops)])
		if len(b) > 100_000 || i == len(list)-1 {
			if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
				return fmt.Errorf("sending routes: %w", err)
			}
			b = b[:0]
		}
	}
	// An error for each that was refused, and the answer to the last.
	answer := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return fmt.Errorf("reading the kernel's answer: %w", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return errors.New("the kernel's answer is short")
	}
	if e := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); e != 0 {
		return fmt.Errorf("adding routes: %w", unix.Errno(-e))
	}
	return nil
}

// addressesOf gives a million addresses, of 16 bytes each, IPv4 in the first four.
func addressesOf(list []netip.Prefix, six, inside bool) [][16]byte {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([][16]byte, kernelAddresses)
	for i := range out {
		a := &out[i]
		binary.BigEndian.PutUint64(a[:8], random.Uint64())
		binary.BigEndian.PutUint64(a[8:], random.Uint64())
		if six {
			a[0] = a[0]&0x1f | 0x20 // 2000::/3, which is what is given out
		}
		if !inside {
			continue
		}
		p := list[random.IntN(len(list))]
		for bit, from := 0, p.Addr().AsSlice(); bit < p.Bits(); bit++ {
			mask := byte(0x80) >> (bit % 8)
			a[bit/8] = a[bit/8]&^mask | from[bit/8]&mask
		}
	}
	return out
}
