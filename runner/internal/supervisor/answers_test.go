package supervisor

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/wire"
)

// Not how long an answer may take, but when a test has hung.
const hangLimit = 60 * time.Second

// deafInit is the other end of a connection that takes nothing more, and how many bytes are in it.
func deafInit(t *testing.T) (conn *control.Conn, init *os.File, unread int64) {
	t.Helper()
	init, near, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), init.Close() })
	for err == nil {
		var sent int
		if err = near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err == nil {
			sent, err = near.Write(make([]byte, 4<<10))
		}
		unread += int64(sent)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if err := near.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return &control.Conn{Reader: wire.NewReader(near, control.LengthMax), Writer: wire.NewWriter(near, 0), File: near}, init, unread
}

func TestAnAnswerThatInitDoesNotHearHoldsNothingUpAndComesWhenItHearsAgain(t *testing.T) {
	conn, init, unread := deafInit(t)
	s := &supervision{conn: conn, finished: true}
	answered := make(chan struct{})
	go func() {
		s.answer(wire.Message{Type: control.Signal, RequestID: 7})
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(hangLimit):
		t.Fatal("the supervision waits for init")
	}
	if _, err := io.CopyN(io.Discard, init, unread); err != nil {
		t.Fatal(err)
	}
	if message, err := wire.NewReader(init, control.LengthMax).Read(); err != nil || message.Type != control.Reply || message.RequestID != 7 {
		t.Fatalf("%+v %v", message, err)
	}
}
