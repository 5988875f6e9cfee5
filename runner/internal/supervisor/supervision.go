package supervisor

import (
	"encoding/json"
	"os"
	"sync"
	"syscall"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
	"berth.dev/runner/internal/terminal"
	"berth.dev/runner/internal/wire"
)

const (
	timeoutGrace = time.Second
	// prepareRecordAfter spares a short exec the cost: the disk had room for its claim.
	prepareRecordAfter = 500 * time.Millisecond
	stopGrace          = 3 * time.Second
	// killLimit is how long KILL is repeated before the record says how many processes are left. Only an uninterruptible
	// sleep lasts that long.
	killLimit           = 20 * time.Second
	killAgainAfter      = 5 * time.Millisecond
	killAgainAfterLimit = 250 * time.Millisecond
)

// supervision is the life of one exec. All of it runs in one goroutine but the pumps, the input and what is said to init.
type supervision struct {
	conn    *control.Conn
	request *protocol.StartRequest
	folder  string
	spooler *spooler
	// pumps are those of standard output and error, or the one of the terminal.
	pumps    []*pump
	terminal *terminal.Terminal
	// input is nil where the command reads nothing.
	input    *input
	children chan os.Signal
	messages chan wire.Message
	// replying are answers on their way to init, which come before the end.
	replying sync.WaitGroup

	main           int
	started        time.Time
	selfReported   bool
	oomKillsBefore uint64
	oomKnown       bool

	mainExited bool
	mainStatus syscall.WaitStatus
	ended      time.Time
	// childless: the kernel says that no descendant is left.
	childless bool
	// reason is why it was ended from outside; empty if the main process ended by itself.
	reason      protocol.Reason
	graceEnds   <-chan time.Time
	graceEndsAt time.Time
	// killAsked: somebody has asked for a KILL, and it was sent.
	killAsked bool
	// stopping: the sandbox is being stopped, or init has died.
	stopping bool

	killingSince time.Time
	killAgain    <-chan time.Time
	killPause    time.Duration
	killed       map[int]bool
	hadToKill    bool
	abandoned    bool
	// finished: the record says how it ended, and nothing more can reach the command.
	finished bool
}

// untilOver returns when the main process has ended and its tree has gone, or may stay.
func (s *supervision) untilOver() {
	timeout := after(s.request.TimeoutMs)
	idle := after(s.request.IdleTimeoutMs)
	prepare := time.After(prepareRecordAfter)
	for !s.over() {
		select {
		case <-s.children:
			s.reap()
		case message, open := <-s.messages:
			s.obey(message, open)
		case <-timeout:
			s.end(protocol.ReasonTimedOut, timeoutGrace)
		case <-idle:
			idle = s.idleTimeout()
		case <-prepare:
			// Without it the record needs room on the disk, or the reserve.
			_ = spool.PrepareRecord(s.folder)
		case <-s.spooler.limited:
			s.end(protocol.ReasonOutputLimited, timeoutGrace)
		case <-s.graceEnds:
			s.kill()
		case <-s.killAgain:
			s.kill()
		}
	}
}

func (s *supervision) over() bool {
	if s.abandoned || (s.mainExited && s.childless) {
		return true
	}
	return s.mainExited && s.reason == "" && s.request.AllowBackground
}

// reap takes every ended child. Orphaned descendants are children too, so ECHILD means that the tree has gone.
func (s *supervision) reap() {
	for {
		pid, status, err := process.Reap()
		if err == syscall.ECHILD {
			s.childless = true
		}
		if err != nil || pid <= 0 {
			break
		}
		if pid == s.main && !s.mainExited {
			s.mainExited, s.mainStatus, s.ended = true, status, time.Now()
		}
	}
	leftOver := s.mainExited && !s.childless && s.reason == "" && !s.request.AllowBackground
	if leftOver && s.killingSince.IsZero() {
		s.kill()
	}
}

func (s *supervision) obey(message wire.Message, open bool) {
	if !open {
		s.messages, s.stopping = nil, true
		s.end(protocol.ReasonSandboxStopped, 0)
		return
	}
	switch message.Type {
	case control.Commit:
		if position, valid := control.DecodePosition(message.Payload); valid {
			s.spooler.commit(position)
		}
	case control.Cancel:
		var order control.CancelOrder
		if json.Unmarshal(message.Payload, &order) == nil {
			s.end(order.Reason(), time.Duration(order.GraceMs)*time.Millisecond)
		}
	case control.Stop:
		s.stopping = true
		s.end(protocol.ReasonSandboxStopped, stopGrace)
	case control.Stdin, control.Signal, control.Resize:
		s.answer(message)
	}
}

// end asks the tree to go, and kills it after the grace. A later order can only make it faster. A main process that
// has ended by itself keeps that as its end.
func (s *supervision) end(reason protocol.Reason, grace time.Duration) {
	s.reap()
	if s.mainExited && s.reason == "" {
		return
	}
	if s.reason == "" {
		s.reason = reason
	}
	if !s.killingSince.IsZero() {
		return
	}
	if grace <= 0 {
		s.kill()
		return
	}
	// A stopped process acts on TERM only after CONT. Whom it does not reach, KILL does.
	_, _ = process.Signal(os.Getpid(), syscall.SIGTERM)
	_, _ = process.Signal(os.Getpid(), syscall.SIGCONT)
	s.endGraceBy(time.Now().Add(grace))
}

// endGraceBy brings the kill forward, and never puts it off.
func (s *supervision) endGraceBy(moment time.Time) {
	if s.graceEndsAt.IsZero() || moment.Before(s.graceEndsAt) {
		s.graceEndsAt, s.graceEnds = moment, time.After(time.Until(moment))
	}
}

// kill is repeated until the kernel says that nothing is left, or the limit has passed.
func (s *supervision) kill() {
	if s.killingSince.IsZero() {
		s.killingSince, s.killPause = time.Now(), killAgainAfter
	}
	killed, _ := process.Kill(os.Getpid(), process.Nobody)
	for _, pid := range killed {
		s.hadToKill = true
		if pid != s.main {
			s.killed[pid] = true
		}
	}
	s.abandoned = time.Since(s.killingSince) > killLimit
	s.killAgain = time.After(s.killPause)
	s.killPause = min(2*s.killPause, killAgainAfterLimit)
	s.graceEnds = nil
}

// idleTimeout ends the exec if it has been silent long enough, or says when to look again.
func (s *supervision) idleTimeout() <-chan time.Time {
	limit := time.Duration(s.request.IdleTimeoutMs) * time.Millisecond
	idle := s.spooler.idleFor()
	if idle < limit {
		return time.After(limit - idle)
	}
	s.end(protocol.ReasonIdleTimedOut, timeoutGrace)
	return nil
}

func after(milliseconds int64) <-chan time.Time {
	if milliseconds <= 0 {
		return nil
	}
	return time.After(time.Duration(milliseconds) * time.Millisecond)
}
