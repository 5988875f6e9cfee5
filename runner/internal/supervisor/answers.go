package supervisor

import (
	"encoding/json"
	"fmt"
	"syscall"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

// answer deals with what a host asks of a running command. Input is applied aside, because the command may not read.
func (s *supervision) answer(message wire.Message) {
	result, err := s.result(message)
	if result != nil || err != nil {
		// Aside, because the limits of the command hold also while init does not hear.
		s.replying.Go(func() { s.reply(message.RequestID, result, err) })
	}
}

// result is nil without an error if the answer comes later.
func (s *supervision) result(message wire.Message) (any, error) {
	if s.finished {
		return nil, protocol.Errorf(protocol.CodeNotRunning, "the exec has ended")
	}
	switch message.Type {
	case control.Stdin:
		return nil, s.takeInput(message)
	case control.Signal:
		var request protocol.SignalRequest
		if err := json.Unmarshal(message.Payload, &request); err != nil {
			return nil, err
		}
		return s.signal(request)
	default:
		var request protocol.ResizeRequest
		if err := json.Unmarshal(message.Payload, &request); err != nil {
			return nil, err
		}
		return s.resize(request)
	}
}

func (s *supervision) takeInput(message wire.Message) error {
	request, err := protocol.DecodeStdin(message.Payload)
	if err != nil {
		return err
	}
	if s.input == nil || !s.request.InputOpen() {
		return protocol.Errorf(protocol.CodeInputNotOpen, "the standard input of this exec is not open")
	}
	select {
	case s.input.orders <- inputOrder{requestID: message.RequestID, request: request}:
		return nil
	default:
		return protocol.Errorf(protocol.CodeResourceExhausted, "more than %d requests wait to be applied", stdinOrdersMax)
	}
}

func (s *supervision) replyInput(requestID uint32, result protocol.StdinResult) {
	s.reply(requestID, result, nil)
}

// signal speaks to whom the keys of a terminal speak, or to the process group that the command began with.
func (s *supervision) signal(request protocol.SignalRequest) (any, error) {
	signal, known := protocol.Sendable(request.Signal)
	if !known {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "signal is none that can be sent")
	}
	s.reap()
	if s.mainExited {
		return nil, protocol.Errorf(protocol.CodeNotRunning, "the command has ended")
	}
	group := s.main
	if s.terminal != nil {
		if foreground, err := s.terminal.ForegroundGroup(); err == nil && foreground > 1 {
			group = foreground
		}
	}
	switch err := syscall.Kill(-group, signal); err {
	case nil:
		s.killAsked = s.killAsked || signal == syscall.SIGKILL
		return protocol.SignalResult{ProcessGroup: group}, nil
	case syscall.ESRCH:
		return protocol.SignalResult{}, nil
	default:
		return nil, fmt.Errorf("send %s: %w", request.Signal, err)
	}
}

func (s *supervision) resize(request protocol.ResizeRequest) (any, error) {
	if s.terminal == nil {
		return nil, protocol.Errorf(protocol.CodeInputNotOpen, "this exec has no terminal")
	}
	if !s.input.isWriter(request.Writer) {
		return protocol.ResizeResult{State: protocol.ResizeTaken}, nil
	}
	if err := s.terminal.Resize(request.TerminalSize); err != nil {
		return nil, fmt.Errorf("resize: %w", err)
	}
	return protocol.ResizeResult{State: protocol.Resized}, nil
}

func (s *supervision) reply(requestID uint32, result any, err error) {
	notice := control.ReplyNotice{}
	if err == nil {
		notice.Result, err = json.Marshal(result)
	}
	if err != nil {
		notice = control.ReplyNotice{Refusal: protocol.AsError(err)}
	}
	// If init has died the listener finds out, and the command is ended.
	_ = s.conn.WriteJSON(control.Reply, requestID, notice)
}
