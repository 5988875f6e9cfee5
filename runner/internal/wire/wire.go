// Package wire is the codec of the channel: length, type, request id, payload. It bounds every length before it
// allocates, and must never try to find its way again after a malformed message: the channel ends.
package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// headerBytes are the length field, the type and the request id.
	headerBytes = 9
	// countedBytes are those of the header that the length field counts.
	countedBytes = 5
	LengthMax    = 1 << 20
	// readBufferBytes is small, because init has a reader for each exec; a large payload is read past the buffer.
	readBufferBytes = 4 << 10
)

// ErrProtocol says that the other side broke the rules of the channel.
var ErrProtocol = errors.New("protocol violation")

type Type uint8

type Message struct {
	Type      Type
	RequestID uint32
	Payload   []byte
}

type Reader struct {
	buffered  *bufio.Reader
	lengthMax uint32
}

func NewReader(from io.Reader, lengthMax uint32) *Reader {
	return &Reader{buffered: bufio.NewReaderSize(from, readBufferBytes), lengthMax: lengthMax}
}

// Read returns the next message. io.EOF comes only between two messages.
func (r *Reader) Read() (Message, error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r.buffered, header[:]); err != nil {
		return Message{}, err
	}
	length := binary.BigEndian.Uint32(header[:4])
	if length < countedBytes || length > r.lengthMax {
		return Message{}, fmt.Errorf("%w: message of %d bytes", ErrProtocol, length)
	}
	payload := make([]byte, length-countedBytes)
	if _, err := io.ReadFull(r.buffered, payload); err != nil {
		return Message{}, io.ErrUnexpectedEOF
	}
	return Message{Type: Type(header[4]), RequestID: binary.BigEndian.Uint32(header[5:]), Payload: payload}, nil
}

type deadlineWriter interface {
	SetWriteDeadline(time.Time) error
}

// Writer writes whole messages from any goroutine. A write that makes no way within the stall limit fails, and
// so does every one after a failure, because the stream may have been cut in the middle of a message.
type Writer struct {
	mutex      sync.Mutex
	to         io.Writer
	deadline   deadlineWriter
	stallLimit time.Duration
	failed     error
	// resumes: a stall is no failure, and rest is what it has cut off, which goes out before anything else.
	resumes bool
	rest    net.Buffers
}

func NewWriter(to io.Writer, stallLimit time.Duration) *Writer {
	deadline, _ := to.(deadlineWriter)
	return &Writer{to: to, deadline: deadline, stallLimit: stallLimit}
}

// NewResumingWriter is for another side that lives and dies with this one, and so is worth another try: it stays usable after
// a write that made no way. Nothing of such a message has been sent, or all of it will be, with the next write.
func NewResumingWriter(to io.Writer, stallLimit time.Duration) *Writer {
	writer := NewWriter(to, stallLimit)
	writer.resumes = true
	return writer
}

// WriteJSON sends value as the payload.
func (w *Writer) WriteJSON(kind Type, requestID uint32, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.Write(kind, requestID, payload)
}

// Write sends the parts as one payload without copying them together.
func (w *Writer) Write(kind Type, requestID uint32, parts ...[]byte) error {
	length := countedBytes
	for _, part := range parts {
		length += len(part)
	}
	var header [headerBytes]byte
	binary.BigEndian.PutUint32(header[:4], uint32(length))
	header[4] = byte(kind)
	binary.BigEndian.PutUint32(header[5:], requestID)
	buffers := make(net.Buffers, 0, len(parts)+1)
	buffers = append(buffers, header[:])
	buffers = append(buffers, parts...)

	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.failed != nil {
		return w.failed
	}
	if w.deadline != nil && w.stallLimit > 0 {
		// Not every stream can have a deadline; where it cannot, the channel's idle limit ends it.
		_ = w.deadline.SetWriteDeadline(time.Now().Add(w.stallLimit))
	}
	if _, err := w.rest.WriteTo(w.to); err != nil {
		return w.note(err)
	}
	sent, err := buffers.WriteTo(w.to)
	if err != nil && sent > 0 {
		// The parts are the caller's, who may use them for something else.
		w.rest = net.Buffers{slices.Concat(buffers...)}
	}
	return w.note(err)
}

func (w *Writer) note(err error) error {
	if err != nil && !(w.resumes && errors.Is(err, os.ErrDeadlineExceeded)) {
		w.failed = err
	}
	return err
}
