package ospf

import "slices"

// holding says of each prefix which vertices have it. A vertex that has a prefix twice is
// there twice.
type holding struct {
	few  [][2]int32        // by number of the prefix: vertices + 1; 0 is none
	more map[int32][]int32 // those of prefixes that more than two have
}

func (h *holding) add(prefix, vertex int32) {
	for int(prefix) >= len(h.few) {
		h.few = append(double(h.few), [2]int32{})
	}
	for i := range h.few[prefix] {
		if x := &h.few[prefix][i]; *x == 0 {
			*x = vertex + 1
			return
		}
	}
	if h.more == nil {
		h.more = map[int32][]int32{}
	}
	h.more[prefix] = append(h.more[prefix], vertex)
}

func (h *holding) remove(prefix, vertex int32) {
	more := h.more[prefix]
	if i := slices.Index(more, vertex); i >= 0 {
		h.keep(prefix, slices.Delete(more, i, i+1))
		return
	}
	for i := range h.few[prefix] {
		if x := &h.few[prefix][i]; *x == vertex+1 {
			*x = 0
			if n := len(more); n > 0 {
				*x = more[n-1] + 1
				h.keep(prefix, more[:n-1])
			}
			return
		}
	}
}

// keep stores more as the vertices of a prefix beyond the first two.
func (h *holding) keep(prefix int32, more []int32) {
	if len(more) == 0 {
		delete(h.more, prefix)
		return
	}
	h.more[prefix] = more
}

// of calls yield with each vertex that has the prefix.
func (h *holding) of(prefix int32) func(yield func(int32) bool) {
	return func(yield func(int32) bool) {
		if int(prefix) >= len(h.few) {
			return
		}
		for _, v := range h.few[prefix] {
			if v > 0 && !yield(v-1) {
				return
			}
		}
		for _, v := range h.more[prefix] {
			if !yield(v) {
				return
			}
		}
	}
}
