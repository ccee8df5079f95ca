package flow

import (
	"os"
	"syscall"
	"unsafe"
)

// hugePages asks the system to back words by huge pages. A packet reads two
// cache lines anywhere in a hundred megabytes, and with pages of 4 KiB their
// page tables are not cached either. It is only advice: without huge pages
// lookups are slower.
func hugePages(words []uint64) {
	page := uintptr(os.Getpagesize())
	from := uintptr(unsafe.Pointer(unsafe.SliceData(words)))
	skip := -from & (page - 1)
	size := uintptr(len(words)) * 8
	if size < skip+page {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
	_ = syscall.Madvise(bytes[skip:(size-skip)&^(page-1)+skip], syscall.MADV_HUGEPAGE)
}
