package offload

import (
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
	pkt "routerd/internal/packet"
)

// way is one way of forwarding from h0 to h1, in a network of its own. Of the
// cache, translated and peer say which.
type way struct {
	name             string
	kernel           bool
	translated, peer bool
	*site
}

func kind(translated bool) string {
	if translated {
		return "translated"
	}
	return "plain"
}

// ways are what the benchmarks compare: the kernel's own forwarding, with the
// masquerading of nftables where translated is set, and the cache beside it.
func ways(b *testing.B, translated bool) []*way {
	list := []*way{{name: "kernel", kernel: true}, {name: "device"}, {name: "peer", peer: true}}
	for _, w := range list {
		w.translated = translated
		if w.kernel {
			w.site = forwarding(b, translated)
		} else {
			w.site = newSite(b)
			w.route(b, w.view(b, translated))
		}
		w.address(b)
	}
	return list
}

// forwarding is the network with the kernel in the router's place.
func forwarding(b *testing.B, masquerade bool) *site {
	b.Helper()
	s := &site{near: porttest.Namespace(b), router: porttest.Namespace(b), far: porttest.Namespace(b), mtu: 1500}
	s.lay(b)
	for _, end := range []struct{ dev, own, host, mac string }{{"r0", "198.18.0.1/24", "198.18.0.2", mac(macH0)}, {"r1", "198.18.1.1/24", "198.18.1.2", mac(macH1)}} {
		porttest.IP(b, "-n", s.router, "link", "set", "dev", end.dev, "up")
		porttest.IP(b, "-n", s.router, "address", "add", end.own, "dev", end.dev)
		porttest.IP(b, "-n", s.router, "neigh", "replace", end.host, "lladdr", end.mac, "dev", end.dev)
	}
	porttest.IP(b, "-n", s.router, "route", "add", "default", "via", "198.18.1.2")
	rules := ""
	if masquerade {
		rules = "table ip nat { chain out { type nat hook postrouting priority srcnat; oifname r1 masquerade; }; }"
	}
	if err := device.InNamespace(s.router, func() error {
		for _, run := range []*exec.Cmd{exec.Command("sysctl", "-qw", "net.ipv4.ip_forward=1"), exec.Command("nft", "-f", "-")} {
			run.Stdin = strings.NewReader(rules)
			if err := run.Run(); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Skipf("the kernel does not forward or masquerade here: %v", err)
	}
	return s
}

// BenchmarkSmall is a small UDP packet, from the system call of its sender to the
// host that it is for, which has no use for it. The ways take turns, 32 packets
// each, and of these turns the tenth percentile counts: what a packet takes while
// nothing else has the processor.
func BenchmarkSmall(b *testing.B) {
	for _, translated := range []bool{false, true} {
		b.Run(kind(translated), func(b *testing.B) {
			list := ways(b, translated)
			took := make([][]float64, len(list))
			var sends []func([]byte)
			f := probe(b, "203.0.113.5", pkt.ProtoUDP, 92)
			for _, w := range list {
				if !w.kernel {
					proto, src, dst, _ := ends(f)
					d := Decision{Src: src, Dst: dst, Station: macR0, From: macR1, To: macH1, Egress: w.index1, Peer: w.peer, MTU: w.mtu}
					if translated {
						d.Src = netip.MustParseAddrPort("198.18.1.1:40000")
					}
					if _, err := w.cache.Put(Key{w.index0, proto, src, dst}, d, w.cache.Ref(0)); err != nil {
						b.Fatal(err)
					}
				}
				sends = append(sends, porttest.Sender(b, w.near, "h0", f.data[:14]))
			}
			const turn = 32
			b.ResetTimer()
			for done := 0; done < b.N; done += turn {
				for i, send := range sends {
					send(f.data[14:])
					start := time.Now()
					for range turn {
						send(f.data[14:])
					}
					took[i] = append(took[i], float64(time.Since(start).Nanoseconds())/turn)
				}
			}
			for i, w := range list {
				slices.Sort(took[i])
				took[i][0] = took[i][len(took[i])/10]
				b.ReportMetric(took[i][0], w.name+"-ns/packet")
				if !w.kernel {
					b.ReportMetric(took[i][0]/took[0][0], w.name+"-of-kernel")
				}
			}
		})
	}
}

// BenchmarkStream is a mebibyte of one TCP stream by each way, and what sender,
// receiver and the way between take of the processors.
func BenchmarkStream(b *testing.B) {
	for _, translated := range []bool{false, true} {
		for _, w := range ways(b, translated) {
			b.Run(kind(translated)+"/"+w.name, func(b *testing.B) {
				near, far := w.connect(b, "198.18.1.2:7000")
				if !w.kernel {
					w.carryConnection(b, near, far, w.peer)
				}
				stream(b, near, far)
			})
		}
	}
}

func stream(b *testing.B, near, far net.Conn) {
	near.SetDeadline(time.Time{})
	far.SetDeadline(time.Time{})
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, struct{ io.Reader }{far})
		done <- err
	}()
	chunk := make([]byte, 1<<20)
	b.SetBytes(int64(len(chunk)))
	b.ResetTimer()
	before := processors(b)
	for range b.N {
		if _, err := near.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	near.Close()
	if err := <-done; err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(processors(b)-before)/float64(b.N), "cpu-ns/op")
}

// processors is the time that this process has had, in ns.
func processors(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
