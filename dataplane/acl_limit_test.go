package dataplane

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
	"routerd/routing/fib"
)

// limitedWeb lets in TCP to port 80 from lan1 under limits, and pings of the router.
func limitedWeb(all, host acl.Limits) acl.Config {
	cfg := guard()
	cfg.Lists[0].Rules[0].Limits, cfg.Lists[0].Rules[0].HostLimits = all, host
	return cfg
}

// filtering runs packets one after the other through one batch at a time of its
// own.
type filtering struct {
	*network
	t        *testing.T
	b        *Batch
	ring     *DropRing
	counters *Counters
	after    time.Duration
}

func newFiltering(t *testing.T, cfg acl.Config) *filtering {
	f := &filtering{network: newNetwork(t).filter(t, cfg, nat.Config{}), t: t, ring: &DropRing{}, counters: &Counters{}}
	f.b = NewBatch(BatchSize, f.counters, f.ring)
	f.forward("2001:db8:2::/48", routing.SourceStatic, fib.NextHop{Address: addr("2001:db8:2::2"), Interface: lan1, Weight: 1})
	return f
}

func (f *filtering) send(in routing.InterfaceID, text string, flags uint8) verdict.Verdict {
	f.t.Helper()
	p := segment(f.t, text, flags)
	if strings.HasPrefix(text, "tcp") { // each side's SYN has the number 0, and nothing else is sent
		upper := p[packet.IPv4MinHeader:]
		if p[0]>>4 == 6 {
			upper = p[packet.IPv6Header:]
		}
		if flags&flagSyn == 0 {
			binary.BigEndian.PutUint32(upper[4:], 1)
		}
		if flags&flagAck != 0 {
			binary.BigEndian.PutUint32(upper[8:], 1)
		}
	}
	fill(f.b, in, raw(p))
	Process(f.view, f.b, testNow.Add(f.after))
	f.b.Transmit(testNow.Add(f.after))
	return f.b.Packets()[0].Verdict
}

func (f *filtering) want(want verdict.Verdict, in routing.InterfaceID, text string, flags uint8) {
	f.t.Helper()
	if got := f.send(in, text, flags); got != want {
		f.t.Errorf("%s with flags %#x after %s: %s, want %s", text, flags, f.after, got, want)
	}
}

// usage checks what counts for the limits of the rule web.
func (f *filtering) usage(connections, halfOpen int64) {
	f.t.Helper()
	for _, numbers := range f.view.ACL.Lists {
		if c, o := f.view.ACL.Limit(numbers[0]).Usage(); c != connections || o != halfOpen {
			f.t.Errorf("%d connections, %d half-open; want %d and %d", c, o, connections, halfOpen)
		}
	}
}

func web(family, host, port int) string {
	if family == 6 {
		return fmt.Sprintf("tcp [2001:db8:2:%x::2]:%d > [2001:db8:1::2]:80", host, port)
	}
	return fmt.Sprintf("tcp 10.0.2.%d:%d > 10.0.1.2:80", host, port)
}

func webAnswer(family, host, port int) string {
	if family == 6 {
		return fmt.Sprintf("tcp [2001:db8:1::2]:80 > [2001:db8:2:%x::2]:%d", host, port)
	}
	return fmt.Sprintf("tcp 10.0.1.2:80 > 10.0.2.%d:%d", host, port)
}

// TestFilterLimits: flows beyond a limit of a rule are dropped, counted by rule
// and explained with the limit; those that are closed or end make room.
func TestFilterLimits(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			f := newFiltering(t, limitedWeb(acl.Limits{Connections: 3}, acl.Limits{Connections: 2}))
			f.want(verdict.Forwarded, lan1, web(family, 2, 1), flagSyn)
			f.want(verdict.Forwarded, lan1, web(family, 2, 1), flagSyn) // again: it has a session
			f.want(verdict.Forwarded, lan1, web(family, 2, 2), flagSyn)
			f.want(verdict.ACLLimited, lan1, web(family, 2, 3), flagSyn)
			f.want(verdict.Forwarded, lan1, web(family, 3, 1), flagSyn)
			f.want(verdict.ACLLimited, lan1, web(family, 4, 1), flagSyn)
			f.usage(3, 3)
			said := []string{}
			for _, d := range f.ring.Last(2) {
				said = append(said, f.view.DropSentence(&d))
			}
			if want := "[dropped: over the limit of 3 connections at once, of rule web of acl outside dropped: over the limit of 2 connections at once of one host, of rule web of acl outside]"; fmt.Sprint(said) != want {
				t.Errorf("drops say %q, want %s", said, want)
			}
			x := Explain(f.view, lan1, segment(t, web(family, 9, 1), flagSyn), testNow)
			told := false
			for _, s := range x.Steps {
				told = told || s.Stage == "acl-in" && s.Origin == 81 && strings.Contains(s.Text, "over the limit of 3 connections at once, of rule web")
			}
			if !told || x.Verdict != verdict.ACLLimited {
				t.Errorf("explained as %+v, want the limit and the rule's place", x.Steps)
			}
			f.usage(3, 3)
			// A reset connection does not count any more.
			f.want(verdict.Forwarded, lan0, webAnswer(family, 2, 1), flagSyn|flagAck)
			f.want(verdict.Forwarded, lan1, web(family, 2, 1), flagAck)
			f.usage(3, 2)
			f.want(verdict.Forwarded, lan1, web(family, 2, 1), flagRst)
			f.usage(2, 2)
			f.want(verdict.Forwarded, lan1, web(family, 2, 3), flagSyn)
			f.want(verdict.ACLLimited, lan1, web(family, 4, 1), flagSyn)
			var limited uint64
			for _, numbers := range f.view.ACL.Lists {
				limited += f.counters.Rule(numbers[0]).Limited
			}
			if limited != 3 {
				t.Errorf("%d packets are counted as beyond the limits, want 3", limited)
			}
			// Sessions that are ended count no more.
			f.view.NAT.EndSome(0, func(*flow.Session) bool { return true })
			f.view.Sessions6.Clear(func(*flow.Session) bool { return true }, nil)
			f.usage(0, 0)
			f.want(verdict.Forwarded, lan1, web(family, 4, 1), flagSyn)
		})
	}
}

