package localstack

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/tun"
)

// Name is the name of the stack's interface.
const Name = "local-stack"

// KindNamespace is the kind of the step that Open notes: Undo takes it back.
const KindNamespace = "netns"

// Config describes the stack.
type Config struct {
	Netns string // name of the namespace to make
	// Existing: Netns is made before and removed afterwards by another program,
	// such as a service manager whose sandbox keeps mounts private.
	Existing bool
	Device   string // of the TUN inside it
	MTU      int    // bytes of an IP packet that the stack sends
	// Addresses are those of the router's interfaces, with their subnets. The
	// first of each family is the source address for destinations beyond all
	// subnets.
	Addresses []netip.Prefix
	// Will is called before something is made, so that it can be undone after a
	// crash. It may be nil.
	Will func(kind, path, value string) error
	// Made is called after it was made. made identifies it for Undo. Made may
	// be nil.
	Made func(kind, path, value, made string) error
	// Left is what Leave of an earlier Port returned: if Netns is still that
	// namespace, the stack is made in it again, and the sockets there go on.
	Left string
}

// Port is the router's end of the internal TUN. It implements port.Port; its
// methods may be called from any goroutine.
type Port struct {
	*tun.Port
	mu     sync.Mutex // guards cfg, routes and failed
	cfg    Config
	failed error // why the routes are not those of cfg
	routes *routes
	made   string // the namespace that Open made; "" for an Existing one
	left   bool   // Close keeps the namespace
	close  sync.Once
	err    error // of Close
}

var _ port.Port = (*Port)(nil)

// Open makes the namespace, which must not exist unless it is Existing, and the
// stack in it. On an
// error nothing is left behind.
func Open(cfg Config) (*Port, error) {
	p, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("making the router's own stack: %w", err)
	}
	return p, nil
}

func open(cfg Config) (*Port, error) {
	p := &Port{cfg: cfg, left: Stays(cfg.Netns, cfg.Left)}
	var err error
	if p.left {
		p.made = cfg.Left
	} else if !cfg.Existing {
		if p.made, err = take(cfg); err != nil {
			return nil, err
		}
	}
	err = device.InNamespace(cfg.Netns, func() error { return settle(cfg.Addresses) })
	if err == nil {
		p.routes, err = openRoutes(cfg.Netns)
	}
	if err == nil {
		p.Port, err = tun.Open(tunConfig(cfg))
	}
	if err == nil {
		err = p.routes.sync(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.left = false
	return p, nil
}

// Leave makes Close keep the namespace and the sockets in it, so that Open can
// make the stack in it again: see Config.Left. It returns "" if Open did not
// make the namespace.
func (p *Port) Leave() (made string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = true
	return p.made
}

// Stays reports whether the namespace called name is still the one that Leave
// returned as made.
func Stays(name, made string) bool {
	if made == "" {
		return false
	}
	now, err := identity(name)
	return err == nil && now == made
}

// take makes the namespace, after calling Will, and returns its identity.
func take(cfg Config) (made string, err error) {
	if err := vacant(cfg.Netns); err != nil {
		return "", err
	}
	if cfg.Will != nil {
		if err := cfg.Will(KindNamespace, cfg.Netns, cfg.Device); err != nil {
			return "", err
		}
	}
	if err := makeNamespace(cfg.Netns); err != nil {
		return "", err
	}
	if made, err = identity(cfg.Netns); err == nil && cfg.Made != nil {
		err = cfg.Made(KindNamespace, cfg.Netns, cfg.Device, made)
	}
	if err != nil {
		return "", errors.Join(err, remove(cfg.Netns))
	}
	return made, nil
}

// identity distinguishes a namespace from later ones of the same name. It is
// the device and inode number of the namespace.
func identity(name string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(device.NamespacePath(name), &st); err != nil {
		return "", fmt.Errorf("looking at network namespace %q: %w", name, err)
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}

func tunConfig(cfg Config) tun.Config {
	c := tun.Config{Name: Name, MTU: cfg.MTU, Host: device.Host{Netns: cfg.Netns, Device: cfg.Device}}
	for _, a := range cfg.Addresses {
		if only := netip.PrefixFrom(a.Addr(), a.Addr().BitLen()); served(a.Addr()) && !contains(c.Host.Addresses, only) {
			c.Host.Addresses = append(c.Host.Addresses, only)
		}
	}
	return c
}

// served reports whether the stack has an address; link-local ones are
// excluded.
func served(a netip.Addr) bool { return !a.IsLinkLocalUnicast() || a.Is4() }

func contains(list []netip.Prefix, p netip.Prefix) bool {
	for _, q := range list {
		if q == p {
			return true
		}
	}
	return false
}

// SameStack reports whether a running stack with configuration a can become
// that of b by Apply.
func SameStack(a, b Config) bool { return a.Netns == b.Netns && a.Existing == b.Existing }

// Check returns an error if Apply could not apply cfg. It changes nothing.
func (p *Port) Check(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.may(cfg); err != nil {
		return err
	}
	return p.Port.Check(tunConfig(cfg))
}

func (p *Port) may(cfg Config) error {
	if p.cfg.Netns == cfg.Netns && p.cfg.Existing != cfg.Existing {
		return fmt.Errorf("changing existing of the router's own stack, which lives in network namespace %q: that needs a restart", cfg.Netns)
	}
	if !SameStack(p.cfg, cfg) || p.cfg.Device != cfg.Device {
		return fmt.Errorf("changing the router's own stack from device %s in network namespace %q to device %s in %q: that needs a restart",
			p.cfg.Device, p.cfg.Netns, cfg.Device, cfg.Netns)
	}
	return nil
}

// Apply changes MTU and addresses to those of cfg, for which SameStack must
// hold. Sockets whose addresses stay are not affected. Lacks lists what the
// kernel refused; an error means that nothing was changed.
func (p *Port) Apply(cfg Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.may(cfg); err != nil {
		return err
	}
	if p.cfg.MTU == cfg.MTU && slices.Equal(p.cfg.Addresses, cfg.Addresses) {
		return nil
	}
	if err := p.Port.Apply(tunConfig(cfg)); err != nil {
		return err
	}
	p.cfg = cfg
	p.failed = p.routes.sync(cfg)
	return nil
}

// Lacks lists in sentences what the stack's namespace lacks of cfg, for example
// because a user with a shell in it removed something.
func (p *Port) Lacks() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lacks(p.Port.Lacks())
}

func (p *Port) lacks(list []string) []string {
	if p.failed != nil {
		list = append(list, p.failed.Error())
	}
	return list
}

// Restore adds the addresses and routes that the namespace lacks, and returns
// those that cannot be added.
func (p *Port) Restore() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.Port.Restore()
	p.failed = p.routes.sync(p.cfg)
	return p.lacks(list)
}

// Close removes the device and, except after Leave, the name of the namespace.
// The namespace itself lives as long as a process is in it.
func (p *Port) Close() error {
	p.close.Do(func() {
		var errs []error
		if p.Port != nil {
			errs = append(errs, p.Port.Close())
		}
		if p.routes != nil {
			p.routes.handle.Close()
		}
		if p.made != "" && !p.left {
			errs = append(errs, Undo(p.cfg.Netns, p.made))
		}
		p.err = errors.Join(errs...)
	})
	return p.err
}

// plain refuses a name that could be a path.
func plain(name string) error {
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return fmt.Errorf("network namespace %q: a name without a slash is wanted", name)
	}
	return nil
}

