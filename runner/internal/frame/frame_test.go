package frame

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

type vector struct {
	Name        string `json:"name"`
	BytesHex    string `json:"bytesHex"`
	MalformedAt *int   `json:"malformedAt"`
	Consumed    int    `json:"consumed"`
	Frames      []struct {
		Stream     string `json:"stream"`
		Flags      uint16 `json:"flags"`
		Offset     uint64 `json:"offset"`
		TimeMicros uint64 `json:"timeMicros"`
		PayloadHex string `json:"payloadHex"`
	} `json:"frames"`
}

var streamNames = map[Stream]string{Stdout: "stdout", Stderr: "stderr", Terminal: "terminal"}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("../../../test/vectors/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func TestTheSharedVectorsDecodeAndEncode(t *testing.T) {
	for _, vector := range vectors(t) {
		t.Run(vector.Name, func(t *testing.T) {
			bytes, _ := hex.DecodeString(vector.BytesHex)
			consumed, err := WholeBytes(bytes)
			if vector.MalformedAt != nil {
				if !errors.Is(err, ErrMalformed) || consumed != *vector.MalformedAt {
					t.Fatalf("want malformed at %d, got %v at %d", *vector.MalformedAt, err, consumed)
				}
				return
			}
			if err != nil || consumed != vector.Consumed {
				t.Fatalf("want %d consumed, got %d, %v", vector.Consumed, consumed, err)
			}
			at := 0
			for _, want := range vector.Frames {
				header, err := Parse(bytes[at:])
				if err != nil {
					t.Fatal(err)
				}
				payload := hex.EncodeToString(bytes[at+HeaderBytes : at+header.Bytes()])
				if streamNames[header.Stream] != want.Stream || header.Flags != want.Flags || payload != want.PayloadHex ||
					header.Offset != want.Offset || header.TimeMicros != want.TimeMicros {
					t.Fatalf("want %+v, got %+v %s", want, header, payload)
				}
				var again [HeaderBytes]byte
				header.Put(again[:])
				if string(again[:]) != string(bytes[at:at+HeaderBytes]) {
					t.Fatal("the header does not encode to the same bytes")
				}
				at += header.Bytes()
			}
		})
	}
}

func FuzzWholeBytes(f *testing.F) {
	for _, vector := range vectors(f) {
		bytes, _ := hex.DecodeString(vector.BytesHex)
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		whole, _ := WholeBytes(bytes)
		if whole < 0 || whole > len(bytes) {
			t.Fatalf("%d of %d bytes", whole, len(bytes))
		}
		if again, err := WholeBytes(bytes[:whole]); err != nil || again != whole {
			t.Fatalf("a prefix of whole frames decodes to %d of %d, %v", again, whole, err)
		}
	})
}
