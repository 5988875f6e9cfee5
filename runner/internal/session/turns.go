package session

import (
	"sync"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

// turns keeps the inputs of each exec in the order in which they came on the channel, although many of them may wait for their
// answer at once.
type turns struct {
	mutex sync.Mutex
	last  map[string]chan struct{}
}

// take returns what waits for the turns before this one, and what ends it.
func (t *turns) take(execID string) (wait func(), end func()) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.last == nil {
		t.last = map[string]chan struct{}{}
	}
	before, mine := t.last[execID], make(chan struct{})
	t.last[execID] = mine
	wait = func() {
		if before != nil {
			<-before
		}
	}
	return wait, sync.OnceFunc(func() {
		t.mutex.Lock()
		defer t.mutex.Unlock()
		if t.last[execID] == mine {
			delete(t.last, execID)
		}
		close(mine)
	})
}

// inTurn is called in the order of the messages; what it returns may run beside them.
func (s *Session) inTurn(message wire.Message) func(wire.Message) (any, error) {
	request, err := protocol.DecodeStdin(message.Payload)
	if err != nil || s.protocol < protocolWithInput {
		return s.result
	}
	wait, end := s.inputs.take(request.ExecID)
	return func(message wire.Message) (any, error) {
		defer end()
		wait()
		return s.backend.WriteStdin(request.ExecID, message.Payload, end)
	}
}
