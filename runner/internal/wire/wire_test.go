package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestMessagesComeBackAsTheyWereSent(t *testing.T) {
	var stream bytes.Buffer
	writer := NewWriter(&stream, time.Second)
	if err := writer.Write(0x92, 7, []byte("ab"), nil, []byte("c")); err != nil {
		t.Fatal(err)
	}
	if err := writer.WriteJSON(0x90, 8, map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	reader := NewReader(&stream, LengthMax)
	first, err := reader.Read()
	if err != nil || first.Type != 0x92 || first.RequestID != 7 || string(first.Payload) != "abc" {
		t.Fatalf("%+v %v", first, err)
	}
	second, err := reader.Read()
	if err != nil || string(second.Payload) != `{"n":1}` {
		t.Fatalf("%+v %v", second, err)
	}
	if _, err := reader.Read(); err != io.EOF {
		t.Fatalf("want EOF, got %v", err)
	}
}

func TestALengthOfFourGigabytesIsRefusedBeforeItIsAllocated(t *testing.T) {
	for _, length := range [][]byte{{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 4}, {0, 0x10, 0, 1}} {
		_, err := NewReader(bytes.NewReader(append(length, 1, 0, 0, 0, 1)), LengthMax).Read()
		if !errors.Is(err, ErrProtocol) {
			t.Fatalf("%v: %v", length, err)
		}
	}
}

func TestAMessageThatIsCutOffIsNotAnOrderlyEnd(t *testing.T) {
	_, err := NewReader(bytes.NewReader([]byte{0, 0, 0, 9, 1, 0, 0, 0, 1, 'x'}), LengthMax).Read()
	if err != io.ErrUnexpectedEOF {
		t.Fatalf("want ErrUnexpectedEOF, got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 5, 2, 0, 0, 0, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1, 9, 9})
	f.Add([]byte{0, 0, 0, 7, 1, 0, 0, 0, 1, '{', '}', 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		reader := NewReader(bytes.NewReader(stream), LengthMax)
		for taken := 0; ; {
			message, err := reader.Read()
			if err != nil {
				return
			}
			if taken += headerBytes + len(message.Payload); taken > len(stream) {
				t.Fatal("read more than there was")
			}
		}
	})
}

// Not how long a write may take, but when a test has hung.
const hangLimit = 60 * time.Second

// unread is a pipe that nobody reads yet.
func unread(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	far, near, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// stall writes numbered messages until one makes no way, and returns that one's number.
func stall(t *testing.T, writer *Writer) uint32 {
	t.Helper()
	for number := uint32(1); ; number++ {
		if err := writer.Write(1, number, bytes.Repeat([]byte{byte(number)}, 50_000)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return number
		}
	}
}

func TestAfterAStallAResumingWriterGoesOnWhereItWasCutOff(t *testing.T) {
	near, far := unread(t)
	writer := NewResumingWriter(near, 50*time.Millisecond)
	last := stall(t, writer)
	received := make(chan Message, 2*last)
	go func() {
		defer close(received)
		for reader := NewReader(far, LengthMax); ; {
			message, err := reader.Read()
			if err != nil {
				return
			}
			received <- message
		}
	}()
	err := os.ErrDeadlineExceeded
	for giveUpAt := time.Now().Add(hangLimit); errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(giveUpAt); {
		err = writer.Write(2, last)
	}
	if err = errors.Join(err, near.Close()); err != nil {
		t.Fatal(err)
	}
	next, ended := uint32(1), false
	for message := range received {
		if ended = message.Type == 2 && message.RequestID == last && len(message.Payload) == 0; ended {
			break
		}
		if message.RequestID != next || !bytes.Equal(message.Payload, bytes.Repeat([]byte{byte(next)}, 50_000)) {
			t.Fatalf("message %d of %d bytes in the place of %d", message.RequestID, len(message.Payload), next)
		}
		next++
	}
	if next < last || !ended {
		t.Fatalf("%d of the %d messages before the stall have come, and the one after it: %t", next-1, last-1, ended)
	}
}

func TestAfterAStallAnyOtherWriterSaysNothingMore(t *testing.T) {
	near, far := unread(t)
	writer := NewWriter(near, 50*time.Millisecond)
	stall(t, writer)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	if err := writer.Write(2, 0); err == nil {
		t.Fatal("it went on after a message that was cut off")
	}
}
