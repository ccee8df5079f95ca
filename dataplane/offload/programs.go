package offload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// programs is what both programs are made with: the descriptors of their maps,
// and constants.
type programs struct {
	flows4, flows6, entries, causes, lost, hands int
	mark                                         [2]uint32 // of the judge's note
	outMark                                      uint32    // of packets that leave by a device
}

// kernel is what the cache has in the kernel.
type kernel struct {
	// flows4 and flows6 give the slot of a flow by its key. entries has what
	// was decided, by slot, and causes the epoch of each cause; both are memory
	// of this process too.
	flows4, flows6, entries, causes, lost, handMap *ebpf.Map
	// fence has no use but this: an update of a map of maps returns when all
	// programs that were running have ended (bpf(2)).
	fence, inner *ebpf.Map

	programs  *programs
	carrier   *ebpf.Program
	carrierID ebpf.ProgramID

	hands *hands

	entryMemory, causeMemory, lostMemory []byte
}

// mapped is what a map of an array is as memory: elements of a multiple of 8
// bytes.
func mapped(m *ebpf.Map) ([]byte, error) {
	size := int(m.ValueSize()+7) &^ 7 * int(m.MaxEntries())
	page := unix.Getpagesize()
	b, err := unix.Mmap(m.FD(), 0, (size+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping %d bytes of a BPF map: %w", size, err)
	}
	return b, nil
}

// load makes the maps and programs. On an error nothing is left.
func load(cfg Config) (_ *kernel, err error) {
	k := &kernel{}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if err := k.maps(uint32(cfg.Flows), uint32(cfg.Causes)); err != nil {
		return nil, err
	}
	p := &programs{
		k.flows4.FD(), k.flows6.FD(), k.entries.FD(), k.causes.FD(), k.lost.FD(), k.handMap.FD(),
		[2]uint32{rand.Uint32(), rand.Uint32()},
		cfg.Mark,
	}
	k.programs = p
	judge, err := k.judge(0) // so that New says what the kernel refuses
	if err != nil {
		return nil, err
	}
	judge.Close()
	if k.carrier, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "routerd_carry", Type: ebpf.SchedCLS, AttachType: ebpf.AttachTCXIngress, Instructions: p.carry(), License: licence,
	}); err != nil {
		return nil, fmt.Errorf("loading the carrier of the flow cache: %w", err)
	}
	info, err := k.carrier.Info()
	if err != nil {
		return nil, fmt.Errorf("asking for the number of the carrier of the flow cache: %w", err)
	}
	k.carrierID, _ = info.ID()
	return k, nil
}

// judge loads the judge of the socket with this number.
func (k *kernel) judge(socket int) (*ebpf.Program, error) {
	judge, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "routerd_judge", Type: ebpf.SocketFilter, Instructions: k.programs.judge(socket), License: licence,
	})
	if err != nil {
		return nil, fmt.Errorf("loading the judge of the flow cache: %w", err)
	}
	return judge, nil
}

// licence is what the kernel is told; no function that the programs call needs
// a certain one.
const licence = "unspecified"

func (k *kernel) maps(flows, causes uint32) (err error) {
	inner := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	for _, m := range []struct {
		at   **ebpf.Map
		spec ebpf.MapSpec
	}{
		// Without memory in advance: most routers see few flows at once.
		{&k.flows4, ebpf.MapSpec{Name: "routerd_flows4", Type: ebpf.Hash, KeySize: uint32(unsafe.Sizeof(key4{})), ValueSize: 4, MaxEntries: flows, Flags: unix.BPF_F_NO_PREALLOC}},
		{&k.flows6, ebpf.MapSpec{Name: "routerd_flows6", Type: ebpf.Hash, KeySize: uint32(unsafe.Sizeof(key6{})), ValueSize: 4, MaxEntries: flows, Flags: unix.BPF_F_NO_PREALLOC}},
		{&k.entries, ebpf.MapSpec{Name: "routerd_entries", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(entrySize), MaxEntries: flows, Flags: unix.BPF_F_MMAPABLE}},
		{&k.causes, ebpf.MapSpec{Name: "routerd_causes", Type: ebpf.Array, KeySize: 4, ValueSize: causeSize, MaxEntries: causes, Flags: unix.BPF_F_MMAPABLE}},
		{&k.lost, ebpf.MapSpec{Name: "routerd_lost", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE}},
		// One element, which the programs find without a look-up.
		{&k.handMap, ebpf.MapSpec{Name: "routerd_hands", Type: ebpf.Array, KeySize: 4, ValueSize: maxSockets * handSize, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE}},
		{&k.inner, *inner},
		{&k.fence, ebpf.MapSpec{Name: "routerd_fence", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner}},
	} {
		if *m.at, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("making map %s of the flow cache: %w", m.spec.Name, err)
		}
	}
	for _, m := range []struct {
		at  *[]byte
		the *ebpf.Map
	}{{&k.entryMemory, k.entries}, {&k.causeMemory, k.causes}, {&k.lostMemory, k.lost}} {
		if *m.at, err = mapped(m.the); err != nil {
			return err
		}
	}
	k.hands, err = newHands(k.handMap)
	return err
}

// causeSize is a cache line, so that the store of one cause does not disturb
// the reading of others.
const causeSize = 64

// entry is that of a slot, in the memory that the programs read.
func (k *kernel) entry(slot Flow) *entry {
	return (*entry)(unsafe.Pointer(&k.entryMemory[uintptr(slot)*entrySize]))
}

// epoch counts how often a cause has come about.
func (k *kernel) epoch(c Cause) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&k.causeMemory[int(c)*causeSize]))
}

// wait returns when all programs that were running have ended.
func (k *kernel) wait() error {
	if err := k.fence.Put(uint32(0), uint32(k.inner.FD())); err != nil {
		return fmt.Errorf("waiting for the programs of the flow cache: %w", err)
	}
	return nil
}

func (k *kernel) close() error {
	var errs []error
	errs = append(errs, k.carrier.Close())
	for _, b := range []*[]byte{&k.entryMemory, &k.causeMemory, &k.lostMemory} {
		if *b != nil {
			errs = append(errs, unix.Munmap(*b))
			*b = nil
		}
	}
	for _, m := range []*ebpf.Map{k.flows4, k.flows6, k.entries, k.causes, k.lost, k.handMap, k.fence, k.inner} {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

func number(b []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&b[0])) }
