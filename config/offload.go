package config

import (
	"fmt"
	"slices"
	"strings"

	"routerd/dataplane"
	"routerd/internal/tomltext"
)

// offloadKinds are the kinds with an Ethernet device of the kernel's for a port,
// between which the kernel can carry packets by itself.
var offloadKinds = []dataplane.Kind{dataplane.KindVeth, dataplane.KindPacket}

var offloadReading = tomltext.OneOf([]string{"auto", "always", "off"},
	[]dataplane.Offload{dataplane.OffloadAuto, dataplane.OffloadAlways, dataplane.OffloadOff})

// decodeOffload reads whether the kernel may carry flows that come in by an
// interface. If the kind is missing or unknown the key is read too: one that has
// it may be meant.
func (r *reader) decodeOffload(s *tomltext.Section, kind dataplane.Kind) dataplane.Offload {
	if kind == "" || slices.Contains(offloadKinds, kind) {
		return tomltext.Get(s, "offload", dataplane.OffloadAuto, offloadReading)
	}
	if s.Has("offload") {
		s.Lookup("offload") // so that it is not reported as unknown
		at := s.At.With("offload")
		var wanted []string
		for _, k := range offloadKinds {
			wanted = append(wanted, fmt.Sprintf("kind = %q", string(k)))
		}
		r.WrongKey(at, fmt.Sprintf("%s makes no sense on an interface of kind %q: the kernel carries packets only between Ethernet devices whose other end is not routerd itself", at, kind),
			strings.Join(wanted, " or "))
	}
	return dataplane.OffloadOff
}
