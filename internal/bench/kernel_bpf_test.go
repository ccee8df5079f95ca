package bench

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	kernelAddresses = 1 << 20
	lookupsARun     = 64
	runs            = 4000
	mmapable        = 1 << 10 // BPF_F_MMAPABLE
	testRun         = 10      // BPF_PROG_TEST_RUN
	skipNeighbor    = 4       // BPF_FIB_LOOKUP_SKIP_NEIGH
)

// kernelLookups measures what a lookup of the addresses takes of the kernel, in ns:
// the median of some runs. Where all have a route, inside is set.
func kernelLookups(addresses [][16]byte, link int, six, inside bool) (float64, error) {
	table, err := addressMap(addresses)
	if err != nil {
		return 0, err
	}
	defer unix.Close(table)
	var programs [2]int
	for i := range programs {
		if programs[i], err = loadBPF(lookupProgram(table, link, six, i == 1)); err != nil {
			return 0, err
		}
		defer unix.Close(programs[i])
	}
	var times []float64
	for range 9 {
		var took [2]float64
		for i, fd := range programs {
			found, ns, err := runBPF(fd)
			if err != nil {
				return 0, err
			}
			if i == 1 && inside && found != lookupsARun {
				return 0, fmt.Errorf("%d of %d addresses have a route", found, lookupsARun)
			}
			took[i] = ns / lookupsARun
		}
		times = append(times, took[1]-took[0])
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// bpf is the system call, with the attributes as its structures have them.
func bpf[T any](command uintptr, attributes *T) (int, error) {
	n, _, e := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(attributes)), unsafe.Sizeof(*attributes))
	runtime.KeepAlive(attributes)
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

// addressMap makes an array map of the addresses.
func addressMap(addresses [][16]byte) (int, error) {
	fd, err := bpf(unix.BPF_MAP_CREATE, &struct{ kind, key, value, entries, flags uint32 }{unix.BPF_MAP_TYPE_ARRAY, 4, 16, uint32(len(addresses)), mmapable})
	if err != nil {
		return -1, fmt.Errorf("making a map of BPF: %w", err)
	}
	size := len(addresses) * 16
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("mapping a map of BPF: %w", err)
	}
	for i := range addresses {
		copy(memory[i*16:], addresses[i][:])
	}
	return fd, unix.Munmap(memory)
}

// instruction is one of BPF: code, registers (destination in the low half), offset,
// and number.
type instruction struct {
	code, registers uint8
	offset          int16
	number          int32
}

// The instructions that the program is made of, in the words of the kernel's
// instruction set: r10 is the end of the stack, r1 to r5 are arguments, r0 is what a
// function returns, r6 to r9 outlive its call.
func move(to, from uint8) instruction          { return instruction{0xbf, to | from<<4, 0, 0} }
func set(to uint8, n int32) instruction        { return instruction{0xb7, to, 0, n} }
func add(to uint8, n int32) instruction        { return instruction{0x07, to, 0, n} }
func and(to uint8, n int32) instruction        { return instruction{0x57, to, 0, n} }
func call(function int32) instruction          { return instruction{0x85, 0, 0, function} }
func exit() instruction                        { return instruction{0x95, 0, 0, 0} }
func load64(to, at uint8, o int16) instruction { return instruction{0x79, to | at<<4, o, 0} }
func store64(at uint8, o int16, from uint8) instruction {
	return instruction{0x7b, at | from<<4, o, 0}
}

func store32(at uint8, o int16, from uint8) instruction {
	return instruction{0x63, at | from<<4, o, 0}
}

func setAt(code, at uint8, o int16, n int32) instruction { return instruction{code, at, o, n} }

func jump(code, register uint8, n int32, over int) instruction {
	return instruction{code, register, int16(over), n}
}

// lookupProgram reads addresses one after the other, from a random one on, and where
// asked looks each up. It returns how many of them have a route.
func lookupProgram(table, link int, six, asked bool) []instruction {
	const (
		lookupElement = 1
		random        = 7
		fibLookup     = 69
		params        = -64 // struct bpf_fib_lookup
		key           = -72
		family        = params
		index         = params + 8
		destination   = params + 32
	)
	af := int32(unix.AF_INET)
	if six {
		af = unix.AF_INET6
	}
	p := []instruction{
		move(9, 1), set(6, 0), set(8, 0),
		call(random), and(0, kernelAddresses-1-(lookupsARun-1)), move(7, 0),
	}
	loop := len(p)
	p = append(p,
		store32(10, key, 7), move(2, 10), add(2, key),
		instruction{0x18, 1 | 1<<4, 0, int32(table)}, instruction{}, // r1 = the map, in two
		call(lookupElement),
		jump(0x55, 0, 0, 2), set(0, 0), exit(), // not null, or over
		load64(1, 0, 0), load64(2, 0, 8),
	)
	for o := int16(params); o < 0; o += 8 {
		p = append(p, setAt(0x7a, 10, o, 0))
	}
	p = append(p, setAt(0x72, 10, family, af), setAt(0x62, 10, index, int32(link)))
	if six {
		p = append(p, store64(10, destination, 1), store64(10, destination+8, 2))
	} else {
		p = append(p, store32(10, destination, 1))
	}
	if asked {
		p = append(p, move(1, 9), move(2, 10), add(2, params), set(3, 64), set(4, skipNeighbor), call(fibLookup),
			jump(0x55, 0, 0, 1), add(6, 1))
	}
	p = append(p, add(7, 1), add(8, 1))
	return append(p, jump(0xa5, 8, lookupsARun, loop-len(p)-1), move(0, 6), exit())
}

func loadBPF(program []instruction) (int, error) {
	license := []byte("GPL\x00")
	fd, err := bpf(unix.BPF_PROG_LOAD, &struct {
		kind, count           uint32
		instructions, license unsafe.Pointer
	}{unix.BPF_PROG_TYPE_SCHED_CLS, uint32(len(program)), unsafe.Pointer(&program[0]), unsafe.Pointer(&license[0])})
	if err != nil {
		return -1, fmt.Errorf("loading a program of BPF: %w", err)
	}
	return fd, nil
}

// runBPF runs a program many times, and gives what the last run returned and what
// one takes, in ns.
func runBPF(fd int) (returned uint32, ns float64, err error) {
	frame := make([]byte, 64)
	a := struct {
		program, returned, in, out uint32
		dataIn, dataOut            unsafe.Pointer
		repeat, duration           uint32
	}{program: uint32(fd), in: uint32(len(frame)), dataIn: unsafe.Pointer(&frame[0]), repeat: runs}
	if _, err := bpf(testRun, &a); err != nil {
		return 0, 0, fmt.Errorf("running a program of BPF: %w", err)
	}
	return a.returned, float64(a.duration), nil
}
