package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// hosted is how a rival is started that labs do not know: in the namespace of a host.
type hosted struct {
	// terminal is the program that asks it, and is installed with it.
	terminal string
	config   func(s setting, dir string) string
	// line is the line of sh that becomes it. Its configuration is the file conf in dir.
	line func(dir string) (string, error)
}

// program is a hosted rival that runs.
type program struct {
	cmd   *exec.Cmd
	said  said
	ended chan struct{}
}

// said keeps the beginning of what a program prints, which says why it ended.
type said struct {
	mu   sync.Mutex
	text []byte
}

// mostSaid is how many octets are kept.
const mostSaid = 4096

func (b *said) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, text[:min(len(text), mostSaid-len(b.text))]...)
	return len(text), nil
}

func (b *said) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// starting is how long a program has until it answers.
const starting = 30 * time.Second

// start has the rival of a stand run on r, and waits until it answers.
func (x *stand) start(ctx context.Context, dir string) error {
	h := x.rival.hosted
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(h.config(x.setting, dir)), 0o600); err != nil {
		return fmt.Errorf("configuring %s: %w", x.rival.name, err)
	}
	line, err := h.line(dir)
	if err != nil {
		return err
	}
	p := &program{cmd: exec.Command("/bin/sh", "-c", line), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	// All that it starts is in its process group, and is killed with it. It dies with us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	if err := bench.InNamespace(x.lab.Topology.Name+"-r", p.cmd.Start); err != nil {
		return fmt.Errorf("starting %s: %w", x.rival.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // it is killed in the end
		close(p.ended)
	}()
	x.program = p
	return site.Await(ctx, starting, 50*time.Millisecond, x.rival.name+" answers", func() (string, error) {
		select {
		case <-p.ended:
			return "", fmt.Errorf("%s has ended: %s", x.rival.name, &p.said)
		default:
		}
		if _, err := x.routes(ctx); err != nil {
			return err.Error(), nil
		}
		return "", nil
	})
}

func (p *program) end() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // fails if it has ended
	<-p.ended
}

// processes are all of the program's.
func (p *program) processes() (list []int, err error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("looking for processes: %w", err)
	}
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if group, err := syscall.Getpgid(pid); err == nil && group == p.cmd.Process.Pid {
			list = append(list, pid)
		}
	}
	return list, nil
}

// used is what the rival has used.
func (x *stand) used() (site.Usage, error) {
	if x.program == nil {
		return site.Used(x.lab, "r")
	}
	list, err := x.program.processes()
	if err != nil {
		return site.Usage{}, err
	}
	return site.UsedBy(list)
}

var goBGP = &hosted{
	terminal: "gobgp",
	config: func(s setting, _ string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "[global.config]\nas = %d\nrouter-id = \"10.0.1.1\"\n", routerAS)
		s.neighbors(func(address string, as int, _ bool) {
			fmt.Fprintf(&b, "[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d\n[neighbors.transport.config]\npassive-mode = true\n[neighbors.timers.config]\nhold-time = %d\nkeepalive-interval = %d\nidle-hold-time-after-reset = 1\n[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n", address, as, holdTime, holdTime/3)
		})
		return b.String()
	},
	line: func(dir string) (string, error) {
		return fmt.Sprintf("exec gobgpd -l error -t toml -f %[1]s/conf --api-hosts unix://%[1]s/gobgp.sock --pprof-disable", dir), nil
	},
}

// askGoBGP asks it by its terminal.
func askGoBGP(_ *lab.Lab, _, dir string) (asker, error) {
	return byTerminal{[]string{"gobgp", "--target", "unix://" + dir + "/gobgp.sock", "-j", "neighbor"}, func(text []byte) (n int, err error) {
		var all []struct {
			Families []struct{ State struct{ Accepted int } } `json:"afi_safis"`
		}
		err = json.Unmarshal(text, &all)
		for i := range all {
			for _, f := range all[i].Families {
				n += f.State.Accepted
			}
		}
		return n, err
	}}, nil
}

var openBGPD = &hosted{
	terminal: "bgpctl",
	config: func(s setting, dir string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "AS %d\nrouter-id 10.0.1.1\nsocket \"%s/bgpd.sock\"\nfib-update no\nholdtime %d\n", routerAS, dir, holdTime)
		s.neighbors(func(address string, as int, _ bool) {
			fmt.Fprintf(&b, "neighbor %s {\nremote-as %d\npassive\n}\n", address, as)
		})
		return b.String() + "allow from any\nallow to any\n"
	},
	line: func(dir string) (string, error) {
		// FRR has a bgpd too.
		terminal, err := exec.LookPath("bgpctl")
		if err != nil {
			return "", fmt.Errorf("looking for OpenBGPD: %w", err)
		}
		// Its processes lock themselves in the home of their user, which systemd would make.
		return fmt.Sprintf("mkdir -p $(getent passwd _openbgpd | cut -d: -f6) && exec %s -d -f %s/conf", filepath.Join(filepath.Dir(terminal), "bgpd"), dir), nil
	},
}

// askOpenBGPD asks it by its terminal.
func askOpenBGPD(_ *lab.Lab, _, dir string) (asker, error) {
	return byTerminal{[]string{"bgpctl", "-s", dir + "/bgpd.sock", "-j", "show", "neighbor"}, func(text []byte) (n int, err error) {
		var x struct {
			Neighbors []struct {
				Stats struct{ Prefixes struct{ Received int } }
			}
		}
		err = json.Unmarshal(text, &x)
		for i := range x.Neighbors {
			n += x.Neighbors[i].Stats.Prefixes.Received
		}
		return n, err
	}}, nil
}

// byTerminal asks by a program that is started for it, and reads what it prints.
type byTerminal struct {
	argv []string
	read func(text []byte) (int, error)
}

func (a byTerminal) routes(ctx context.Context) (int, error) {
	text, err := exec.CommandContext(ctx, a.argv[0], a.argv[1:]...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			text = append(text, exit.Stderr...)
		}
		return 0, fmt.Errorf("asking %s: %w: %s", a.argv[0], err, text)
	}
	n, err := a.read(text)
	if err != nil {
		return 0, fmt.Errorf("asking %s: %w", a.argv[0], err)
	}
	return n, nil
}

func (byTerminal) close() {}