// TestFilterLimitsFloods: SYNs of ever new hosts take the half-open places of a
// rule and no more; connections that are open go on, and the places are free ten
// seconds later.
func TestFilterLimitsFloods(t *testing.T) {
	f := newFiltering(t, limitedWeb(acl.Limits{HalfOpen: 10}, acl.Limits{}))
	f.want(verdict.Forwarded, lan1, web(4, 2, 1), flagSyn)
	f.want(verdict.Forwarded, lan0, webAnswer(4, 2, 1), flagSyn|flagAck)
	f.want(verdict.Forwarded, lan1, web(4, 2, 1), flagAck)
	f.usage(1, 0)
	in := 0
	for host := 3; host < 200; host++ {
		if f.send(lan1, web(4, host, 7), flagSyn) == verdict.Forwarded {
			in++
		}
	}
	if in != 10 {
		t.Errorf("%d SYNs of a flood are let in, want 10", in)
	}
	f.usage(11, 10)
	f.want(verdict.Forwarded, lan1, web(4, 2, 1), flagAck)
	f.after = 11 * time.Second
	for range 100 {
		f.view.NAT.Tick(f.view.Flows.At(testNow.Add(f.after)), 1000)
	}
	f.usage(1, 0)
	f.want(verdict.Forwarded, lan1, web(4, 250, 7), flagSyn)
	f.want(verdict.Forwarded, lan1, web(4, 2, 1), flagAck)
}

// TestFilterLimitsWithoutSession: a rate holds for what makes no session too, and
// what makes none does not stay counted.
func TestFilterLimitsWithoutSession(t *testing.T) {
	cfg := acl.Config{Local: "router", Lists: []acl.List{{Name: "router", Rules: []acl.Rule{{
		Name: "ping", Protocols: []uint8{packet.ProtoICMP}, Action: acl.Accept,
		Limits: acl.Limits{Connections: 2}, HostLimits: acl.Limits{Every: time.Second, Burst: 3},
	}}}}}
	f := newFiltering(t, cfg)
	for range 3 {
		f.want(verdict.EchoReplied, lan1, "icmp 10.0.2.2:7 > 10.0.2.1:0", 0)
	}
	f.want(verdict.ACLLimited, lan1, "icmp 10.0.2.2:7 > 10.0.2.1:0", 0)
	f.want(verdict.EchoReplied, lan1, "icmp 10.0.2.3:7 > 10.0.2.1:0", 0)
	f.usage(0, 0)
	f.after = 2 * time.Second
	f.want(verdict.EchoReplied, lan1, "icmp 10.0.2.2:7 > 10.0.2.1:0", 0)
}

// TestFilterLimitsInABatch: of packets that are read together each flow counts
// once, and no more flows are let in than the limit says.
func TestFilterLimitsInABatch(t *testing.T) {
	cfg := limitedWeb(acl.Limits{Connections: 2}, acl.Limits{})
	f := newFiltering(t, cfg)
	p := func(port int) (b []byte) { return segment(t, web(4, 2, port), flagSyn) }
	fill(f.b, lan1, raw(p(1)), raw(p(1)), raw(p(2)), raw(p(3)), raw(p(2)), raw(p(4)))
	Process(f.view, f.b, testNow)
	f.b.Transmit(testNow)
	var got []verdict.Verdict
	for i := range f.b.Packets() {
		got = append(got, f.b.Packets()[i].Verdict)
	}
	if want := "[forwarded forwarded forwarded acl_limited forwarded acl_limited]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	f.usage(2, 2)
}
