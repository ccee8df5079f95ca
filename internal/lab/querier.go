package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// attribute is an attribute of a bridge: an IFLA_BR_ number and its value in
// the form of netlink.
type attribute struct {
	number int
	value  []byte
}

// centiseconds encodes a time in a bridge's unit.
func centiseconds(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }

// snooping makes a bridge snoop on multicast and be the querier (RFC 4541
// §2.1.1, §3). Linux floods until a query response interval after it became the
// querier. It uses the latest versions: with older ones a station does not
// report a group that another station has reported (RFC 2710 §4), and since
// reports are flooded until then too, the switch would know one listener of
// several.
var snooping = []attribute{
	{nl.IFLA_BR_MCAST_IGMP_VERSION, []byte{3}},
	{nl.IFLA_BR_MCAST_MLD_VERSION, []byte{2}},
	{nl.IFLA_BR_MCAST_SNOOPING, []byte{1}},
	{nl.IFLA_BR_MCAST_QUERIER, []byte{1}},
}

// shortTimers shortens intervals of 31 and 10 s, which are for large networks
// (RFC 3810 §9.3, §9.6): when a port comes up its stations are queried twice
// and have answered within two seconds. It is set after snooping, so that Linux
// still floods for the first ten seconds.
var shortTimers = []attribute{
	{nl.IFLA_BR_MCAST_STARTUP_QUERY_INTVL, centiseconds(100)},
	{nl.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, centiseconds(100)},
}

// change sets attributes of a bridge, in whose namespace we are.
func change(link netlink.Link, all []attribute) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(link.Attrs().Index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	for _, a := range all {
		data.AddRtAttr(a.number, a.value)
	}
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// has reports whether a bridge, in whose namespace we are, has the given
// attributes. One that the kernel does not know counts as set.
func has(link netlink.Link, all ...attribute) (bool, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(link.Attrs().Index)
	req.AddData(msg)
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return false, err
	}
	if len(answers) != 1 || len(answers[0]) < unix.SizeofIfInfomsg {
		return false, fmt.Errorf("reading device %s: %d answers, want one of a device", link.Attrs().Name, len(answers))
	}
	now := answers[0][unix.SizeofIfInfomsg:]
	for _, within := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA} {
		if now, err = inside(now, within); err != nil {
			return false, err
		}
	}
	for _, want := range all {
		value, err := inside(now, uint16(want.number))
		if err != nil {
			return false, err
		}
		if value != nil && !bytes.Equal(value, want.value) {
			return false, nil
		}
	}
	return true, nil
}

// inside gives the value of an attribute among others, nil if it is not there.
func inside(all []byte, number uint16) ([]byte, error) {
	list, err := nl.ParseRouteAttr(all)
	for _, a := range list {
		if a.Attr.Type&^unix.NLA_F_NESTED == number {
			return a.Value, err
		}
	}
	return nil, err
}

// address gives a bridge, in whose namespace we are, a link-local address, the
// source of MLD queries (RFC 3810 §5.1.14): Linux sends none without one. It is
// usable at once, without duplicate address detection. IGMP queries come from
// 0.0.0.0 (RFC 4541 §2.1.1).
func (b Bridge) address() error {
	const conf = "ipv6/conf/" + bridgeName + "/"
	return write([]setting{
		{conf + "accept_ra", "0"},
		{conf + "accept_dad", "0"},
		{conf + "disable_ipv6", "0"},
	})
}

// addressed reports whether a bridge, in whose namespace we are, has its
// link-local address. In a kernel without IPv6 there is none.
func (b Bridge) addressed(link netlink.Link) (bool, error) {
	_, err := os.Stat(filepath.Join("/proc/sys/net/ipv6/conf", bridgeName))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	addresses, err := dumped(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_V6) })
	for _, a := range addresses {
		if a.IP.IsLinkLocalUnicast() {
			return true, err
		}
	}
	return false, err
}
