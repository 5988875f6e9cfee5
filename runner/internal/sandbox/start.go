package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
	"berth.dev/runner/internal/wire"
)

// spareDelay keeps the making of the next supervisor out of the way of a short command.
const spareDelay = 20 * time.Millisecond

// decisionLimit is how long a supervisor may take to start its command. Then it is killed, and the exec is lost.
const decisionLimit = 60 * time.Second

// Start starts the command unless its id was ever taken. Whoever asks at the same time gets the same answer.
func (s *Sandbox) Start(request *protocol.StartRequest) (protocol.StartResult, error) {
	mine, other, err := s.enter(request.ExecID)
	if err != nil {
		return protocol.StartResult{}, err
	}
	if other != nil {
		<-other.decided
		return other.result()
	}
	if settled, err := s.settled(request.ExecID); settled.State != "" || err != nil {
		s.conclude(mine, func() { mine.state, mine.record, mine.refused = settled.State, settled.ExitRecord, err })
		return settled, err
	}
	if err := s.launch(mine, request); err != nil {
		s.conclude(mine, func() { mine.state, mine.refused = protocol.StateUnknown, err })
		return protocol.StartResult{}, err
	}
	<-mine.decided
	go s.keepSpareAfter(mine)
	if mine.wasRunning() {
		return protocol.StartResult{State: protocol.StateStarted}, nil
	}
	return mine.result()
}

func (s *Sandbox) keepSpareAfter(started *exec) {
	select {
	case <-started.over:
	case <-time.After(spareDelay):
	}
	s.children.keepSpare()
}

// settled looks for what the spool knows about an id that no supervisor of this init has. The zero state is nothing.
func (s *Sandbox) settled(execID string) (protocol.StartResult, error) {
	status, err := s.spooled(execID)
	if err != nil || status.State == protocol.StateUnknown {
		return protocol.StartResult{}, err
	}
	return protocol.StartResult{State: status.State, ExitRecord: status.ExitRecord}, nil
}

// launch claims the id and gives it to a supervisor. An error leaves no claim.
func (s *Sandbox) launch(e *exec, request *protocol.StartRequest) error {
	supervisor, err := s.children.take()
	if err != nil {
		return fmt.Errorf("start a supervisor: %w", err)
	}
	claim := spool.Claim{
		ExecID: request.ExecID, Protocol: protocol.Version, BootID: s.bootID, ClaimedAt: protocol.Timestamp(time.Now()),
		Argv: request.Argv, WorkingDirectory: request.WorkingDirectory, User: request.User, TimeoutMs: request.TimeoutMs,
		Transient: request.Transient,
	}
	e.setSupervisor(supervisor)
	if err := s.spool.Claim(claim); err != nil {
		e.setSupervisor(nil)
		// A supervisor that has seen no order ends with its connection.
		_ = supervisor.conn.File.Close()
		if errors.Is(err, spool.ErrClaimed) {
			return protocol.Errorf(protocol.CodeInternal, "the id was claimed by somebody else at the same time")
		}
		return err
	}
	order := control.StartOrder{
		Request: *request, SpoolRoot: s.spool.Root(), Workspace: s.settings.Workspace,
		DefaultUser: s.settings.DefaultUser, Env: s.settings.Env,
	}
	go s.attend(e, supervisor, order)
	return nil
}

// attend hears the supervisor out: its decision, its progress, its end.
func (s *Sandbox) attend(e *exec, supervisor *child, order control.StartOrder) {
	hung := time.AfterFunc(decisionLimit, func() { _ = syscall.Kill(supervisor.pid, syscall.SIGKILL) })
	defer hung.Stop()
	if err := supervisor.conn.WriteJSON(control.Start, 0, order); err != nil {
		// An order that did not arrive as a whole has started nothing.
		_ = syscall.Kill(supervisor.pid, syscall.SIGKILL)
		s.awaitEnd(supervisor)
		s.undo(e, protocol.Errorf(protocol.CodeResourceExhausted, "the supervisor ended before its order: %v", err))
		return
	}
	for {
		message, err := supervisor.conn.Read()
		if err != nil {
			s.supervisorDied(e, supervisor)
			return
		}
		hung.Stop()
		if s.hear(e, message) {
			s.awaitEnd(supervisor)
			return
		}
	}
}

// hear is true when the exec is over.
func (s *Sandbox) hear(e *exec, message wire.Message) bool {
	switch message.Type {
	case control.Started:
		var notice control.StartedNotice
		if json.Unmarshal(message.Payload, &notice) == nil {
			e.setRunning(notice)
		}
	case control.Progress:
		if notice, valid := control.DecodeProgress(message.Payload); valid {
			e.setProgress(notice)
		}
	case control.Reply:
		e.takeReply(message)
	case control.Refused:
		refusal := &protocol.Error{Code: protocol.CodeInternal, Message: "the supervisor gave no reason"}
		_ = json.Unmarshal(message.Payload, refusal)
		s.undo(e, refusal)
		return true
	case control.Ended:
		var notice control.EndedNotice
		if json.Unmarshal(message.Payload, &notice) != nil || notice.Record == nil {
			s.conclude(e, func() { e.state, e.lost = protocol.StateLost, protocol.LostRecordUnreadable })
			return true
		}
		s.conclude(e, func() { e.state, e.record = protocol.StateFinished, notice.Record })
		s.spool.KeepReserve()
		return true
	}
	return false
}

// undo gives the id back: the supervisor says that nothing was started.
func (s *Sandbox) undo(e *exec, refusal *protocol.Error) {
	if err := s.spool.Unclaim(e.id); err != nil {
		// The claim is still there, so the id must not look free.
		s.conclude(e, func() { e.state, e.lost = protocol.StateLost, protocol.LostSupervisorDied })
		return
	}
	s.conclude(e, func() { e.state, e.refused = protocol.StateUnknown, refusal })
}

// supervisorDied leaves the exec lost, after what it has left behind has been killed and counted.
func (s *Sandbox) supervisorDied(e *exec, supervisor *child) {
	_ = syscall.Kill(supervisor.pid, syscall.SIGKILL)
	s.awaitEnd(supervisor)
	s.killOrphans()
	first, end, err := spool.Bounds(e.folder)
	record, _ := s.spool.ReadRecord(e.id)
	s.conclude(e, func() {
		if record != nil {
			e.state, e.record = protocol.StateFinished, record
			return
		}
		e.state, e.lost = protocol.StateLost, protocol.LostSupervisorDied
		if err == nil {
			e.progress = control.ProgressNotice{First: first, End: end}
		}
	})
}

func (s *Sandbox) awaitEnd(supervisor *child) {
	<-supervisor.reaped
	// The connection has no other user left; how it closes does not matter.
	_ = supervisor.conn.File.Close()
}

// conclude ends the exec for everybody who waits. The spool answers for it from before anybody hears of the end, so that
// whoever has heard of it can also forget it.
func (s *Sandbox) conclude(e *exec, change func()) {
	s.leave(e)
	e.setOver(change)
}
