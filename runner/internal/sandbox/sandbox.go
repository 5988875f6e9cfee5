// Package sandbox is the container's init: it reaps, starts a supervisor for each exec, and answers the channel. It must
// never start a claimed exec a second time, and never block on anything that a process of the sandbox controls.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

const (
	// stopLimit is below the time that Docker gives a container to stop.
	stopLimit = 7 * time.Second
	// lastWordsLimit is how long followers may take to receive the ends before init goes.
	lastWordsLimit = 300 * time.Millisecond
)

// Settings come from the container's environment.
type Settings struct {
	Version     string
	SpoolRoot   string
	Workspace   string
	DefaultUser string
	// Env is what execs inherit from the container.
	Env []string
}

// SettingsFrom reads what the host put into the container's environment.
func SettingsFrom(version string, environ []string) Settings {
	settings := Settings{Version: version, SpoolRoot: "/berth/spool", Workspace: "/workspace", DefaultUser: "1000"}
	private := map[string]*string{
		"BERTH_SPOOL":     &settings.SpoolRoot,
		"BERTH_WORKSPACE": &settings.Workspace,
		"BERTH_EXEC_USER": &settings.DefaultUser,
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if field := private[name]; field != nil && value != "" {
			*field = value
		}
		if !strings.HasPrefix(name, "BERTH_") {
			settings.Env = append(settings.Env, entry)
		}
	}
	return settings
}

// Sandbox holds the live execs. Ended ones are read from the spool.
type Sandbox struct {
	settings Settings
	spool    *spool.Spool
	bootID   string
	epoch    atomic.Uint64
	children *children

	mutex    sync.Mutex
	live     map[string]*exec
	stopping bool
	// followers are those of live execs.
	followers sync.WaitGroup
}

func newSandbox(settings Settings) (*Sandbox, error) {
	at, err := spool.Create(settings.SpoolRoot)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	bootID, err := newBootID()
	if err != nil {
		return nil, err
	}
	s := &Sandbox{settings: settings, spool: at, bootID: bootID, live: map[string]*exec{}}
	s.children = newChildren()
	at.KeepReserve()
	return s, at.ClearTombstones()
}

// newBootID tells this life of the sandbox from the ones before.
func newBootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	return strings.TrimSpace(string(text)), err
}

func (s *Sandbox) Hello() protocol.HelloResult {
	return protocol.HelloResult{Version: s.settings.Version, BootID: s.bootID, Epoch: s.epoch.Add(1), Mode: "init"}
}

// enter makes the caller the only one who decides about the exec id, until leave. Otherwise it returns who does.
func (s *Sandbox) enter(execID string) (mine *exec, other *exec, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if other = s.live[execID]; other != nil {
		return nil, other, nil
	}
	if s.stopping {
		return nil, nil, protocol.Errorf(protocol.CodeStopping, "the sandbox is being stopped")
	}
	mine = newExec(execID, s.spool.ExecFolder(execID), &s.followers)
	s.live[execID] = mine
	return mine, nil, nil
}

func (s *Sandbox) leave(e *exec) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.live, e.id)
}

func (s *Sandbox) find(execID string) *exec {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.live[execID]
}

// stop ends every exec with a record of its own and returns when that is done, or its time is over.
func (s *Sandbox) stop() error {
	s.mutex.Lock()
	s.stopping = true
	s.mutex.Unlock()
	gone := s.children.stopAll()
	select {
	case <-gone:
	case <-time.After(stopLimit):
		return errors.New("some supervisors did not end in time")
	}
	return nil
}
