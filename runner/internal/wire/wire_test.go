package wire

import (
	"bytes"
	"errors"
	"io"
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
