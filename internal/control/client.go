package control

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"routerd/internal/show"
	"routerd/internal/tlskeys"
)

// Client sends requests to a router. It is safe for concurrent use.
type Client struct {
	where string // the socket, or the URL
	base  url.URL
	token string // "" for none
	http  http.Client
}

// UnreachableError means that no router answers at a socket or a URL.
type UnreachableError struct {
	Where string
	Err   error
}

func (e *UnreachableError) Error() string {
	help := "is it running?"
	isURL := strings.Contains(e.Where, "://")
	var unknown *tls.CertificateVerificationError
	var pin *tlskeys.PinError
	switch {
	case errors.As(e.Err, &pin):
		help = "if the router has a new key, routerd show version on its own host says the pin"
	case errors.As(e.Err, &unknown):
		help = "--pin says which key to trust, whoever has signed its certificate; routerd show version on the router's own host says it"
	case isURL && errors.Is(e.Err, syscall.ECONNREFUSED):
		help = "nobody listens there: [api] listen in the router's configuration says where it does"
	case errors.Is(e.Err, fs.ErrPermission):
		help = "root may ask, and the members of the group that [api] group names: try sudo"
	case errors.Is(e.Err, fs.ErrNotExist):
		help = "no router has that socket: routerd run starts one, and --socket or " + SocketVariable + " names another socket"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		help = "the router that made this socket has ended: routerd run starts it again"
	}
	return fmt.Sprintf("asking the router at %s: %v; %s", e.Where, e.Err, help)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Dial returns a client of the router at a unix socket. It connects at the first
// request.
func Dial(socket string) *Client {
	// HTTP needs a host, which has no meaning on a unix socket.
	c := &Client{where: socket, base: url.URL{Scheme: "http", Host: "routerd"}}
	dialer := net.Dialer{Timeout: dialTimeout}
	c.begin(&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "unix", socket)
			if err != nil && ctx.Err() == nil {
				return nil, &UnreachableError{socket, cause(err)}
			}
			return conn, err
		},
	})
	return c
}

const dialTimeout = 5 * time.Second

// Remote is a router that is asked over TCP.
type Remote struct {
	URL   string // https://ADDRESS:PORT, or http:// and a loopback's address
	Pin   string // of the router's key, see tlskeys.ParsePin; "" trusts whom this host trusts
	Token string // "" for none
	// Cert and CertKey are the paths of PEM files: a certificate to show with its chain,
	// and its private key. "" for none; without CertKey the key is in the file Cert.
	Cert, CertKey string
}

// DialRemote returns a client of a router over TCP. It connects at the first
// request. The token is never sent in the clear to another host.
func DialRemote(r Remote) (*Client, error) {
	u, err := url.Parse(r.URL)
	wanted := `wanted "https://ADDRESS:PORT"`
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the URL %q of a router: %s", r.URL, wanted)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("the URL %q of a router: http is for a loopback's address alone; %s", r.URL, wanted)
	case u.Scheme == "http" && r.Pin != "":
		return nil, fmt.Errorf("the URL %q of a router: http has no key to pin; %s", r.URL, wanted)
	}
	if u.Scheme == "http" && r.Cert != "" {
		return nil, fmt.Errorf("the URL %q of a router: http shows no certificate; %s", r.URL, wanted)
	}
	c := &Client{where: r.URL, base: url.URL{Scheme: u.Scheme, Host: u.Host}, token: r.Token}
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13},
	}
	if r.Pin != "" {
		pin, err := tlskeys.ParsePin(r.Pin)
		if err != nil {
			return nil, fmt.Errorf("the pin %q: %w", r.Pin, err)
		}
		t.TLSClientConfig = tlskeys.Pinned(pin)
	}
	if r.Cert != "" {
		cert, err := tls.LoadX509KeyPair(r.Cert, cmp.Or(r.CertKey, r.Cert))
		if err != nil {
			return nil, fmt.Errorf("reading the certificate %s with the key %s: %w", r.Cert, cmp.Or(r.CertKey, r.Cert), err)
		}
		// Shown whatever authorities the router may name: it looks at the key too.
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	c.begin(t)
	return c, nil
}

// loopback reports whether a host is this one, whatever the network does.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}

func (c *Client) begin(t *http.Transport) {
	t.MaxIdleConns = 1
	c.http.Transport = t
	c.http.Timeout = writeTimeout + 5*time.Second
	// A router sends nobody elsewhere, and the token is for it alone.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// cause removes from a connection error the parts that the message around it
// repeats.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version asks for the router's name and version.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.get(ctx, "version", nil, &v)
}

