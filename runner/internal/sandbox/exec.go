package sandbox

import (
	"sync"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/session"
)

// exec is one exec id that this init is deciding about or supervising.
type exec struct {
	id        string
	folder    string
	followers *sync.WaitGroup

	mutex      sync.Mutex
	state      protocol.State
	supervisor *child
	pid        int
	startedAt  string
	progress   control.ProgressNotice
	record     *protocol.ExitRecord
	lost       protocol.LostReason
	refused    error
	watchers   map[chan<- struct{}]struct{}
	questions  questions

	// decided is closed when it is clear whether it runs; over when it has ended, or is clear never to run.
	decided chan struct{}
	over    chan struct{}
}

func newExec(id, folder string, followers *sync.WaitGroup) *exec {
	return &exec{
		id:        id,
		folder:    folder,
		followers: followers,
		state:     protocol.StateStarting,
		watchers:  map[chan<- struct{}]struct{}{},
		decided:   make(chan struct{}),
		over:      make(chan struct{}),
	}
}

func (e *exec) setRunning(notice control.StartedNotice) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.state, e.pid, e.startedAt = protocol.StateRunning, notice.PID, notice.StartedAt
	close(e.decided)
	e.wakeWatchers()
}

func (e *exec) setProgress(notice control.ProgressNotice) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.progress = notice
	e.wakeWatchers()
}

// setOver is called once, with what is known about the end.
func (e *exec) setOver(change func()) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	change()
	select {
	case <-e.decided:
	default:
		close(e.decided)
	}
	close(e.over)
	e.wakeWatchers()
}

func (e *exec) wakeWatchers() {
	for watcher := range e.watchers {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}

// result is what a start answers once it is decided. The one that did not start it never hears `started`.
func (e *exec) result() (protocol.StartResult, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return protocol.StartResult{State: e.state, ExitRecord: e.record}, e.refused
}

func (e *exec) status() protocol.ExecStatus {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	status := protocol.ExecStatus{
		ExecID: e.id, State: e.state, PID: e.pid, StartedAt: e.startedAt,
		FirstPosition: e.progress.First, EndPosition: e.progress.End, Blocked: e.progress.Blocked,
		ExitRecord: e.record, LostReason: e.lost,
	}
	if e.record != nil {
		status.EndPosition, status.Blocked = e.record.EndPosition, protocol.BlockNone
	}
	return status
}

// wasRunning is true also when it has ended since.
func (e *exec) wasRunning() bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.startedAt != ""
}

func (e *exec) setSupervisor(supervisor *child) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.supervisor = supervisor
}

func (e *exec) currentSupervisor() *child {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.supervisor
}

// Folder, View and Watch make it a feed.
func (e *exec) Folder() string { return e.folder }

func (e *exec) View() session.View {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	view := session.View{First: e.progress.First, End: e.progress.End, Record: e.record, Lost: e.lost, Failed: e.refused}
	if e.record != nil {
		view.End = e.record.EndPosition
	}
	return view
}

func (e *exec) Watch(changed chan<- struct{}) func() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.watchers[changed] = struct{}{}
	e.followers.Add(1)
	return func() {
		e.followers.Done()
		e.mutex.Lock()
		defer e.mutex.Unlock()
		delete(e.watchers, changed)
	}
}
