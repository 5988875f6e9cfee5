// Package control is what init and the supervisor of one exec say to each other over a socket pair. Its end means that
// the other side has died.
package control

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"syscall"
	"time"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

const (
	// Descriptor is where a supervisor finds its end of the socket pair.
	Descriptor = 3
	// LengthMax is more than the channel's, because init adds the container's environment.
	LengthMax = 4 << 20
	// stallLimit is how long init waits for a supervisor that does not read, because its disk hangs or it is stopped.
	stallLimit = 30 * time.Second
)

// noLimit: init always reads unless it is stopped with all that it would have to be told. So a supervisor waits for it, and
// does so aside from everything that it enforces.
const noLimit time.Duration = 0

// From init.
const (
	Start  wire.Type = 1
	Commit wire.Type = 2
	Cancel wire.Type = 3
	Stop   wire.Type = 4
	// Answered by Reply under the same request id. Their payloads are those of the channel.
	Stdin  wire.Type = 5
	Signal wire.Type = 6
	Resize wire.Type = 7
)

// From the supervisor. Ready comes first: from then on only a lack that it can tell of keeps it from starting a command.
// One of Started, Refused and Ended answers Start; after Started comes Ended.
const (
	Ready    wire.Type = 0x80
	Started  wire.Type = 0x81
	Refused  wire.Type = 0x82
	Progress wire.Type = 0x83
	Ended    wire.Type = 0x84
	Reply    wire.Type = 0x85
)

type StartOrder struct {
	Request     protocol.StartRequest `json:"request"`
	SpoolRoot   string                `json:"spoolRoot"`
	Workspace   string                `json:"workspace"`
	DefaultUser string                `json:"defaultUser"`
	Env         []string              `json:"env"`
}

type StartedNotice struct {
	PID       int    `json:"pid"`
	StartedAt string `json:"startedAt"`
}

type CancelOrder struct {
	GraceMs int64 `json:"graceMs"`
	// Stops: because of the sandbox, which goes on until all of its execs have ended.
	Stops bool `json:"stops,omitempty"`
}

func (o CancelOrder) Reason() protocol.Reason {
	if o.Stops {
		return protocol.ReasonSandboxStopped
	}
	return protocol.ReasonCanceled
}

// EndedNotice carries no record if it could not be written: then nothing is known about the end.
type EndedNotice struct {
	Record *protocol.ExitRecord `json:"record"`
}

// ReplyNotice is either.
type ReplyNotice struct {
	Result  json.RawMessage `json:"result,omitempty"`
	Refusal *protocol.Error `json:"refusal,omitempty"`
}

// ProgressNotice is sent often, so it is binary.
type ProgressNotice struct {
	First, End uint64
	Blocked    protocol.Block
}

var blockNumbers = []protocol.Block{protocol.BlockNone, protocol.BlockUncommittedLimit, protocol.BlockDiskFull}

const progressBytes = 17

func (p ProgressNotice) Encode() []byte {
	bytes := make([]byte, progressBytes)
	binary.BigEndian.PutUint64(bytes, p.First)
	binary.BigEndian.PutUint64(bytes[8:], p.End)
	for number, block := range blockNumbers {
		if block == p.Blocked {
			bytes[16] = byte(number)
		}
	}
	return bytes
}

func DecodeProgress(bytes []byte) (ProgressNotice, bool) {
	if len(bytes) != progressBytes || int(bytes[16]) >= len(blockNumbers) {
		return ProgressNotice{}, false
	}
	return ProgressNotice{
		First:   binary.BigEndian.Uint64(bytes),
		End:     binary.BigEndian.Uint64(bytes[8:]),
		Blocked: blockNumbers[bytes[16]],
	}, true
}

func EncodePosition(position uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, position)
}

func DecodePosition(bytes []byte) (uint64, bool) {
	if len(bytes) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(bytes), true
}

// Conn is one end of the socket pair.
type Conn struct {
	*wire.Reader
	*wire.Writer
	File interface{ Close() error }
}

// Own opens the supervisor's end and keeps it from the command that is to be started.
func Own() (*Conn, error) {
	syscall.CloseOnExec(Descriptor)
	if err := syscall.SetNonblock(Descriptor, true); err != nil {
		return nil, err
	}
	file := os.NewFile(Descriptor, "control")
	return newConn(file, wire.NewWriter(file, noLimit)), nil
}

// NewConn opens init's end on a non-blocking descriptor. A supervisor that has not read for a while hears the next order again.
func NewConn(file *os.File) *Conn { return newConn(file, wire.NewResumingWriter(file, stallLimit)) }

func newConn(file *os.File, writer *wire.Writer) *Conn {
	return &Conn{Reader: wire.NewReader(file, LengthMax), Writer: writer, File: file}
}
