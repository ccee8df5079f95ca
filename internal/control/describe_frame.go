package control

import (
	"encoding/binary"
	"fmt"
	"net"
)

// DescribeFrame is Describe for a frame that was dropped before its IP packet
// was examined: header begins with the Ethernet header.
func DescribeFrame(header []byte, length int) string {
	if len(header) < 14 {
		return fmt.Sprintf("Ethernet, cut off, %d bytes", length)
	}
	dst, src := net.HardwareAddr(header[:6]), net.HardwareAddr(header[6:12])
	tags, rest := "", header[12:]
	for t := binary.BigEndian.Uint16(rest); (t == 0x8100 || t == 0x88a8) && len(rest) >= 6; t = binary.BigEndian.Uint16(rest) {
		control := binary.BigEndian.Uint16(rest[2:])
		tags += fmt.Sprintf(" VLAN %d priority %d", control&0x0fff, control>>13)
		rest = rest[4:]
	}
	return fmt.Sprintf("Ethernet %s > %s%s type 0x%04x, %d bytes", src, dst, tags, binary.BigEndian.Uint16(rest), length)
}
