package sandbox

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/process"
)

const (
	selfPath = "/proc/self/exe"
	// A supervisor does little at a time; a thread per core for each of them would be waste.
	supervisorEnv = "GOMAXPROCS=2"
	readyLimit    = 10 * time.Second
)

// child is one supervisor, spare or in use.
type child struct {
	pid    int
	conn   *control.Conn
	reaped chan struct{}
	// ready is closed when it can take an order; until then nobody else reads the connection.
	ready chan struct{}
}

func (c *child) awaitReady() {
	if message, err := c.conn.Read(); err == nil && message.Type == control.Ready {
		close(c.ready)
	}
}

// children are all supervisors. One mutex goes around fork and register, and around reaping, so that no end is missed.
type children struct {
	mutex    sync.Mutex
	byPID    map[int]*child
	spare    *child
	stopping bool
	empty    chan struct{}
}

func newChildren() *children {
	c := &children{byPID: map[int]*child{}, empty: make(chan struct{})}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			c.reap()
		}
	}()
	return c
}

// reap takes every ended child, also the orphans that nobody registered.
func (c *children) reap() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for {
		pid, _, err := process.Reap()
		if err != nil || pid <= 0 {
			break
		}
		if ended := c.byPID[pid]; ended != nil {
			delete(c.byPID, pid)
			if c.spare == ended {
				c.spare = nil
				_ = ended.conn.File.Close()
			}
			close(ended.reaped)
		}
	}
	c.noteEmpty()
}

func (c *children) noteEmpty() {
	if c.stopping && len(c.byPID) == 0 {
		select {
		case <-c.empty:
		default:
			close(c.empty)
		}
	}
}

// take returns the spare supervisor, or a new one, ready for its order.
func (c *children) take() (*child, error) {
	taken, err := c.takeAny()
	if err != nil {
		return nil, err
	}
	select {
	case <-taken.ready:
		return taken, nil
	case <-taken.reaped:
		// Go ends a process that cannot have its threads.
		return nil, firstOf(fmt.Errorf("a supervisor ended before it was ready: %w", syscall.EAGAIN), taken.conn.File.Close())
	case <-time.After(readyLimit):
		_ = syscall.Kill(taken.pid, syscall.SIGKILL)
		return nil, firstOf(fmt.Errorf("a supervisor was not ready in time: %w", syscall.EAGAIN), taken.conn.File.Close())
	}
}

func (c *children) takeAny() (*child, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopping {
		return nil, syscall.EAGAIN
	}
	if spare := c.spare; spare != nil {
		c.spare = nil
		return spare, nil
	}
	return c.spawn()
}

// keepSpare prepares the next one. If that fails now, take tries again and reports it.
func (c *children) keepSpare() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.spare == nil && !c.stopping {
		c.spare, _ = c.spawn()
	}
}

func (c *children) spawn() (*child, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer syscall.Close(ends[1])
	// Before the file is made, so that its reads can be waited for without a thread each.
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		return nil, firstOf(os.NewSyscallError("fcntl", err), syscall.Close(ends[0]))
	}
	own := os.NewFile(uintptr(ends[0]), "supervisor")
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, firstOf(err, own.Close())
	}
	defer null.Close()
	pid, err := syscall.ForkExec(selfPath, []string{"runner", "supervise"}, &syscall.ProcAttr{
		Env:   []string{supervisorEnv},
		Files: []uintptr{null.Fd(), null.Fd(), 2, uintptr(ends[1])},
	})
	if err != nil {
		return nil, firstOf(fmt.Errorf("fork a supervisor: %w", err), own.Close())
	}
	started := &child{pid: pid, conn: control.NewConn(own), reaped: make(chan struct{}), ready: make(chan struct{})}
	c.byPID[pid] = started
	go started.awaitReady()
	return started, nil
}

func firstOf(err error, _ error) error { return err }

// stopAll asks every supervisor to end its exec; the spare ends with its connection.
func (c *children) stopAll() <-chan struct{} {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopping = true
	for _, each := range c.byPID {
		if each == c.spare {
			_ = each.conn.File.Close()
			continue
		}
		// Written aside, because one that does not read must not hold up the others.
		go func() { _ = each.conn.Write(control.Stop, 0) }()
	}
	c.noteEmpty()
	return c.empty
}

// spared are the supervisors, for whoever kills the rest of the children. Fork and register are one here, so it names every
// one that has been seen before.
func (c *children) spared() map[int]bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	pids := make(map[int]bool, len(c.byPID))
	for pid := range c.byPID {
		pids[pid] = true
	}
	return pids
}
