package nat

import (
	"os"
	"syscall"
	"unsafe"
)

// hugePage is the size of a huge page on the usual architectures.
const hugePage = 2 << 20

// hugePages asks the system to back an index by huge pages. A new flow reads a
// place in each of two indexes, which is in no cache, and with small pages the
// page table entry would cost as much again. It is only advice to the system.
func hugePages(words []chain) {
	if len(words)*4 < hugePage {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*4)
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(&words[0]))) & (page - 1)
	_ = syscall.Madvise(bytes[skip:skip+(len(bytes)-skip)&^(page-1)], syscall.MADV_HUGEPAGE)
}
