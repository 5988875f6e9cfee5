package supervisor

import (
	"os"
	"syscall"
	"time"

	"berth.dev/runner/internal/cgroup"
	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

const (
	recordRetryInterval = 100 * time.Millisecond
	recordRetryLimit    = 3 * time.Second
	// shellKilledCode is what a shell answers when KILL ended the command that it waited for.
	shellKilledCode = 128 + int(syscall.SIGKILL)
)

// drain waits until both pipes have been taken to their end. Nobody of the tree writes any more, or may.
func (s *supervision) drain() {
	limit := heldOpenLimit
	if !s.childless && !s.abandoned {
		limit = backgroundDrainLimit
	}
	s.spooler.lift()
	if s.terminal != nil {
		s.terminal.CloseCommandSide()
	}
	for _, pump := range s.pumps {
		pump.endWithin(limit)
	}
	for _, pump := range s.pumps {
		for waiting := true; waiting; {
			select {
			case <-pump.done:
				waiting = false
			case message, open := <-s.messages:
				s.obey(message, open)
			}
		}
	}
}

// finish writes the record and tells init. Without a durable record init is told that there is none.
func (s *supervision) finish(failure *protocol.StartFailure) int {
	s.finished = true
	if s.input != nil {
		s.input.shut()
	}
	record := s.record(failure)
	if !s.request.Transient && s.spooler.sync() != nil {
		// The end is known all the same; of the output nobody knows how much a power cut would leave.
		record.OutputTruncated = true
	}
	err := s.writeRecord(record)
	notice := control.EndedNotice{Record: record}
	if err != nil {
		notice.Record = nil
		fail("write the exit record", err)
	}
	s.replying.Wait()
	if writeErr := s.conn.WriteJSON(control.Ended, 0, notice); writeErr != nil || err != nil {
		return 1
	}
	return 0
}

func (s *supervision) writeRecord(record *protocol.ExitRecord) error {
	giveUpAt := time.Now().Add(recordRetryLimit)
	for {
		err := spool.WriteRecord(s.folder, record, !s.request.Transient)
		if err == nil || time.Now().After(giveUpAt) {
			return err
		}
		if !s.spooler.spool.FreeReserve() {
			time.Sleep(recordRetryInterval)
		}
	}
}

func (s *supervision) record(failure *protocol.StartFailure) *protocol.ExitRecord {
	if s.ended.IsZero() {
		s.ended = time.Now()
	}
	record := &protocol.ExitRecord{
		ExecID:            s.request.ExecID,
		Protocol:          protocol.Version,
		Reason:            s.reason,
		StartFailure:      failure,
		StartedAt:         protocol.Timestamp(s.started),
		FinishedAt:        protocol.Timestamp(s.started.Add(s.ended.Sub(s.started))),
		WallMs:            s.ended.Sub(s.started).Milliseconds(),
		DescendantsKilled: len(s.killed),
		HadToKill:         s.hadToKill,
		SelfReported:      s.selfReported,
		Usage:             usage(),
	}
	if s.input != nil {
		record.StdinBytes = s.input.writtenBytes()
	}
	s.spooler.describe(record)
	if failure != nil {
		code := failure.Code.ExitCode()
		record.Reason, record.ExitCode = protocol.ReasonStartFailed, &code
		return record
	}
	s.describeEnd(record)
	return record
}

func (s *supervision) describeEnd(record *protocol.ExitRecord) {
	for _, pump := range s.pumps {
		record.OutputHeldOpen = record.OutputHeldOpen || pump.heldOpen
	}
	if !s.childless {
		// If they cannot be counted, at least the one that keeps us from being childless is there.
		left, err := process.Living(os.Getpid())
		if err != nil {
			left = 1
		}
		record.DescendantsLeft = left
	}
	switch {
	case s.mainExited && s.mainStatus.Signaled():
		name := signalName(s.mainStatus.Signal())
		record.Signal = &name
	case s.mainExited:
		code := s.mainStatus.ExitStatus()
		record.ExitCode = &code
	}
	if kills, known := cgroup.OOMKills(); known && s.oomKnown && kills > s.oomKillsBefore {
		record.OOMKills = kills - s.oomKillsBefore
	}
	if record.Reason != "" {
		return
	}
	record.Reason = protocol.ReasonExited
	killed := s.mainStatus.Signaled() && s.mainStatus.Signal() == syscall.SIGKILL
	// The counter is that of all execs of the sandbox, so its rise does not tell whose kill this was.
	if record.OOMKills > 0 && !s.killAsked && (killed || s.mainStatus.ExitStatus() == shellKilledCode) {
		record.Reason = protocol.ReasonOOMKilled
	}
}

// usage covers every descendant that has been waited for.
func usage() protocol.Usage {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used) != nil {
		return protocol.Usage{}
	}
	const bytesPerKiB = 1_024
	return protocol.Usage{
		UserMs:      time.Duration(used.Utime.Nano()).Milliseconds(),
		SystemMs:    time.Duration(used.Stime.Nano()).Milliseconds(),
		MaxRssBytes: used.Maxrss * bytesPerKiB,
	}
}

// attendBackground stays with descendants that were allowed to outlive the command: it reaps them, swallows what they
// write, and ends them with the sandbox.
func (s *supervision) attendBackground() {
	if s.childless || s.abandoned {
		return
	}
	s.spooler.discard()
	if s.stopping {
		s.kill()
	}
	for _, pump := range s.pumps {
		go pump.swallow()
	}
	for !s.childless && !s.abandoned {
		select {
		case <-s.children:
			s.reap()
		case message, open := <-s.messages:
			if s.obey(message, open); s.stopping {
				s.kill()
			}
		case <-s.killAgain:
			s.kill()
		}
	}
}
