package protocol

import (
	"bytes"
	"encoding/binary"
	"syscall"
)

// StdinKind says where a command's standard input comes from.
type StdinKind string

const (
	StdinNone   StdinKind = "none"
	StdinInline StdinKind = "inline"
	StdinOpen   StdinKind = "open"
)

const (
	// StdinBytesMax bounds one STDIN message, StdinInlineBytesMax what a START may carry.
	StdinBytesMax       = 128 << 10
	StdinInlineBytesMax = 640 << 10
	WriterBytesMax      = 64
	TerminalSizeMax     = 1_000
)

type StdinSource struct {
	Kind StdinKind `json:"kind"`
	// Bytes are in base64 on the wire.
	Bytes []byte `json:"base64,omitempty"`
}

type TerminalSize struct {
	Columns uint16 `json:"columns"`
	Rows    uint16 `json:"rows"`
}

func (s TerminalSize) valid() bool {
	return s.Columns >= 1 && s.Columns <= TerminalSizeMax && s.Rows >= 1 && s.Rows <= TerminalSizeMax
}

// InputOpen says whether STDIN may bring the command something.
func (r *StartRequest) InputOpen() bool {
	return r.TTY != nil || (r.Stdin != nil && r.Stdin.Kind == StdinOpen)
}

func (r *StartRequest) checkInput() error {
	if r.TTY != nil && !r.TTY.valid() {
		return Errorf(CodeBadRequest, "a terminal has 1 to %d columns and rows", TerminalSizeMax)
	}
	if r.Stdin == nil {
		return nil
	}
	switch {
	case r.Stdin.Kind != StdinNone && r.Stdin.Kind != StdinInline && r.Stdin.Kind != StdinOpen:
		return Errorf(CodeBadRequest, "stdin is of no known kind")
	case r.Stdin.Kind != StdinInline && len(r.Stdin.Bytes) > 0:
		return Errorf(CodeBadRequest, "only inline stdin has bytes")
	case len(r.Stdin.Bytes) > StdinInlineBytesMax:
		return Errorf(CodeBadRequest, "inline stdin has more than %d bytes", StdinInlineBytesMax)
	case r.Stdin.Kind == StdinInline && r.TTY != nil:
		return Errorf(CodeBadRequest, "a terminal takes no inline stdin")
	}
	return nil
}

// StdinRequest is the one binary request, because it is the one that may be large.
type StdinRequest struct {
	ExecID string
	// Offset is that of the first byte in the whole input.
	Offset uint64
	EOF    bool
	// Writer names who writes, if that matters to anybody; Take makes it the only one who may.
	Writer string
	Take   bool
	Bytes  []byte
}

const (
	stdinFlagEOF  = 1
	stdinFlagTake = 2
	// stdinHeaderBytes are the exec id, the flags, the offset and the length of the writer's name.
	stdinHeaderBytes = execIDBytes + 1 + 8 + 1
)

func (r *StdinRequest) Encode() []byte {
	var text bytes.Buffer
	text.WriteString(r.ExecID)
	var flags byte
	if r.EOF {
		flags |= stdinFlagEOF
	}
	if r.Take {
		flags |= stdinFlagTake
	}
	text.WriteByte(flags)
	text.Write(binary.BigEndian.AppendUint64(nil, r.Offset))
	text.WriteByte(byte(len(r.Writer)))
	text.WriteString(r.Writer)
	text.Write(r.Bytes)
	return text.Bytes()
}

// DecodeStdin returns a view into payload.
func DecodeStdin(payload []byte) (*StdinRequest, error) {
	if len(payload) < stdinHeaderBytes {
		return nil, Errorf(CodeBadRequest, "a STDIN is shorter than its header")
	}
	flags := payload[execIDBytes]
	request := &StdinRequest{
		ExecID: string(payload[:execIDBytes]),
		Offset: binary.BigEndian.Uint64(payload[execIDBytes+1:]),
		EOF:    flags&stdinFlagEOF != 0,
		Take:   flags&stdinFlagTake != 0,
	}
	writerBytes := int(payload[stdinHeaderBytes-1])
	rest := payload[stdinHeaderBytes:]
	switch {
	case !ValidExecID(request.ExecID):
		return nil, Errorf(CodeBadRequest, "execId is not a UUID in lower case")
	case writerBytes > WriterBytesMax || writerBytes > len(rest):
		return nil, Errorf(CodeBadRequest, "the writer's name is too long")
	case request.Offset > SafeIntegerMax-StdinBytesMax:
		return nil, Errorf(CodeBadRequest, "the offset is out of bounds")
	case len(rest)-writerBytes > StdinBytesMax:
		return nil, Errorf(CodeBadRequest, "a STDIN carries at most %d bytes", StdinBytesMax)
	case request.Take && writerBytes == 0:
		return nil, Errorf(CodeBadRequest, "nobody cannot take the input")
	}
	request.Writer, request.Bytes = string(rest[:writerBytes]), rest[writerBytes:]
	return request, nil
}

type StdinState string

const (
	// StdinApplied: everything up to the end of the request has been handed to the command.
	StdinApplied StdinState = "applied"
	// StdinGap: the request does not continue the input at appliedTo.
	StdinGap StdinState = "gap"
	// StdinFull: the command has not read on in time; what is missing may be sent again.
	StdinFull StdinState = "full"
	// StdinClosed: nothing more reaches the command, because it or an earlier request has closed its input.
	StdinClosed StdinState = "closed"
	// StdinTaken: somebody else is the writer.
	StdinTaken StdinState = "taken"
)

type StdinResult struct {
	State     StdinState `json:"state"`
	AppliedTo uint64     `json:"appliedTo"`
	EOF       bool       `json:"eof"`
}

type SignalRequest struct {
	ExecID string `json:"execId"`
	Signal string `json:"signal"`
}

// SignalResult: it was sent to every process of the group, which is 0 if there was none.
type SignalResult struct {
	ProcessGroup int `json:"processGroup"`
}

type ResizeRequest struct {
	ExecID string `json:"execId"`
	TerminalSize
	Writer string `json:"writer,omitempty"`
}

type ResizeResult struct {
	State ResizeState `json:"state"`
}

type ResizeState string

const (
	Resized     ResizeState = "resized"
	ResizeTaken ResizeState = "taken"
)

var sendable = map[string]syscall.Signal{
	"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT, "SIGKILL": syscall.SIGKILL,
	"SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2, "SIGPIPE": syscall.SIGPIPE, "SIGALRM": syscall.SIGALRM,
	"SIGTERM": syscall.SIGTERM, "SIGCONT": syscall.SIGCONT, "SIGSTOP": syscall.SIGSTOP, "SIGTSTP": syscall.SIGTSTP,
	"SIGWINCH": syscall.SIGWINCH,
}

// Sendable finds the signal that a host may ask for.
func Sendable(name string) (syscall.Signal, bool) {
	signal, known := sendable[name]
	return signal, known
}

func (r *SignalRequest) Check() error {
	if _, known := sendable[r.Signal]; !known {
		return Errorf(CodeBadRequest, "signal is none that can be sent")
	}
	return nil
}

func (r *ResizeRequest) Check() error {
	if !r.valid() || len(r.Writer) > WriterBytesMax {
		return Errorf(CodeBadRequest, "a terminal has 1 to %d columns and rows", TerminalSizeMax)
	}
	return nil
}
