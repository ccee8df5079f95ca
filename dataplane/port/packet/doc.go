// Package packet is the port on an Ethernet device that exists: a network
// card, one end of a veth pair. It reads and writes whole frames by packet
// sockets with virtio-net headers, so that super-packets and unfinished
// checksums pass both ways as they are.
//
//	config.go    what a port is made of
//	open.go      Open, the Port, Close
//	takeover.go  what the kernel uses a device for; Undo after a kill
//	silence.go   keeping the kernel quiet on a device that is taken
//	netfilter.go the netfilter socket that the ports of a namespace share
//	socket.go    the sockets: options, sharing by flow, multicast groups
//	queue.go     Read: recvmmsg(2), nothing allocated
//	tunnel.go    cutting up super-packets of tunnels; held.go keeps what is left
//	writer.go    Write: sendmmsg(2), the same
//
// While a port is open the kernel gets nothing that arrives on the device and
// can send nothing by it: neither answers nor forwarded packets, neither
// ARP nor what an IPv6 host says of itself. This is done by an nftables table
// that goes with the port, and with the process (silence.go). Addresses, routes
// and settings of the device stay as they are and mean nothing meanwhile, so
// that nothing has to be put back, also not after a kill. The one exception is
// a device that was down: see Config.Will.
//
// Tags: the kernel takes the outermost VLAN tag out of a frame and tells it
// beside (port.Frame.VLAN). On the way out a tag is part of the frame.
//
// Super-packets of tunnels: a sender's kernel hands a veth TCP super-packets
// inside VXLAN, GENEVE, GRE or IP in IP, of which the virtio-net header tells
// the inner headers alone. They are cut up as they are read, into whole
// packets. Turning this off at the sender (ethtool -K DEVICE
// tx-udp_tnl-segmentation off, tx-gre-segmentation off) is not the router's to
// do: the device is another namespace's or machine's.
//
// Frames for other stations, which a device may hand up without being
// promiscuous, as a veth does, are not told apart here: who reads compares the
// destination with HardwareAddr.
package packet
