package packet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// ownMark is on every frame that a packet port sends, until it has passed
// the rule that lets nothing else out. "rtrd".
const ownMark = 0x72747264

// silence keeps the kernel from hearing and from speaking on a device: a
// netfilter table of one's own with
//
//	chain in  { type filter hook ingress device D priority 0; policy drop; }
//	chain out { type filter hook egress device D priority 0; policy drop;
//	            meta mark 0x72747264 meta mark set 0 accept; }
//
// Packet sockets receive before the ingress hook and so still see everything.
// The kernel's addresses, routes and sysctls stay as they are; they just have
// no effect by this device. The table belongs to the socket (flag owner): it
// goes when the socket is closed, also by the death of the process, and
// nobody else can change or flush it. It is also what keeps two routers from
// one device.
type silence struct{ fd int }

// silenceDevice has to run in the device's namespace.
func silenceDevice(name, netns string) (*silence, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket in %s: %w", device.DescribeNamespace(netns), err)
	}
	s := &silence{fd}
	if err := s.install(name); err != nil {
		s.close()
		return nil, silenceError(name, netns, err)
	}
	return s, nil
}

func silenceError(name, netns string, err error) error {
	what := fmt.Sprintf("silencing the kernel on device %s in %s", name, device.DescribeNamespace(netns))
	var refused refusal
	switch {
	case errors.As(err, &refused) && refused.message == firstMessage && refused.Errno == unix.EPERM:
		// Not even the beginning is taken from who may not.
		return fmt.Errorf("%s: routerd lacks CAP_NET_ADMIN in the user namespace that owns it: %w", what, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EEXIST), errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: another routerd holds the device (nftables table netdev %s): %w", what, tableName(name), err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: the kernel lacks nf_tables with ingress and egress hooks of devices (Linux 5.16; CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_EGRESS): %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (s *silence) close() error { return unix.Close(s.fd) }

func tableName(device string) string { return "routerd-" + device }

// install sends the table as one transaction and waits for the answer.
func (s *silence) install(device string) error {
	// The kernel answers at once; this is against waiting for ever.
	if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return err
	}
	if err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	b, last := transaction(device)
	if err := unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	return s.await(last)
}

// firstMessage is the sequence number of what begins the transaction.
const firstMessage = 1

// refusal is the kernel's error to one message of the transaction.
type refusal struct {
	unix.Errno
	message uint32 // its sequence number
}

func (r refusal) Unwrap() error { return r.Errno }

// await reads answers until there is an error or message last is accepted.
func (s *silence) await(last uint32) error {
	b := make([]byte, 8192)
	for {
		n, _, err := unix.Recvfrom(s.fd, b, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for m := b[:n]; len(m) >= unix.SizeofNlMsghdr+4; {
			size := int(native.Uint32(m))
			if size < unix.SizeofNlMsghdr+4 || size > len(m) {
				break
			}
			if native.Uint16(m[4:]) == unix.NLMSG_ERROR {
				if code := int32(native.Uint32(m[unix.SizeofNlMsghdr:])); code != 0 {
					return refusal{unix.Errno(-code), native.Uint32(m[8:])}
				}
				if native.Uint32(m[8:]) == last {
					return nil
				}
			}
			m = m[min(align4(size), len(m)):]
		}
	}
}

var native = binary.NativeEndian

func align4(n int) int { return (n + 3) &^ 3 }

// transaction is the batch of messages that makes the table, and the
// sequence number of the one that is acknowledged.
func transaction(device string) (batch []byte, last uint32) {
	table := tableName(device)
	chain := func(name string, hook uint32) []byte {
		return join(
			text(unix.NFTA_CHAIN_TABLE, table), text(unix.NFTA_CHAIN_NAME, name),
			nest(unix.NFTA_CHAIN_HOOK,
				number(unix.NFTA_HOOK_HOOKNUM, hook), number(unix.NFTA_HOOK_PRIORITY, 0), text(unix.NFTA_HOOK_DEV, device)),
			number(unix.NFTA_CHAIN_POLICY, nfDrop), text(unix.NFTA_CHAIN_TYPE, "filter"),
		)
	}
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	const create = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	messages := []struct {
		kind, flags uint16
		family      uint8
		resource    uint16
		body        []byte
	}{
		{kind: unix.NFNL_MSG_BATCH_BEGIN, resource: unix.NFNL_SUBSYS_NFTABLES},
		{kind: subsystem | unix.NFT_MSG_NEWTABLE, flags: create, family: unix.NFPROTO_NETDEV, body: join(
			text(unix.NFTA_TABLE_NAME, table), number(unix.NFTA_TABLE_FLAGS, tableOwned))},
		{kind: subsystem | unix.NFT_MSG_NEWCHAIN, flags: create, family: unix.NFPROTO_NETDEV, body: chain("in", unix.NF_NETDEV_INGRESS)},
		{kind: subsystem | unix.NFT_MSG_NEWCHAIN, flags: create, family: unix.NFPROTO_NETDEV, body: chain("out", unix.NF_NETDEV_EGRESS)},
		{kind: subsystem | unix.NFT_MSG_NEWRULE, flags: create | unix.NLM_F_APPEND | unix.NLM_F_ACK, family: unix.NFPROTO_NETDEV, body: letOwnOut(table)},
		{kind: unix.NFNL_MSG_BATCH_END, resource: unix.NFNL_SUBSYS_NFTABLES},
	}
	for i, m := range messages {
		seq := uint32(i + firstMessage)
		if m.flags&unix.NLM_F_ACK != 0 {
			last = seq
		}
		batch = native.AppendUint32(batch, uint32(unix.SizeofNlMsghdr+4+len(m.body)))
		batch = native.AppendUint16(batch, m.kind)
		batch = native.AppendUint16(batch, m.flags|unix.NLM_F_REQUEST)
		batch = native.AppendUint32(batch, seq)
		batch = native.AppendUint32(batch, 0) // the kernel's port
		batch = append(batch, m.family, 0)    // struct nfgenmsg
		batch = binary.BigEndian.AppendUint16(batch, m.resource)
		batch = append(batch, m.body...)
	}
	return batch, last
}

// tableOwned is NFT_TABLE_F_OWNER of linux/netfilter/nf_tables.h.
const tableOwned = 0x2

// Verdicts, of linux/netfilter.h.
const (
	nfDrop   = 0
	nfAccept = 1
)

// letOwnOut is the rule of chain out.
func letOwnOut(table string) []byte {
	expression := func(name string, data ...[]byte) []byte {
		return nest(unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, name), nest(unix.NFTA_EXPR_DATA, data...))
	}
	value := func(kind uint16, v uint32) []byte { // a register holds it as the machine does
		return nest(kind, attribute(unix.NFTA_DATA_VALUE, native.AppendUint32(nil, v)))
	}
	mark := number(unix.NFTA_META_KEY, unix.NFT_META_MARK)
	return join(
		text(unix.NFTA_RULE_TABLE, table), text(unix.NFTA_RULE_CHAIN, "out"),
		nest(unix.NFTA_RULE_EXPRESSIONS,
			expression("meta", mark, number(unix.NFTA_META_DREG, unix.NFT_REG_1)),
			expression("cmp", number(unix.NFTA_CMP_SREG, unix.NFT_REG_1),
				number(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ), value(unix.NFTA_CMP_DATA, ownMark)),
			expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1), value(unix.NFTA_IMMEDIATE_DATA, 0)),
			expression("meta", mark, number(unix.NFTA_META_SREG, unix.NFT_REG_1)),
			expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
				nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, number(unix.NFTA_VERDICT_CODE, nfAccept)))),
		),
	)
}

// attribute is a netlink attribute, padded to where the next one begins.
func attribute(kind uint16, data []byte) []byte {
	b := native.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(data)))
	b = native.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, align4(len(data))-len(data))...)
}

func text(kind uint16, s string) []byte { return attribute(kind, append([]byte(s), 0)) }

// number is in network byte order, as nf_tables wants all of its own.
func number(kind uint16, n uint32) []byte {
	return attribute(kind, binary.BigEndian.AppendUint32(nil, n))
}

func nest(kind uint16, parts ...[]byte) []byte {
	return attribute(kind|unix.NLA_F_NESTED, join(parts...))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
