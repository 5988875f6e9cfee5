package supervisor

import (
	"testing"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

const testID = "01234567-89ab-4cde-8f01-23456789abcd"

func TestACommandIsHeldBackAsLongAsEitherOfItsStreamsIs(t *testing.T) {
	at, err := spool.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := at.Claim(spool.Claim{ExecID: testID, Transient: true}); err != nil {
		t.Fatal(err)
	}
	s := newSpooler(at, &protocol.StartRequest{ExecID: testID, UncommittedBytesMax: protocol.UncommittedBytesMin, Transient: true})
	s.append(frame.Stdout, make([]byte, frame.HeaderBytes+1))
	passed := make(chan struct{})
	go func() {
		// A frame that fits only where nothing waits for a commit.
		s.awaitRoom(protocol.UncommittedBytesMin - frame.HeaderBytes)
		close(passed)
	}()
	for blocked := protocol.BlockNone; blocked == protocol.BlockNone; {
		<-s.progress
		_, _, blocked = s.position()
	}
	s.awaitRoom(1)
	s.append(frame.Stderr, make([]byte, frame.HeaderBytes+1))
	if _, _, blocked := s.position(); blocked != protocol.BlockUncommittedLimit || s.idleFor() != 0 {
		t.Fatalf("blocked %q, idle for %v", blocked, s.idleFor())
	}
	_, end, _ := s.position()
	s.commit(end)
	<-passed
	if _, _, blocked := s.position(); blocked != protocol.BlockNone {
		t.Fatalf("blocked %q after the commit", blocked)
	}
}
