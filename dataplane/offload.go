package dataplane

// Offload is which flows that come in by an interface the kernel may carry, once
// the stages have decided them.
type Offload uint8

const (
	OffloadAuto   Offload = iota // those that go faster by the kernel
	OffloadAlways                // every one that it can carry
	OffloadOff                   // none
)

// The most flows that the kernel carries at once, unless the configuration says
// otherwise, and the most that it may say.
const (
	DefaultOffloadFlows = 65536
	MaxOffloadFlows     = 1 << 20
)

// String gives the configuration's word.
func (o Offload) String() string {
	return [...]string{"auto", "always", "off"}[o]
}
