package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a process of ours may take to answer or to end. It is
// long because the measured load starves other processes.
const patience = 10 * time.Second

// process is a running process of the bench: one of its own parts, or routerd.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
	out   io.ReadCloser
	said  tail
	ended chan struct{} // closed once the process is gone
}

// startPart starts this binary again as one part of a measurement, inside a
// namespace, and waits until it is ready. It returns what the part said then.
func startPart(namespace string, o order) (*process, reply, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, reply{}, fmt.Errorf("find the bench's own binary: %w", err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, reply{}, fmt.Errorf("write order for %s: %w", o.Role, err)
	}
	p, err := startProcess(o.Role, namespace, self, partArgument, string(text))
	if err != nil {
		return nil, reply{}, err
	}
	r, err := p.readReply()
	if err != nil {
		return nil, reply{}, errors.Join(err, p.end())
	}
	return p, r, nil
}

// startProcess starts a program inside a namespace. It gets a process group
// of its own, so that an interrupt from the terminal reaches the bench alone,
// and dies with the bench whatever happens.
func startProcess(name, namespace, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.said
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.lines = bufio.NewReader(p.out)
	if err = InNamespace(namespace, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_, _ = p.cmd.Process.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ask has a part count, and returns its counters.
func (p *process) ask() (reply, error) {
	if _, err := io.WriteString(p.stdin, "count\n"); err != nil {
		return reply{}, p.failure(err)
	}
	return p.readReply()
}

// readReply reads one line of a part.
func (p *process) readReply() (reply, error) {
	if d, ok := p.out.(interface{ SetReadDeadline(time.Time) error }); ok {
		if err := d.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return reply{}, p.failure(err)
		}
	}
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return reply{}, p.failure(err)
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return reply{}, p.failure(fmt.Errorf("unreadable answer %q: %w", line, err))
	}
	return r, nil
}

// rest reads what a program has yet to write until it closes its output, for
// at most d.
func (p *process) rest(d time.Duration) ([]byte, error) {
	if out, ok := p.out.(interface{ SetReadDeadline(time.Time) error }); ok {
		if err := out.SetReadDeadline(time.Now().Add(d)); err != nil {
			return nil, p.failure(err)
		}
	}
	text, err := io.ReadAll(p.lines)
	if err != nil {
		return nil, p.failure(err)
	}
	return text, nil
}

// failure is err with the process's error output.
func (p *process) failure(err error) error {
	if said := p.said.String(); said != "" {
		return fmt.Errorf("%s (pid %d): %w: %s", p.name, p.cmd.Process.Pid, err, said)
	}
	return fmt.Errorf("%s (pid %d): %w", p.name, p.cmd.Process.Pid, err)
}

// gone returns an error if the process has ended by itself.
func (p *process) gone() error {
	select {
	case <-p.ended:
		return p.failure(errors.New("ended by itself, wanted it to run until the bench is over"))
	default:
		return nil
	}
}

// end ends the process: a part by closing its stdin, every other program by
// SIGTERM; if that fails it is killed.
func (p *process) end() error {
	p.stdin.Close()
	defer p.out.Close()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(s) // fails only when it is gone already
		ctx, done := context.WithTimeout(context.Background(), patience)
		select {
		case <-p.ended:
			done()
			return nil
		case <-ctx.Done():
			done()
		}
	}
	return p.failure(errors.New("does not end even when killed"))
}

// tail keeps the end of what a process writes to stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailLength = 4096 // bytes

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailLength; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(bytes.ToValidUTF8(t.text, []byte("?"))))
}
