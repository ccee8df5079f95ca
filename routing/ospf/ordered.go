package ospf

// ordered is a map in the order in which keys were added. The zero value is empty.
type ordered[K comparable, V any] struct {
	at      map[K]int // in entries, counted from 0
	entries []item[K, V]
	first   int // entries before are removed ones
}

type item[K comparable, V any] struct {
	key   K
	value V
	gone  bool
}

// len is how many there are.
func (o *ordered[K, V]) len() int { return len(o.at) }

// get gives the value of a key.
func (o *ordered[K, V]) get(k K) (v V, ok bool) {
	i, ok := o.at[k]
	if ok {
		v = o.entries[i].value
	}
	return v, ok
}

// put adds a key as the last one; where it is there already it becomes the last
// one. It reports whether it was not there.
func (o *ordered[K, V]) put(k K, v V) (added bool) {
	added = !o.remove(k)
	if o.at == nil {
		o.at = map[K]int{}
	}
	o.at[k] = len(o.entries)
	o.entries = append(o.entries, item[K, V]{key: k, value: v})
	return added
}

// remove removes a key. It reports whether it was there.
func (o *ordered[K, V]) remove(k K) bool {
	i, known := o.at[k]
	if !known {
		return false
	}
	delete(o.at, k)
	o.entries[i] = item[K, V]{gone: true}
	switch {
	case len(o.at) == 0:
		o.entries, o.first = o.entries[:0], 0
	case len(o.entries) > 64 && len(o.entries) > 2*len(o.at):
		o.compact()
	}
	return true
}

// compact takes out what was removed.
func (o *ordered[K, V]) compact() {
	kept := o.entries[:0]
	for _, e := range o.entries {
		if !e.gone {
			o.at[e.key] = len(kept)
			kept = append(kept, e)
		}
	}
	clear(o.entries[len(kept):])
	o.entries, o.first = kept, 0
}

// front gives the first one.
func (o *ordered[K, V]) front() (k K, v V, ok bool) {
	for ; o.first < len(o.entries); o.first++ {
		if e := &o.entries[o.first]; !e.gone {
			return e.key, e.value, true
		}
	}
	return k, v, false
}

// all calls yield with each, in order. Nothing may be added or removed meanwhile.
func (o *ordered[K, V]) all(yield func(K, V) bool) {
	for i := o.first; i < len(o.entries); i++ {
		if e := &o.entries[i]; !e.gone && !yield(e.key, e.value) {
			return
		}
	}
}

// clear removes all.
func (o *ordered[K, V]) clear() { *o = ordered[K, V]{} }
