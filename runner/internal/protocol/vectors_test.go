package protocol

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"berth.dev/runner/internal/wire"
)

type messageVector struct {
	Name       string          `json:"name"`
	From       string          `json:"from"`
	Kind       string          `json:"kind"`
	Type       wire.Type       `json:"type"`
	RequestID  uint32          `json:"requestId"`
	JSON       json.RawMessage `json:"json"`
	PayloadHex string          `json:"payloadHex"`
	BytesHex   string          `json:"bytesHex"`
	Stdin      *struct {
		ExecID   string  `json:"execId"`
		Offset   uint64  `json:"offset"`
		EOF      bool    `json:"eof"`
		Writer   *string `json:"writer"`
		Take     bool    `json:"take"`
		BytesHex string  `json:"bytesHex"`
	} `json:"stdin"`
}

type channelVectors struct {
	Messages          []messageVector `json:"messages"`
	MalformedMessages []messageVector `json:"malformedMessages"`
	MalformedStdin    []messageVector `json:"malformedStdin"`
}

// kinds are the Go type behind each JSON payload, by who sends it and what it is about.
var kinds = map[string]func() any{
	"host hello":     func() any { return &HelloRequest{} },
	"host start":     func() any { return &StartRequest{} },
	"host commit":    func() any { return &CommitRequest{} },
	"host cancel":    func() any { return &CancelRequest{} },
	"host signal":    func() any { return &SignalRequest{} },
	"host resize":    func() any { return &ResizeRequest{} },
	"runner helloOk": func() any { return &HelloResult{} },
	"runner start":   func() any { return &StartResult{} },
	"runner stdin":   func() any { return &StdinResult{} },
	"runner signal":  func() any { return &SignalResult{} },
	"runner resize":  func() any { return &ResizeResult{} },
	"runner error":   func() any { return &Error{} },
	"runner end":     func() any { return &EndNotice{} },
	"runner lost":    func() any { return &LostNotice{} },
}

func vectors(t testing.TB) channelVectors {
	t.Helper()
	text, err := os.ReadFile("../../../test/vectors/channel.json")
	if err != nil {
		t.Fatal(err)
	}
	var file channelVectors
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestTheSharedMessagesDecodeAndEncode(t *testing.T) {
	for _, vector := range vectors(t).Messages {
		t.Run(vector.Name, func(t *testing.T) {
			want := unhex(t, vector.BytesHex)
			message, err := wire.NewReader(bytes.NewReader(want), wire.LengthMax).Read()
			if err != nil || message.Type != vector.Type || message.RequestID != vector.RequestID {
				t.Fatalf("%+v %v", message, err)
			}
			payload := unhex(t, vector.PayloadHex)
			if vector.JSON != nil {
				payload = throughGo(t, vector, message.Payload)
			} else if vector.Stdin != nil {
				payload = throughStdin(t, vector, message.Payload)
			}
			var again bytes.Buffer
			if err := wire.NewWriter(&again, time.Second).Write(message.Type, message.RequestID, payload); err != nil {
				t.Fatal(err)
			}
			// Equal JSON need not be equal bytes: its members may stand in another order.
			if vector.JSON == nil && !bytes.Equal(again.Bytes(), want) {
				t.Fatalf("got %x", again.Bytes())
			}
		})
	}
}

// throughGo decodes the payload into its type, which must know every member, and encodes it again.
func throughGo(t *testing.T, vector messageVector, payload []byte) []byte {
	t.Helper()
	make, known := kinds[vector.From+" "+vector.Kind]
	if !known {
		t.Fatalf("no type for %s %s", vector.From, vector.Kind)
	}
	value := make()
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		t.Fatal(err)
	}
	if notice, is := value.(*EndNotice); is && !notice.ExitRecord.WellFormed() {
		t.Fatalf("%+v is not well-formed", notice.ExitRecord)
	}
	if checked, is := value.(interface{ Check() error }); is {
		if err := checked.Check(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(anyOf(t, again), anyOf(t, vector.JSON)) {
		t.Fatalf("want %s, got %s", vector.JSON, again)
	}
	return again
}

func throughStdin(t *testing.T, vector messageVector, payload []byte) []byte {
	t.Helper()
	got, err := DecodeStdin(payload)
	if err != nil {
		t.Fatal(err)
	}
	want := StdinRequest{
		ExecID: vector.Stdin.ExecID, Offset: vector.Stdin.Offset, EOF: vector.Stdin.EOF, Take: vector.Stdin.Take,
		Bytes: unhex(t, vector.Stdin.BytesHex),
	}
	if vector.Stdin.Writer != nil {
		want.Writer = *vector.Stdin.Writer
	}
	if !reflect.DeepEqual(*got, want) {
		t.Fatalf("want %+v, got %+v", want, *got)
	}
	return got.Encode()
}

func anyOf(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWhatIsMalformedIsRefused(t *testing.T) {
	file := vectors(t)
	for _, vector := range file.MalformedMessages {
		_, err := wire.NewReader(bytes.NewReader(unhex(t, vector.BytesHex)), wire.LengthMax).Read()
		if !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("%s: %v", vector.Name, err)
		}
	}
	for _, vector := range file.MalformedStdin {
		var refusal *Error
		if request, err := DecodeStdin(unhex(t, vector.PayloadHex)); !errors.As(err, &refusal) || refusal.Code != CodeBadRequest {
			t.Errorf("%s: %+v %v", vector.Name, request, err)
		}
	}
}

func FuzzDecodeStdin(f *testing.F) {
	file := vectors(f)
	for _, vector := range file.Messages {
		if vector.Stdin != nil {
			f.Add(unhex(f, vector.PayloadHex))
		}
	}
	for _, vector := range file.MalformedStdin {
		f.Add(unhex(f, vector.PayloadHex))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		request, err := DecodeStdin(payload)
		if err != nil {
			return
		}
		if len(request.Bytes) > StdinBytesMax || len(request.Writer) > WriterBytesMax || !ValidExecID(request.ExecID) {
			t.Fatalf("%+v is out of bounds", request)
		}
		again, err := DecodeStdin(request.Encode())
		if err != nil || !reflect.DeepEqual(again, request) {
			t.Fatalf("want %+v, got %+v %v", request, again, err)
		}
	})
}

func FuzzStartRequest(f *testing.F) {
	for _, vector := range vectors(f).Messages {
		if vector.From == "host" && vector.Kind == "start" {
			f.Add([]byte(vector.JSON))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var request StartRequest
		if json.Unmarshal(text, &request) != nil || request.Check() != nil {
			return
		}
		// What is let through becomes a path and arguments of execve.
		if !ValidExecID(request.ExecID) || len(request.Argv) == 0 || request.Argv[0] == "" {
			t.Fatalf("%+v was let through", request)
		}
		for _, argument := range request.Argv {
			if bytes.IndexByte([]byte(argument), 0) >= 0 {
				t.Fatalf("%q was let through", argument)
			}
		}
	})
}
