package supervisor

import (
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
)

func TestALaterOrderToEndTakesNoGraceBackAndMayShortenIt(t *testing.T) {
	s := &supervision{killed: map[int]bool{}}
	s.end(protocol.ReasonTimedOut, time.Hour)
	first := s.graceEndsAt
	s.end(protocol.ReasonCanceled, 2*time.Hour)
	if !s.graceEndsAt.Equal(first) {
		t.Fatalf("the kill was put off from %v to %v", first, s.graceEndsAt)
	}
	s.end(protocol.ReasonCanceled, time.Minute)
	if !s.graceEndsAt.Before(first) {
		t.Fatalf("the kill stayed at %v", s.graceEndsAt)
	}
	if s.end(protocol.ReasonCanceled, 0); s.killingSince.IsZero() || s.reason != protocol.ReasonTimedOut {
		t.Fatalf("killing since %v because of %q", s.killingSince, s.reason)
	}
}
