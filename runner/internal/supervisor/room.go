package supervisor

import (
	"time"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
)

// retryInterval is how often a full disk is tried again.
const retryInterval = 250 * time.Millisecond

// awaitRoom waits until a whole frame of payloadBytes fits below the uncommitted limit.
func (s *spooler) awaitRoom(payloadBytes int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	need := uint64(frame.HeaderBytes + payloadBytes)
	if s.hasRoom(need) {
		return
	}
	s.hold(protocol.BlockUncommittedLimit)
	defer s.release(protocol.BlockUncommittedLimit)
	for !s.hasRoom(need) {
		s.changed.Wait()
	}
}

func (s *spooler) hasRoom(bytes uint64) bool {
	return s.lifted || s.writer.Uncommitted()+bytes <= s.uncommittedMax
}

// write is false if the disk stayed full until there was no time left.
func (s *spooler) write(bytes []byte) bool {
	if s.writer.Append(bytes) == nil {
		return true
	}
	s.hold(protocol.BlockDiskFull)
	defer s.release(protocol.BlockDiskFull)
	for s.awaitDisk() {
		if s.writer.Append(bytes) == nil {
			return true
		}
	}
	return false
}

// awaitDisk waits before the next try and says whether there is to be one.
func (s *spooler) awaitDisk() bool {
	if s.lifted {
		freed := s.spool.FreeReserve()
		if !freed && time.Now().After(s.giveUpAt) {
			return false
		}
		if freed {
			return true
		}
	}
	timer := time.AfterFunc(retryInterval, s.changed.Broadcast)
	s.changed.Wait()
	timer.Stop()
	return true
}

func (s *spooler) hold(reason protocol.Block) {
	s.held[reason]++
	wake(s.progress)
}

func (s *spooler) release(reason protocol.Block) {
	s.held[reason]--
	if s.blocked() == protocol.BlockNone {
		// The command could not write while it was held back, so that time is not idle time.
		s.lastOutput = time.Now()
	}
	wake(s.progress)
}

// blocked is why the command is held back: either pump can be, and the disk is the lack that no commit mends.
func (s *spooler) blocked() protocol.Block {
	for _, reason := range []protocol.Block{protocol.BlockDiskFull, protocol.BlockUncommittedLimit} {
		if s.held[reason] > 0 {
			return reason
		}
	}
	return protocol.BlockNone
}

// idleFor is how long the command could have written and has not.
func (s *spooler) idleFor() time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.blocked() != protocol.BlockNone {
		return 0
	}
	return time.Since(s.lastOutput)
}
