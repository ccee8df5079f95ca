package bench

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// defaultTable is the public table beside the source tree.
const defaultTable = "../shared/corpora/tables/bart-prefixes-1062k.txt.gz"

// The next hops of a table, addresses of the sink's link that the sink answers for.
const (
	firstNextHop = 64
	nextHops     = 64
)

// setupOffloadTable runs a daemon on packet ports with the routes of a table, whose
// sink takes what is sent to any address. The flows all over the table go to
// addresses inside random prefixes of it, whatever routes the daemon has.
func setupOffloadTable(routes func(table []netip.Prefix) []netip.Prefix) func(context.Context, *Site) error {
	return func(ctx context.Context, s *Site) error {
		if s.Options.IPv6 {
			return errOnlyIPv4
		}
		binary, err := routerdBinary(ctx, s)
		if err != nil {
			return err
		}
		table, err := readTable(s.Options.Table)
		if err != nil {
			return err
		}
		s.destinations = filepath.Join(s.dir, "destinations")
		if err := os.WriteFile(s.destinations, destinations(table, wideFlows), 0o600); err != nil {
			return fmt.Errorf("write where the flows go: %w", err)
		}
		file := filepath.Join(s.dir, "routes")
		if err := writeRoutes(file, routes(table), s); err != nil {
			return err
		}
		router, err := s.cables()
		if err != nil {
			return err
		}
		if err := takeAll(s.Hosts[1]); err != nil {
			return err
		}
		config := routerdHead(s) + fmt.Sprintf("\n[static]\nfile = %q\n", file) + packetConfig(s, router, "auto")
		return s.runRouterd(ctx, binary, "api", config)
	}
}

// allRoutes are those of the whole table.
func allRoutes(table []netip.Prefix) []netip.Prefix { return table }

// tenRoutes are eight routes for all addresses, which are ten with those of the two
// links.
func tenRoutes([]netip.Prefix) (list []netip.Prefix) {
	for i := range 8 {
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i << 5)}), 3))
	}
	return list
}

// readTable reads the IPv4 prefixes of a file. Without one its paths are left out.
func readTable(path string) (list []netip.Prefix, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no full table, wanted one at %s or by -table", ErrSkip, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read a full table: %w", err)
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("read a full table from %s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		p, err := netip.ParsePrefix(strings.TrimSpace(lines.Text()))
		if err != nil {
			return nil, fmt.Errorf("read a full table from %s: %w", path, err)
		}
		if p.Addr().Is4() {
			list = append(list, p)
		}
	}
	if lines.Err() == nil && len(list) == 0 {
		return nil, fmt.Errorf("read a full table from %s: it has no prefix of IPv4, wanted some", path)
	}
	return list, lines.Err()
}

// destinations are n addresses inside prefixes of a table at random, always the
// same, four bytes each; none is of the links, or one that is not forwarded.
func destinations(table []netip.Prefix, n int) (list []byte) {
	random := rand.New(rand.NewPCG(1, 2))
	for len(list) < 4*n {
		p := table[random.IntN(len(table))]
		a := p.Addr().As4()
		to := binary.BigEndian.Uint32(a[:]) | random.Uint32()&uint32(1<<(32-p.Bits())-1)
		if first := to >> 24; first != 0 && first != 10 && first != 127 && first < 224 {
			list = binary.BigEndian.AppendUint32(list, to)
		}
	}
	return list
}

// writeRoutes writes a file of static routes by the next hops in turn.
func writeRoutes(path string, table []netip.Prefix, s *Site) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	w := bufio.NewWriter(f)
	for i, p := range table {
		fmt.Fprintf(w, "%s via %s\n", p, s.address(1, byte(firstNextHop+i%nextHops)).Addr())
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	return nil
}

// takeAll has a host take what is sent to any address, and answer for all of them.
func takeAll(host string) error {
	return withLinks(host, func(h *netlink.Handle) error {
		const table = 100
		lo, err := h.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find lo: %w", err)
		}
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(all), Table: table, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("have %q take all packets: %w", host, err)
		}
		// Only what comes in: its own packets leave as before.
		rule := netlink.NewRule()
		rule.IifName, rule.Table, rule.Priority, rule.Family = device, table, -1, unix.AF_INET
		if err := h.RuleAdd(rule); err != nil {
			return fmt.Errorf("have %q take all packets: %w", host, err)
		}
		return nil
	})
}
