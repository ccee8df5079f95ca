package control

import (
	"encoding/binary"
	"fmt"
	"net"
)

// DescribeFrame is Describe for a frame that was dropped before its IP packet
// was looked at: header begins with its Ethernet header.
func DescribeFrame(header []byte, length int) string {
	if len(header) < 14 {
		return fmt.Sprintf("Ethernet, cut off, %d bytes", length)
	}
	dst, src := net.HardwareAddr(header[:6]), net.HardwareAddr(header[6:12])
	return fmt.Sprintf("Ethernet %s > %s type 0x%04x, %d bytes", src, dst, binary.BigEndian.Uint16(header[12:]), length)
}
