package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"routerd/internal/show"
)

// What the client gives is what the router gave, in UTC and without nulls.
func TestClient(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	defer c.Close()
	ctx := context.Background()
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if d := cmp.Diff(tidy(want), got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	v, err := c.Version(ctx)
	want, _ := f.Version(ctx)
	same("version", v, want, err)
	in, err := c.Interfaces(ctx)
	wantIn, _ := f.Interfaces(ctx)
	same("interfaces", in, wantIn, err)

	rq := RouteQuery{Prefix: pfx("10.0.0.0/8"), For: addr("2001:db8::1"), Source: "static", Family: 6, After: pfx("10.1.0.0/16"), Limit: 7}
	routes, err := c.Routes(ctx, rq)
	same("route query", f.routes, rq, nil)
	wantRoutes, _ := f.Routes(ctx, rq)
	same("routes", routes, wantRoutes, err)

	fq := FIBQuery{Prefix: pfx("10.0.0.0/8"), For: addr("10.0.0.1"), Family: 4, After: pfx("10.1.0.0/16"), Limit: 7}
	page, err := c.FIB(ctx, fq)
	same("fib query", f.fib, fq, nil)
	wantPage, _ := f.FIB(ctx, fq)
	same("fib", page, wantPage, err)

	wantQuery := DropQuery{Last: 2, Interface: "lan0", Verdict: "no_route", Src: show.Subnet{Prefix: pfx("10.0.0.0/8")}, Dst: show.Subnet{Prefix: pfx("192.0.2.1/32")}}
	drops, err := c.Drops(ctx, wantQuery)
	same("drops asked for", f.drops, wantQuery, nil)
	wantDrops, _ := f.Drops(ctx, wantQuery)
	same("drops", drops, wantDrops, err)

	pq := PacketQuery{In: "lan0", Src: addr("10.0.1.2"), Dst: addr("10.0.2.2"), Protocol: "tcp", SrcPort: 1, DstPort: 2, Size: 100, DF: true, TTL: 9}
	x, err := c.ExplainPacket(ctx, pq)
	same("packet query", f.packet, pq, nil)
	wantX, _ := f.ExplainPacket(ctx, pq)
	same("explanation", x, wantX, err)

	rx, err := c.ExplainRoute(ctx, addr("203.0.113.9"))
	same("address", f.target, addr("203.0.113.9"), nil)
	wantRX, _ := f.ExplainRoute(ctx, addr("203.0.113.9"))
	wantRX.Derived = rx.Derived // TestDerived's
	same("explanation of a route", rx, tidy(wantRX), err)

	oq := PolicyQuery{Policies: []string{"transit-in", "rest"}, Prefix: pfx("198.51.100.0/24"), Source: "static", Metric: 10, Tag: 7, NextHop: addr("192.0.2.1")}
	ox, err := c.ExplainPolicy(ctx, oq)
	same("policy query", f.policy, oq, nil)
	wantOX, _ := f.ExplainPolicy(ctx, oq)
	same("explanation of a policy", ox, tidy(wantOX), err)

	diff, err := c.Diff(ctx)
	wantDiff, _ := f.Diff(ctx)
	same("diff", diff, wantDiff, err)
	r, err := c.Reload(ctx)
	same("reload", r, ReloadResult{Generation: 43, Changes: changes}, err)
	if f.loads.Load() != 1 {
		t.Errorf("reloaded %d times", f.loads.Load())
	}
}

func TestClientErrors(t *testing.T) {
	ctx := context.Background()
	c := serveFake(t, &fake{err: Refused([]Problem{{Message: "no such key"}}, "routerd.toml has 1 error")})
	defer c.Close()
	_, err := c.Reload(ctx)
	var e *Error
	if !errors.As(err, &e) || e.Status != 422 || e.Message != "routerd.toml has 1 error" || len(e.Problems) != 1 {
		t.Errorf("a refused reload gives %#v", err)
	}

	nobody := Dial(filepath.Join(t.TempDir(), "none.sock"))
	_, err = nobody.Version(ctx)
	var u *UnreachableError
	if !errors.As(err, &u) || !errors.Is(err, syscall.ENOENT) || !strings.HasSuffix(err.Error(), "none.sock: no such file or directory; no router has that socket: routerd run starts one, and --socket or ROUTERD_SOCKET names another socket") {
		t.Errorf("where nobody answers: %v", err)
	}

	left := filepath.Join(t.TempDir(), "left.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(left).Version(ctx); err == nil || !strings.HasSuffix(err.Error(), "left.sock: connection refused; the router that made this socket has ended: routerd run starts it again") {
		t.Errorf("where a router has ended: %v", err)
	}

	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Version(done); !errors.Is(err, context.Canceled) || errors.As(err, &u) {
		t.Errorf("after giving up: %v", err)
	}

	// Something else answers there.
	path := filepath.Join(t.TempDir(), "other.sock")
	there, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.NotFoundHandler()}
	go other.Serve(there)
	defer other.Close()
	oc := Dial(path)
	defer oc.Close()
	if _, err := oc.Version(ctx); err == nil || !strings.Contains(err.Error(), "not as routerd does") {
		t.Errorf("something else answers: %v", err)
	}
}
