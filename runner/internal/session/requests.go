package session

import (
	"encoding/json"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

func (s *Session) result(message wire.Message) (any, error) {
	switch message.Type {
	case protocol.Start:
		return decoded(message, func(r protocol.StartRequest) (any, error) {
			if err := r.Check(); err != nil {
				return nil, err
			}
			return s.backend.Start(&r)
		})
	case protocol.Status:
		return decoded(message, func(r protocol.ExecRequest) (any, error) {
			return checked(r.ExecID, func() (any, error) { return s.backend.Status(r.ExecID) })
		})
	case protocol.List:
		return decoded(message, s.list)
	case protocol.Commit:
		return decoded(message, func(r protocol.CommitRequest) (any, error) {
			return checked(r.ExecID, func() (any, error) { return struct{}{}, s.backend.Commit(r) })
		})
	case protocol.Cancel:
		return decoded(message, s.cancel)
	case protocol.Forget:
		return decoded(message, func(r protocol.ExecRequest) (any, error) {
			return checked(r.ExecID, func() (any, error) { return struct{}{}, s.backend.Forget(r.ExecID) })
		})
	}
	if s.protocol >= protocolWithInput {
		return s.inputResult(message)
	}
	return nil, unknownType(message)
}

// inputResult answers what protocol 2 has added.
func (s *Session) inputResult(message wire.Message) (any, error) {
	switch message.Type {
	case protocol.Stdin:
		// What can be decoded has been given its turn.
		_, err := protocol.DecodeStdin(message.Payload)
		return nil, err
	case protocol.Signal:
		return decoded(message, func(r protocol.SignalRequest) (any, error) {
			if err := r.Check(); err != nil {
				return nil, err
			}
			return checked(r.ExecID, func() (any, error) { return s.backend.Signal(r) })
		})
	case protocol.Resize:
		return decoded(message, func(r protocol.ResizeRequest) (any, error) {
			if err := r.Check(); err != nil {
				return nil, err
			}
			return checked(r.ExecID, func() (any, error) { return s.backend.Resize(r) })
		})
	}
	return nil, unknownType(message)
}

func unknownType(message wire.Message) error {
	return protocol.Errorf(protocol.CodeBadRequest, "unknown message type %d", message.Type)
}

func (s *Session) list(request protocol.ListRequest) (any, error) {
	if request.Limit == 0 {
		request.Limit = protocol.ListLimitDefault
	}
	if request.Limit < 1 || request.Limit > protocol.ListLimitMax {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "limit is out of bounds")
	}
	return s.backend.List(request)
}

func (s *Session) cancel(request protocol.CancelRequest) (any, error) {
	if request.GraceMs < 0 || request.GraceMs > protocol.GraceMsMax {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "graceMs is out of bounds")
	}
	return checked(request.ExecID, func() (any, error) { return s.backend.Cancel(request) })
}

func decoded[Request any](message wire.Message, answer func(Request) (any, error)) (any, error) {
	var request Request
	if err := json.Unmarshal(message.Payload, &request); err != nil {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "malformed payload: %v", err)
	}
	return answer(request)
}

func checked(execID string, answer func() (any, error)) (any, error) {
	if !protocol.ValidExecID(execID) {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "execId is not a UUID in lower case")
	}
	return answer()
}
