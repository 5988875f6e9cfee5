package spool

import (
	"berth.dev/runner/internal/protocol"
)

// Status says what the spool alone knows about an exec id.
func (s *Spool) Status(execID, bootID string) (protocol.ExecStatus, error) {
	status := protocol.ExecStatus{ExecID: execID, State: protocol.StateUnknown}
	claimed, err := s.Claimed(execID)
	if err != nil {
		return status, err
	}
	buried, err := s.Buried(execID)
	if err != nil {
		return status, err
	}
	if !claimed || buried == protocol.StateForgotten {
		if buried != "" {
			status.State = buried
		}
		return status, nil
	}
	// The supervisor is asked before the record, because it writes the record before it ends.
	supervised := s.Supervised(execID)
	if status.ExitRecord, err = s.ReadRecord(execID); err != nil {
		return status, err
	}
	status.FirstPosition, status.EndPosition, err = s.bounds(execID, status.ExitRecord)
	switch {
	case status.ExitRecord != nil:
		status.State = protocol.StateFinished
		status.StartedAt = status.ExitRecord.StartedAt
	case supervised:
		status.State = protocol.StateRunning
	default:
		status.State, status.LostReason = protocol.StateLost, s.LostReason(execID, bootID)
	}
	return status, err
}

// bounds trusts the record for the end, and looks for itself where there is none.
func (s *Spool) bounds(execID string, record *protocol.ExitRecord) (first, end uint64, err error) {
	folder := s.ExecFolder(execID)
	if record == nil {
		return Bounds(folder)
	}
	starts, err := segmentStarts(folder)
	if err != nil || len(starts) == 0 {
		return record.EndPosition, record.EndPosition, err
	}
	return starts[0], record.EndPosition, nil
}
