// Package packet is the port on an existing Ethernet device: a network card,
// one end of a veth pair. It reads and writes whole frames by packet sockets
// with virtio-net headers, so that super-packets and partial checksums pass
// unchanged both ways.
//
//	config.go    what a port is made of
//	open.go      Open, the Port, Close
//	takeover.go  refusing devices that the kernel uses; Undo after a kill
//	silence.go   keeping the kernel from receiving and sending by the device
//	netfilter.go the netfilter socket that the ports of a namespace share
//	socket.go    the sockets: options, sharing by flow, multicast groups
//	carriage.go  a flow cache at the device
//	progress.go  telling it how far the reader of a socket is
//	peer.go      the other end of a veth
//	queue.go     Read: recvmmsg(2), nothing allocated
//	tunnel.go    cutting up super-packets of tunnels; held.go keeps what is left
//	writer.go    Write: sendmmsg(2), nothing allocated
//
// While a port is open the kernel receives nothing by the device and can send
// nothing by it: no answers, no forwarded packets, no ARP, no IPv6 neighbour
// discovery. An nftables table does this, which is removed with the port, and
// with the process (silence.go). Addresses, routes and settings of the device
// stay as they are and have no effect meanwhile, so that nothing has to be
// restored, also not after a kill. The one exception is a device that was down:
// see Config.Will.
//
// VLAN tags: the kernel takes the outermost tag out of a received frame and
// reports it beside the frame (port.Frame.VLAN). In a sent frame a tag is part
// of the frame.
//
// Super-packets of tunnels: a sender's kernel gives a veth TCP super-packets
// inside VXLAN, GENEVE, GRE or IP in IP, whose virtio-net header describes the
// inner headers alone. They are segmented into whole packets as they are read.
// The router cannot turn this off at the sender (ethtool -K DEVICE
// tx-udp_tnl-segmentation off, tx-gre-segmentation off), whose device is in
// another namespace or on another machine.
//
// Frames for other stations, which some devices such as a veth receive without
// being promiscuous, are not filtered here: the reader compares the destination
// with HardwareAddr.
package packet
