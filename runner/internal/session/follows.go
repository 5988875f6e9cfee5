package session

import (
	"encoding/json"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

func (s *Session) addFollow(f *follow) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed || len(s.follows) >= followsMax {
		return false
	}
	s.follows[f.requestID] = f
	return true
}

func (s *Session) removeFollow(requestID uint32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.follows, requestID)
}

func (s *Session) findFollow(requestID uint32) *follow {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.follows[requestID]
}

// widen adds to the credit of a follow. One that has just ended is passed over.
func (s *Session) widen(message wire.Message) error {
	var request protocol.WindowRequest
	if json.Unmarshal(message.Payload, &request) != nil || request.Bytes < 1 || request.Bytes > protocol.WindowBytesMax {
		return wire.ErrProtocol
	}
	f := s.findFollow(message.RequestID)
	if f == nil {
		return nil
	}
	if f.addCredit(request.Bytes) > protocol.WindowBytesMax {
		return wire.ErrProtocol
	}
	select {
	case f.widened <- struct{}{}:
	default:
	}
	return nil
}

func (s *Session) stopFollow(requestID uint32) {
	if f := s.findFollow(requestID); f != nil {
		f.stop.Do(func() { close(f.stopped) })
	}
}

func (s *Session) stopFollows() {
	s.mutex.Lock()
	s.closed = true
	ids := make([]uint32, 0, len(s.follows))
	for id := range s.follows {
		ids = append(ids, id)
	}
	s.mutex.Unlock()
	for _, id := range ids {
		s.stopFollow(id)
	}
}