// vacant refuses a namespace that another program has made.
func vacant(name string) error {
	if err := plain(name); err != nil {
		return err
	}
	switch _, err := os.Lstat(device.NamespacePath(name)); {
	case err == nil:
		return fmt.Errorf("network namespace %q exists already and is not this router's: choose another name, say existing = true where it was made for the router, or remove it with: ip netns del %s", name, name)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("looking for network namespace %q: %w", name, err)
	}
	return nil
}

// makeNamespace makes a namespace with a name, on a thread that ends with it.
func makeNamespace(name string) error {
	// InNamespace runs this on a thread that is never used again.
	err := device.InNamespace("/proc/thread-self/ns/net", func() error {
		h, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		return h.Close()
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("making network namespace %q: %w", name, err)
	if errors.Is(err, fs.ErrExist) {
		return err // another program has made it meanwhile
	}
	return errors.Join(err, remove(name))
}

// Undo removes the name of a namespace that Open made, and so the namespace
// unless a process is in it. made is the value passed to Config.Made, "" if
// only Will was called. A namespace that is gone is no error, and one that
// another program has made since stays.
func Undo(name, made string) error {
	if err := plain(name); err != nil {
		return err
	}
	if made != "" {
		switch now, err := identity(name); {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case now != made:
			return nil
		}
	}
	return remove(name)
}

// remove removes the name of a namespace. A missing one is no error.
func remove(name string) error {
	path := device.NamespacePath(name)
	// EINVAL: a file on which nothing was mounted yet.
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing network namespace %q: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %q: %w", name, err)
	}
	return nil
}

// sysctls configure the namespace as a host behind the router: it accepts
// packets from its own addresses (the dataplane's ICMP errors about its
// packets), does no duplicate address detection, and sends nothing unasked. Its
// ephemeral ports are the upper ports without the top quarter, which is left to
// address translation. If they collide nevertheless, translation gives the
// router's own flow another port.
var sysctls = []struct {
	family      int
	name, value string
}{
	{4, "ipv4/conf/default/accept_local", "1"},
	{4, "ipv4/conf/all/rp_filter", "0"},
	{4, "ipv4/conf/default/rp_filter", "0"},
	{4, "ipv4/ip_forward", "0"},
	{4, "ipv4/ip_local_port_range", "32768 49151"},
	{6, "ipv6/conf/default/accept_dad", "0"},
	{6, "ipv6/conf/default/accept_ra", "0"},
	{6, "ipv6/conf/default/addr_gen_mode", "1"},
	{6, "ipv6/conf/default/disable_ipv6", "0"},
}

// settle sets the defaults in the calling thread's namespace, before the device
// is made, which copies them.
func settle(addresses []netip.Prefix) error {
	has6 := false
	for _, a := range addresses {
		has6 = has6 || a.Addr().Is6()
	}
	for _, s := range sysctls {
		path := filepath.Join("/proc/sys/net", s.name)
		err := os.WriteFile(path, []byte(s.value), 0)
		if s.family == 6 && !has6 && errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6, which is not needed
		}
		if err != nil {
			return fmt.Errorf("setting net/%s to %q: %w", s.name, s.value, err)
		}
	}
	return nil
}
