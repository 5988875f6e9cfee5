package sandbox

import (
	"encoding/json"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

const (
	// questionsMax bounds what waits at one exec, and with it what init holds of input that nobody reads.
	questionsMax = 4
	// questionLimit is more than all the requests that may wait take together.
	questionLimit = 14 * time.Second
)

// questions are what was asked of one supervisor and is not answered yet.
type questions struct {
	last    uint32
	waiting map[uint32]chan control.ReplyNotice
}

func (s *Sandbox) WriteStdin(execID string, payload []byte, handedOn func()) (any, error) {
	return s.ask(execID, control.Stdin, payload, handedOn)
}

func (s *Sandbox) Signal(request protocol.SignalRequest) (any, error) {
	return s.askJSON(request.ExecID, control.Signal, request)
}

func (s *Sandbox) Resize(request protocol.ResizeRequest) (any, error) {
	return s.askJSON(request.ExecID, control.Resize, request)
}

func (s *Sandbox) askJSON(execID string, kind wire.Type, request any) (any, error) {
	payload, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return s.ask(execID, kind, payload, func() {})
}

// ask hands a request on to the exec's supervisor and waits for its answer, or for the end of the exec.
func (s *Sandbox) ask(execID string, kind wire.Type, payload []byte, handedOn func()) (any, error) {
	e := s.find(execID)
	if e == nil {
		return nil, s.notRunning(execID)
	}
	<-e.decided
	supervisor := e.currentSupervisor()
	if supervisor == nil || !e.wasRunning() {
		return nil, s.notRunning(execID)
	}
	requestID, answer := e.enterQuestion()
	if answer == nil {
		return nil, protocol.Errorf(protocol.CodeResourceExhausted, "more than %d requests wait at this exec", questionsMax)
	}
	defer e.leaveQuestion(requestID)
	// One that does not read has ended or is about to, and then the exec is over; or it has stalled, and does not answer.
	_ = supervisor.conn.Write(kind, requestID, payload)
	handedOn()
	select {
	case notice := <-answer:
		return resultOf(notice)
	case <-e.over:
	case <-time.After(questionLimit):
		return nil, protocol.Errorf(protocol.CodeInternal, "the supervisor did not answer in time")
	}
	select {
	case notice := <-answer:
		return resultOf(notice)
	default:
		return nil, s.notRunning(execID)
	}
}

func resultOf(notice control.ReplyNotice) (any, error) {
	if notice.Refusal != nil {
		return nil, notice.Refusal
	}
	return notice.Result, nil
}

// notRunning says what there is instead.
func (s *Sandbox) notRunning(execID string) error {
	status, err := s.spooled(execID)
	switch {
	case err != nil:
		return err
	case status.State == protocol.StateUnknown:
		return protocol.Errorf(protocol.CodeUnknownExec, "this exec has not been started here")
	}
	return protocol.Errorf(protocol.CodeNotRunning, "the exec is %s", status.State)
}

// enterQuestion returns no channel if too many wait already.
func (e *exec) enterQuestion() (uint32, chan control.ReplyNotice) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if len(e.questions.waiting) >= questionsMax {
		return 0, nil
	}
	if e.questions.waiting == nil {
		e.questions.waiting = map[uint32]chan control.ReplyNotice{}
	}
	e.questions.last++
	answer := make(chan control.ReplyNotice, 1)
	e.questions.waiting[e.questions.last] = answer
	return e.questions.last, answer
}

func (e *exec) leaveQuestion(requestID uint32) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	delete(e.questions.waiting, requestID)
}

// takeReply wakes who has asked, unless that one has gone.
func (e *exec) takeReply(message wire.Message) {
	var notice control.ReplyNotice
	if json.Unmarshal(message.Payload, &notice) != nil {
		notice.Refusal = protocol.Errorf(protocol.CodeInternal, "the supervisor's answer cannot be read")
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if answer := e.questions.waiting[message.RequestID]; answer != nil {
		delete(e.questions.waiting, message.RequestID)
		answer <- notice
	}
}
