package sandbox

import (
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/session"
)

func (s *Sandbox) Status(execID string) (protocol.ExecStatus, error) {
	// Without a supervisor it is only being looked up, and the spool knows all there is to know.
	if e := s.find(execID); e != nil && e.currentSupervisor() != nil {
		return e.status(), nil
	}
	return s.spooled(execID)
}

func (s *Sandbox) spooled(execID string) (protocol.ExecStatus, error) {
	return s.spool.Status(execID, s.bootID)
}

func (s *Sandbox) List(request protocol.ListRequest) (protocol.ListResult, error) {
	return s.spool.List(request, s.Status)
}

func (s *Sandbox) Feed(execID string) (session.Feed, error) {
	if e := s.find(execID); e != nil {
		<-e.decided
		if e.currentSupervisor() != nil && e.View().Failed == nil {
			return e, nil
		}
	}
	return session.SpooledFeed(s.spool, execID, s.bootID)
}
