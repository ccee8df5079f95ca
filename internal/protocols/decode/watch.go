package decode

import (
	"fmt"
	"net/netip"

	"routerd/internal/tomltext"
	"routerd/routing/rib"
)

// Watches are the places that ask for a neighbour to be watched by BFD.
type Watches struct {
	*tomltext.Document
	profiles []tomltext.Item[string] // that they name
	asked    bool
}

// Read reads the key bfd of a neighbour on a link: true, or a table of profile
// and strict; nil where it is not to be watched.
func (w *Watches) Read(s *tomltext.Section) *rib.Watch {
	return w.read(s, func(*tomltext.Section, *rib.Watch) {})
}

// ReadFar is Read for a neighbour that may be several hops away, which the table
// says by multihop and source.
func (w *Watches) ReadFar(s *tomltext.Section) *rib.Watch {
	return w.read(s, func(inner *tomltext.Section, watch *rib.Watch) {
		multihop := tomltext.Get(inner, "multihop", false, tomltext.Bool)
		watch.Source = tomltext.Get(inner, "source", netip.Addr{}, tomltext.Address)
		switch at := inner.At; {
		case multihop && !inner.Has("source"):
			w.Wrong(at, fmt.Sprintf("%s is over several hops, and has no source", at), "source = one of this router's addresses")
		case !multihop && inner.Has("source"):
			w.Wrong(at.With("source"), fmt.Sprintf("%s is over one hop, and its source is that of the link", at), "a source with multihop alone")
			watch.Source = netip.Addr{}
		}
	})
}

// read reads the key; more reads what else may stand in its table.
func (w *Watches) read(s *tomltext.Section, more func(*tomltext.Section, *rib.Watch)) *rib.Watch {
	const key = "bfd"
	v, given := s.Lookup(key)
	at := s.At.With(key)
	inner, isTable := s.Inner(key, tomltext.Item[any]{Value: v, At: at})
	watch := rib.Watch{
		Profile: tomltext.Get(inner, "profile", "", tomltext.Text("the name of a profile: [bfd.profile.NAME]")),
		Strict:  tomltext.Get(inner, "strict", false, tomltext.Bool),
	}
	if isTable {
		more(inner, &watch)
		inner.Done()
	} else if on := tomltext.Get(s, key, false, watchReading); !on {
		return nil
	}
	if given {
		s.Record(key, WatchText(&watch))
	}
	w.asked = true
	if watch.Profile != "" {
		w.profiles = append(w.profiles, tomltext.Item[string]{Value: watch.Profile, At: at.With("profile")})
	}
	return &watch
}

var watchReading = tomltext.Reading[bool]{Read: tomltext.Bool.Read, Want: `true, or a table like { profile = "fast", strict = true }`}

// WatchText says how a neighbour is watched, "" for not at all.
func WatchText(w *rib.Watch) string {
	if w == nil {
		return ""
	}
	text := "bfd"
	if w.Profile != "" {
		text += " " + w.Profile
	}
	if w.Strict {
		text += " strict"
	}
	if w.Source.IsValid() {
		text += " from " + w.Source.String()
	}
	return text
}

// Asked reports whether anybody is to be watched.
func (w *Watches) Asked() bool { return w.asked }

// Profile reads the name of a profile at key.
func (w *Watches) Profile(s *tomltext.Section, key string) string {
	name := tomltext.Get(s, key, "", tomltext.Text("the name of a profile: [bfd.profile.NAME]"))
	if name != "" {
		w.profiles = append(w.profiles, tomltext.Item[string]{Value: name, At: s.At.With(key)})
	}
	return name
}

// Check reports the profiles that were named, and are none of the names.
func (w *Watches) Check(names []string) {
	known := map[string]bool{}
	for _, n := range names {
		known[n] = true
	}
	for _, p := range w.profiles {
		if !known[p.Value] {
			w.Wrong(p.At, fmt.Sprintf("%s is %q, and there is no [bfd.profile.%s]", p.At, p.Value, p.Value), "the name of a profile that there is").
				Suggestion = tomltext.Suggest(p.Value, names)
		}
	}
}