// Interfaces asks for all interfaces.
func (c *Client) Interfaces(ctx context.Context) ([]Interface, error) {
	var list InterfaceList
	err := c.get(ctx, "interface", nil, &list)
	return list.Interfaces, err
}

// Routes asks for a page of the routing table.
func (c *Client) Routes(ctx context.Context, q RouteQuery) (p RoutePage, err error) {
	return p, c.get(ctx, "route", show.Values(q), &p)
}

// FIB asks for a page of the forwarding table.
func (c *Client) FIB(ctx context.Context, q FIBQuery) (p FIBPage, err error) {
	return p, c.get(ctx, "fib", show.Values(q), &p)
}

// Drops asks for the dropped packets.
func (c *Client) Drops(ctx context.Context, q DropQuery) (d Drops, err error) {
	return d, c.get(ctx, "drops", show.Values(q), &d)
}

// Neighbors asks for the stations on Ethernet links.
func (c *Client) Neighbors(ctx context.Context, q NeighborQuery) (l NeighborList, err error) {
	return l, c.get(ctx, "neighbor", show.Values(q), &l)
}

// ClearNeighbors makes the router forget what it has learned of neighbours.
func (c *Client) ClearNeighbors(ctx context.Context, q NeighborQuery) (r ClearResult, err error) {
	return r, c.do(ctx, http.MethodPost, "clear/arp", show.Values(q), &r)
}

// ExplainPacket asks what the router would do with a packet.
func (c *Client) ExplainPacket(ctx context.Context, q PacketQuery) (x PacketExplanation, err error) {
	return x, c.get(ctx, "explain/packet", show.Values(q), &x)
}

// ExplainRoute asks how the router decides about packets for an address.
func (c *Client) ExplainRoute(ctx context.Context, a netip.Addr) (x RouteExplanation, err error) {
	return x, c.get(ctx, "explain/route", show.Values(targetQuery{a}), &x)
}

// ExplainPolicy asks how policies decide about a made-up route.
func (c *Client) ExplainPolicy(ctx context.Context, q PolicyQuery) (x PolicyExplanation, err error) {
	return x, c.get(ctx, "explain/policy", show.Values(q), &x)
}

// Diff asks what a reload would change.
func (c *Client) Diff(ctx context.Context) (d DiffResult, err error) {
	return d, c.get(ctx, "diff", nil, &d)
}

// Reload makes the router apply its configuration file.
func (c *Client) Reload(ctx context.Context) (r ReloadResult, err error) {
	return r, c.do(ctx, http.MethodPost, "reload", nil, &r)
}

// Ask queries a noun or carries out its action, and returns the answer, a value
// of the type that NewAnswer points to.
func (c *Client) Ask(ctx context.Context, n *Noun, query any) (any, error) {
	method := http.MethodGet
	if n.Changes {
		method = http.MethodPost
	}
	answer := n.NewAnswer()
	return answer, c.do(ctx, method, n.Path, show.Values(query), answer)
}

// Get queries the noun of a path. The query is a struct, nil for none.
func Get[A any](ctx context.Context, c *Client, path string, query any) (answer A, err error) {
	v := url.Values{}
	if query != nil {
		v = show.Values(query)
	}
	return answer, c.get(ctx, path, v, &answer)
}

func (c *Client) get(ctx context.Context, noun string, q url.Values, answer any) error {
	return c.do(ctx, http.MethodGet, noun, q, answer)
}

func (c *Client) do(ctx context.Context, method, noun string, q url.Values, answer any) error {
	u := c.base
	u.Path, u.RawQuery = "/v1/"+noun, q.Encode()
	resp, err := c.send(ctx, method, u, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("reading the router's answer about %s: %w", noun, err)
	}
	return nil
}

// send sends a request, which accepts a media type, "" for any, and returns the answer.
func (c *Client) send(ctx context.Context, method string, u url.URL, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking the router: %w", err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	return resp, nil
}

// failed returns the error of a request that was not answered.
func (c *Client) failed(ctx context.Context, err error) error {
	var made *url.Error
	if errors.As(err, &made) {
		err = made.Err // without the URL, which is made up
	}
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) || ctx.Err() != nil {
		return err
	}
	return &UnreachableError{c.where, cause(err)}
}

// refusal reads an error from an answer.
func refusal(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(body, e) != nil || e.Message == "" {
		return fmt.Errorf("asking the router: it answered %s, and not as routerd does; is it one?", resp.Status)
	}
	return e
}
