package packet

import (
	"testing"

	"routerd/internal/corpus"
)

// withOptions makes a datagram with these options, padded with zeros.
func withOptions(o ...byte) IPv4 {
	for len(o)%4 != 0 {
		o = append(o, OptionEnd)
	}
	p := append(append(IPv4{}, datagram[:20]...), o...)
	p[0] = 0x40 | byte(len(p)/4)
	p.SetTotalLen(len(p))
	return p
}

func TestWalkOptions(t *testing.T) {
	none := Options4{RecordRoute: -1, Timestamp: -1, BadPointer: -1}
	with := func(change func(*Options4)) Options4 { o := none; change(&o); return o }
	bad := func(at int) Options4 { return with(func(o *Options4) { o.BadPointer = at }) }
	sourceRoute := with(func(o *Options4) { o.SourceRoute = true })
	badRoute := func(at int) Options4 {
		return with(func(o *Options4) { o.RecordRoute = 20; o.BadPointer = at })
	}
	badStamp := func(at int) Options4 {
		return with(func(o *Options4) { o.Timestamp = 20; o.BadPointer = at })
	}
	tests := []struct {
		name    string
		options []byte
		want    Options4
	}{
		{"none", nil, none},
		{"padding", []byte{1, 1, 1, 0}, none},
		{"whatever behind the end", []byte{0, 131, 0, 9}, none},
		{"unknown", []byte{30, 4, 9, 9}, none},
		{"shortest", []byte{30, 2, 1, 0}, none},
		{"loose source route", []byte{131, 7, 4, 10, 0, 0, 1}, sourceRoute},
		{"strict source route", []byte{137, 7, 4, 10, 0, 0, 1}, sourceRoute},
		{"source route used up", []byte{131, 7, 8, 10, 0, 0, 1}, sourceRoute},
		{"source route behind padding", []byte{1, 1, 1, 131, 7, 4, 10, 0, 0, 1}, sourceRoute},
		{"router alert", []byte{148, 4, 0, 0}, with(func(o *Options4) { o.RouterAlert = true })},
		{"router alert of another value", []byte{148, 4, 0, 1}, none},
		{"record route", []byte{1, 7, 7, 4, 0, 0, 0, 0}, with(func(o *Options4) { o.RecordRoute = 21 })},
		{"timestamps", []byte{68, 8, 5, 0, 0, 0, 0, 0}, with(func(o *Options4) { o.Timestamp = 20 })},
		{"timestamps and addresses", []byte{68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0}, with(func(o *Options4) { o.Timestamp = 20 })},
		{"timestamps, full", []byte{68, 8, 9, 0xf0, 1, 2, 3, 4}, with(func(o *Options4) { o.Timestamp = 20 })},
		{
			"three",
			[]byte{148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 68, 8, 5, 0, 0, 0, 0, 0},
			Options4{RouterAlert: true, RecordRoute: 24, Timestamp: 31, BadPointer: -1},
		},

		{"no room for a length", []byte{1, 1, 1, 30}, bad(23)},
		{"length 0", []byte{30, 0, 0, 0}, bad(21)},
		{"length 1", []byte{30, 1, 0, 0}, bad(21)},
		{"length beyond the header", []byte{30, 5, 0, 0}, bad(21)},
		{"source route without a pointer", []byte{131, 2}, with(func(o *Options4) { o.SourceRoute = true; o.BadPointer = 21 })},
		{"source route into its own head", []byte{131, 7, 3, 0, 0, 0, 0}, with(func(o *Options4) { o.SourceRoute = true; o.BadPointer = 22 })},
		{"two source routes", []byte{131, 3, 4, 137, 3, 4}, with(func(o *Options4) { o.SourceRoute = true; o.BadPointer = 23 })},
		{"record route out of step", []byte{7, 7, 5, 0, 0, 0, 0}, badRoute(22)},
		{"record route without a pointer", []byte{7, 2}, badRoute(21)},
		{"timestamps without flags", []byte{68, 3, 5}, badStamp(21)},
		{"timestamps with an unknown flag", []byte{68, 8, 5, 2, 0, 0, 0, 0}, badStamp(23)},
		{"timestamps into their own head", []byte{68, 8, 4, 0, 0, 0, 0, 0}, badStamp(22)},
		{"timestamps out of step", []byte{68, 8, 6, 0, 0, 0, 0, 0}, badStamp(22)},
		{"half a timestamp with its address", []byte{68, 8, 5, 1, 0, 0, 0, 0}, badStamp(22)},
		{"router alert too short", []byte{148, 3, 0}, bad(21)},
	}
	for _, test := range tests {
		p := withOptions(test.options...)
		if got := WalkOptions(p); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestWalkOptionsCorpus(t *testing.T) {
	alerts, routes := 0, 0
	for _, b := range corpus.Hex(t, "ipv4-options") {
		p := IPv4(b)
		if !p.Valid() {
			continue
		}
		o := WalkOptions(p)
		if o.RouterAlert {
			alerts++
		}
		if o.SourceRoute || o.RecordRoute >= 0 {
			routes++
		}
		if p.Protocol() == ProtoIGMP && (!o.RouterAlert || o.BadPointer >= 0) {
			t.Errorf("IGMP without a router alert: % x", b)
		}
	}
	t.Logf("%d router alerts, %d routes", alerts, routes)
	if alerts == 0 {
		t.Error("no router alert found")
	}
}
