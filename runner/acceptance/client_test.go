package acceptance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

// Not how long an answer may take, but when a test has hung.
const answerLimit = 90 * time.Second

// client is a host in small: it speaks the channel and keeps what it is told.
type client struct {
	t      testing.TB
	conn   io.ReadWriteCloser
	reader *wire.Reader
	writer *wire.Writer
	hello  protocol.HelloResult

	mutex   sync.Mutex
	nextID  uint32
	waiting map[uint32]chan wire.Message
	closed  chan struct{}
}

func dial(t testing.TB, socket string) *client {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return greet(t, conn)
}

func greet(t testing.TB, conn io.ReadWriteCloser) *client {
	t.Helper()
	return greetWith(t, conn, 1, 2)
}

// greetWith speaks as a host that knows only these protocols.
func greetWith(t testing.TB, conn io.ReadWriteCloser, protocols ...int) *client {
	t.Helper()
	c := &client{
		t: t, conn: conn, reader: wire.NewReader(conn, wire.LengthMax), writer: wire.NewWriter(conn, time.Second),
		waiting: map[uint32]chan wire.Message{}, closed: make(chan struct{}),
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := c.writer.WriteJSON(protocol.Hello, 0, protocol.HelloRequest{Protocols: protocols}); err != nil {
		t.Fatal(err)
	}
	message, err := c.reader.Read()
	if err != nil || message.Type != protocol.HelloOK || json.Unmarshal(message.Payload, &c.hello) != nil {
		t.Fatalf("hello: %+v %v", message, err)
	}
	go c.listen()
	return c
}

func (c *client) listen() {
	defer close(c.closed)
	for {
		message, err := c.reader.Read()
		if err != nil {
			return
		}
		c.mutex.Lock()
		waiting := c.waiting[message.RequestID]
		c.mutex.Unlock()
		if waiting != nil {
			waiting <- message
		}
	}
}

func (c *client) send(kind wire.Type, request any) (uint32, chan wire.Message) {
	payload, err := json.Marshal(request)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.sendBytes(kind, payload)
}

func (c *client) sendBytes(kind wire.Type, payload []byte) (uint32, chan wire.Message) {
	c.mutex.Lock()
	c.nextID++
	id, answers := c.nextID, make(chan wire.Message, 1024)
	c.waiting[id] = answers
	// Sent under the lock, because ids must arrive in order.
	err := c.writer.Write(kind, id, payload)
	c.mutex.Unlock()
	if err != nil {
		c.t.Errorf("send: %v", err)
	}
	return id, answers
}

func (c *client) receive(answers chan wire.Message) wire.Message {
	c.t.Helper()
	select {
	case message := <-answers:
		return message
	case <-c.closed:
		c.t.Error("the channel was closed")
	case <-time.After(answerLimit):
		c.t.Error("no answer in time")
	}
	return wire.Message{}
}

// ask returns the runner's refusal as an error.
func ask[Result any](c *client, kind wire.Type, request any) (Result, error) {
	c.t.Helper()
	_, answers := c.send(kind, request)
	return answered[Result](c, answers)
}

func answered[Result any](c *client, answers chan wire.Message) (Result, error) {
	c.t.Helper()
	var result Result
	message := c.receive(answers)
	if message.Type == protocol.Failed {
		refusal := &protocol.Error{}
		if err := json.Unmarshal(message.Payload, refusal); err != nil {
			return result, err
		}
		return result, refusal
	}
	return result, json.Unmarshal(message.Payload, &result)
}

func (c *client) start(request protocol.StartRequest) (protocol.StartResult, error) {
	c.t.Helper()
	return ask[protocol.StartResult](c, protocol.Start, request)
}

func (c *client) mustStart(request protocol.StartRequest) {
	c.t.Helper()
	if result, err := c.start(request); err != nil || result.State != protocol.StateStarted {
		c.t.Fatalf("start: %+v %v", result, err)
	}
}

func (c *client) status(execID string) protocol.ExecStatus {
	c.t.Helper()
	status, err := ask[protocol.ExecStatus](c, protocol.Status, protocol.ExecRequest{ExecID: execID})
	if err != nil {
		c.t.Fatal(err)
	}
	return status
}

func (c *client) commit(execID string, position uint64) {
	c.t.Helper()
	if _, err := ask[struct{}](c, protocol.Commit, protocol.CommitRequest{ExecID: execID, Position: position}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) cancel(execID string, grace time.Duration) protocol.CancelResult {
	c.t.Helper()
	request := protocol.CancelRequest{ExecID: execID, GraceMs: grace.Milliseconds()}
	result, err := ask[protocol.CancelResult](c, protocol.Cancel, request)
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

func (c *client) endForStop(execID string, grace time.Duration) (protocol.CancelResult, error) {
	c.t.Helper()
	request := protocol.CancelRequest{ExecID: execID, GraceMs: grace.Milliseconds(), Stops: true}
	return ask[protocol.CancelResult](c, protocol.Cancel, request)
}

// transcript is all that a follow has brought.
type transcript struct {
	stdout, stderr, framed bytes.Buffer
	record                 *protocol.ExitRecord
	lost                   *protocol.LostNotice
	refusal                *protocol.Error
	resumed                bool
}

// follow reads to the end and checks that nothing is missing and nothing comes twice. each may be nil.
func (c *client) follow(execID string, from uint64, each func(position uint64)) *transcript {
	c.t.Helper()
	const window = 1 << 20
	id, answers := c.send(protocol.Follow, protocol.FollowRequest{ExecID: execID, From: from, Window: window})
	got, next := &transcript{resumed: from > 0}, from
	for {
		message := c.receive(answers)
		switch message.Type {
		case protocol.Result:
		case protocol.Data:
			position := binary.BigEndian.Uint64(message.Payload)
			frames := message.Payload[8:]
			if position != next {
				c.t.Fatalf("a gap: position %d follows %d", position, next)
			}
			got.take(c.t, frames)
			next += uint64(len(frames))
			if err := c.writer.WriteJSON(protocol.Window, id, protocol.WindowRequest{Bytes: int64(len(frames))}); err != nil {
				c.t.Fatal(err)
			}
			if each != nil {
				each(next)
			}
		case protocol.End:
			var notice protocol.EndNotice
			if err := json.Unmarshal(message.Payload, &notice); err != nil {
				c.t.Fatal(err)
			}
			got.record = notice.ExitRecord
			return got
		case protocol.Lost:
			got.lost = &protocol.LostNotice{}
			if err := json.Unmarshal(message.Payload, got.lost); err != nil {
				c.t.Fatal(err)
			}
			return got
		case protocol.Failed:
			got.refusal = &protocol.Error{}
			if err := json.Unmarshal(message.Payload, got.refusal); err != nil {
				c.t.Fatal(err)
			}
			return got
		default:
			c.t.Fatalf("unexpected message %#x", message.Type)
		}
	}
}

// ended follows to the end and insists on a record.
func (c *client) ended(execID string) *transcript {
	c.t.Helper()
	got := c.follow(execID, 0, nil)
	if got.record == nil {
		c.t.Fatalf("no record: lost %+v refusal %v", got.lost, got.refusal)
	}
	return got
}

func (t *transcript) take(tb testing.TB, frames []byte) {
	tb.Helper()
	t.framed.Write(frames)
	for len(frames) > 0 {
		header, err := frame.Parse(frames)
		if err != nil {
			tb.Fatal(err)
		}
		into := &t.stdout
		if header.Stream == frame.Stderr {
			into = &t.stderr
		}
		if !t.resumed && header.Offset != uint64(into.Len()) {
			tb.Fatalf("offset %d, but %d bytes came before", header.Offset, into.Len())
		}
		into.Write(frames[frame.HeaderBytes:header.Bytes()])
		frames = frames[header.Bytes():]
	}
}

func ending(record *protocol.ExitRecord) string {
	code, signal := "-", "-"
	if record.ExitCode != nil {
		code = fmt.Sprint(*record.ExitCode)
	}
	if record.Signal != nil {
		signal = *record.Signal
	}
	return fmt.Sprintf("%s %s %s", record.Reason, code, signal)
}
