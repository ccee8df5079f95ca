package nat

import (
	"os"
	"syscall"
	"unsafe"
)

// hugePage is the size of one on the architectures that matter.
const hugePage = 2 << 20

// hugePages asks the system to back an index by huge pages. A new flow looks
// at places of two of them that no other flow has looked at lately, and would
// pay as much for each address's translation as for the memory itself. Where
// the system does not want to, nothing is lost.
func hugePages(words []chain) {
	if len(words)*4 < hugePage {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*4)
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(&words[0]))) & (page - 1)
	_ = syscall.Madvise(bytes[skip:skip+(len(bytes)-skip)&^(page-1)], syscall.MADV_HUGEPAGE)
}
