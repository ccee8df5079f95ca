package packet

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// Mark marks every frame that a packet port sends, or that a flow cache sends by its
// device, until it has passed the rule that drops all others. It is "rtrd".
const Mark = 0x72747264

// silence keeps the kernel from receiving and sending by a device, with a
// netfilter table for the device:
//
//	chain in  { type filter hook ingress device D priority 0; policy drop; }
//	chain out { type filter hook egress device D priority 0; policy drop;
//	            meta mark 0x72747264 meta mark set 0 accept; }
//
// Packet sockets receive before the ingress hook and so still see everything.
// The kernel's addresses, routes and sysctls stay as they are; they just have
// no effect by this device. The table belongs to the socket that made it (flag
// owner): it is removed when the socket is closed, also when the process is
// killed, and nobody else can change or flush it. It also keeps two routers
// from using one device.
type silence struct {
	device string
	socket *netfilter
}

// silenceDevice has to run in the device's namespace, which has the given
// identity.
func silenceDevice(name, netns string, identity device.Identity) (*silence, error) {
	socket, err := shareNetfilter(identity)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket in %s: %w", device.DescribeNamespace(netns), err)
	}
	if err := socket.install(name); err != nil {
		socket.release()
		return nil, silenceError(name, netns, err)
	}
	return &silence{name, socket}, nil
}

func silenceError(name, netns string, err error) error {
	what := fmt.Sprintf("silencing the kernel on device %s in %s", name, device.DescribeNamespace(netns))
	var refused refusal
	switch {
	case errors.As(err, &refused) && refused.message == firstMessage && refused.Errno == unix.EPERM:
		// Without the right to it even the first message of a transaction is
		// refused.
		return fmt.Errorf("%s: routerd lacks CAP_NET_ADMIN in the user namespace that owns it: %w", what, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EEXIST), errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: another routerd holds the device (nftables table netdev %s): %w", what, tableName(name), err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: the kernel lacks nf_tables with ingress and egress hooks of devices (Linux 5.16; CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_EGRESS): %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// close removes the table of the device; when it returns, the kernel receives
// and sends by the device again.
func (s *silence) close() error {
	err := s.socket.remove(s.device)
	if last, closing := s.socket.release(); last {
		return closing // the table is removed with its socket
	}
	if err != nil {
		return fmt.Errorf("giving device %s back to the kernel (nftables table netdev %s): %w", s.device, tableName(s.device), err)
	}
	return nil
}

func tableName(device string) string { return "routerd-" + device }

const (
	nfTables = unix.NFNL_SUBSYS_NFTABLES << 8
	create   = unix.NLM_F_CREATE | unix.NLM_F_EXCL
)

// creation makes the table of a device. It fails if there is one of that name.
func creation(device string) []change {
	table := tableName(device)
	chain := func(name string, hook uint32) []byte {
		return join(
			text(unix.NFTA_CHAIN_TABLE, table), text(unix.NFTA_CHAIN_NAME, name),
			nest(unix.NFTA_CHAIN_HOOK,
				number(unix.NFTA_HOOK_HOOKNUM, hook), number(unix.NFTA_HOOK_PRIORITY, 0), text(unix.NFTA_HOOK_DEV, device)),
			number(unix.NFTA_CHAIN_POLICY, nfDrop), text(unix.NFTA_CHAIN_TYPE, "filter"),
		)
	}
	return []change{
		{kind: nfTables | unix.NFT_MSG_NEWTABLE, flags: create, body: join(
			text(unix.NFTA_TABLE_NAME, table), number(unix.NFTA_TABLE_FLAGS, tableOwned))},
		{kind: nfTables | unix.NFT_MSG_NEWCHAIN, flags: create, body: chain("in", unix.NF_NETDEV_INGRESS)},
		{kind: nfTables | unix.NFT_MSG_NEWCHAIN, flags: create, body: chain("out", unix.NF_NETDEV_EGRESS)},
		{kind: nfTables | unix.NFT_MSG_NEWRULE, flags: create | unix.NLM_F_APPEND, body: letOwnOut(table)},
	}
}

// removal removes the table of a device, with all that is in it.
func removal(device string) []change {
	return []change{{kind: nfTables | unix.NFT_MSG_DELTABLE, body: text(unix.NFTA_TABLE_NAME, tableName(device))}}
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
	value := func(kind uint16, v uint32) []byte { // in the machine's byte order, as in a register
		return nest(kind, attribute(unix.NFTA_DATA_VALUE, native.AppendUint32(nil, v)))
	}
	mark := number(unix.NFTA_META_KEY, unix.NFT_META_MARK)
	return join(
		text(unix.NFTA_RULE_TABLE, table), text(unix.NFTA_RULE_CHAIN, "out"),
		nest(unix.NFTA_RULE_EXPRESSIONS,
			expression("meta", mark, number(unix.NFTA_META_DREG, unix.NFT_REG_1)),
			expression("cmp", number(unix.NFTA_CMP_SREG, unix.NFT_REG_1),
				number(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ), value(unix.NFTA_CMP_DATA, Mark)),
			expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1), value(unix.NFTA_IMMEDIATE_DATA, 0)),
			expression("meta", mark, number(unix.NFTA_META_SREG, unix.NFT_REG_1)),
			expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
				nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, number(unix.NFTA_VERDICT_CODE, nfAccept)))),
		),
	)
}
