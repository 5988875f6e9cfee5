package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

// cancelMargin is what a verified end may take beyond the grace: the limits of killing, draining and recording.
const cancelMargin = 40 * time.Second

// Cancel leaves the tombstone before it looks for the exec, and a start looks for the tombstone after it has become
// visible: so one of the two sees the other, and nothing starts after a cancel. A stop of the sandbox leaves none: it
// ends what has been claimed, and nobody wanted that never to run.
func (s *Sandbox) Cancel(request protocol.CancelRequest) (protocol.CancelResult, error) {
	if err := s.buryFor(request); err != nil {
		return protocol.CancelResult{}, err
	}
	e := s.find(request.ExecID)
	if e == nil {
		return s.canceledBefore(request.ExecID)
	}
	<-e.decided
	if supervisor := e.currentSupervisor(); supervisor != nil {
		// One that does not read has ended or is about to, and then the exec is over; or it has stalled, and the end is asked
		// for again by whoever hears below that it could not be verified.
		_ = supervisor.conn.WriteJSON(control.Cancel, 0, control.CancelOrder{GraceMs: request.GraceMs, Stops: request.Stops})
	}
	select {
	case <-e.over:
		return s.canceledBefore(request.ExecID)
	case <-time.After(time.Duration(request.GraceMs)*time.Millisecond + cancelMargin):
		return protocol.CancelResult{}, protocol.Errorf(protocol.CodeInternal, "the end could not be verified in time")
	}
}

func (s *Sandbox) buryFor(request protocol.CancelRequest) error {
	if !request.Stops {
		return s.bury(request.ExecID)
	}
	status, err := s.Status(request.ExecID)
	if err == nil && status.State == protocol.StateUnknown {
		return protocol.Errorf(protocol.CodeUnknownExec, "the exec was never claimed")
	}
	return err
}

// bury spares the tombstone where a record is there already. Where the disk is too full for one, the claim of a
// running exec keeps it from starting again as well.
func (s *Sandbox) bury(execID string) error {
	if record, err := s.spool.ReadRecord(execID); err == nil && record != nil {
		return nil
	}
	err := s.spool.Bury(execID, protocol.StateCanceled)
	if claimed, claimErr := s.spool.Claimed(execID); err != nil && claimErr == nil && claimed {
		return nil
	}
	return err
}

// canceledBefore answers for an exec that is over.
func (s *Sandbox) canceledBefore(execID string) (protocol.CancelResult, error) {
	status, err := s.spooled(execID)
	if err != nil {
		return protocol.CancelResult{}, err
	}
	switch status.State {
	case protocol.StateFinished:
		record := status.ExitRecord
		state := protocol.StateFinished
		if record.Reason == protocol.ReasonCanceled {
			state = protocol.StateCanceled
		}
		return protocol.CancelResult{
			State: state, DescendantsKilled: record.DescendantsKilled, HadToKill: record.HadToKill, ExitRecord: record,
		}, nil
	case protocol.StateForgotten:
		return protocol.CancelResult{State: protocol.StateFinished}, nil
	case protocol.StateCanceled:
		return protocol.CancelResult{State: protocol.StateNeverStarted}, nil
	case protocol.StateUnknown:
		return protocol.CancelResult{}, protocol.Errorf(protocol.CodeDiskFull, "no tombstone could be written")
	}
	return protocol.CancelResult{State: protocol.StateLost}, nil
}

// Commit lets go of what is kept elsewhere.
func (s *Sandbox) Commit(request protocol.CommitRequest) error {
	status, err := s.Status(request.ExecID)
	if err != nil {
		return err
	}
	switch {
	case status.State == protocol.StateUnknown || status.State == protocol.StateForgotten || status.State == protocol.StateCanceled:
		return protocol.Errorf(protocol.CodeUnknownExec, "there is no output of this exec (%s)", status.State)
	case request.Position > status.EndPosition:
		return protocol.Errorf(protocol.CodePositionInvalid, "position %d is beyond the end, %d", request.Position, status.EndPosition)
	}
	if e := s.find(request.ExecID); e != nil && e.currentSupervisor() != nil {
		err := e.currentSupervisor().conn.Write(control.Commit, 0, control.EncodePosition(request.Position))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The command may wait for this very commit.
			return fmt.Errorf("the supervisor does not read: %w", err)
		}
		// One that is just ending keeps a segment too many, until the exec is forgotten.
		return nil
	}
	_, err = spool.Trim(s.spool.ExecFolder(request.ExecID), request.Position, status.EndPosition)
	return err
}

// Forget deletes the spool of an ended exec. Meanwhile nobody else decides about the id.
func (s *Sandbox) Forget(execID string) error {
	mine, other, err := s.enter(execID)
	if err != nil {
		return err
	}
	if other != nil {
		return protocol.Errorf(protocol.CodeStillRunning, "the exec has not ended")
	}
	err = s.forget(execID)
	s.conclude(mine, func() { mine.state, mine.refused = protocol.StateForgotten, err })
	return err
}

// forget trusts a record: a supervisor that is still there after it writes nothing more.
func (s *Sandbox) forget(execID string) error {
	record, err := s.spool.ReadRecord(execID)
	if err != nil {
		return err
	}
	if record == nil && s.spool.Supervised(execID) {
		return protocol.Errorf(protocol.CodeStillRunning, "the exec has not ended")
	}
	return s.spool.Forget(execID)
}
